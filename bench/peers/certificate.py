"""A certificate for the servers of one run: self-signed, EC P-256, for 127.0.0.1 and localhost.

Made with openssl when it is first asked for, in a folder that goes when the program ends.
"""
import atexit
import functools
import shutil
import subprocess
import tempfile

DAYS = 2


@functools.cache
def folder():
    made = tempfile.mkdtemp(prefix="spate-certificate-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-noenc", "-days", str(DAYS), "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", f"{made}/key.pem", "-out", f"{made}/certificate.pem"]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(words)}: {done.stdout.strip()[-300:]}")
    return made


def certificate():
    """The path of the PEM file; key() that of its private key."""
    return f"{folder()}/certificate.pem"


def key():
    return f"{folder()}/key.pem"
