#!/usr/bin/env python3
"""spate-bench storm over TLS on a real server: which handshakes were full and which went on with an
earlier session, as the server counts them too.

usage: storm_tls_smoke.py SPATE SPATE_BENCH
"""
import json
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench" / "peers"))
import certificate  # noqa: E402  pylint: disable=wrong-import-position

SPATE, BENCH = sys.argv[1:3]
SLOTS = 8


class Server:
    def __enter__(self):
        self.process = subprocess.Popen(
            [SPATE, "--listen", "tls:127.0.0.1:0", "--internal-listen", "127.0.0.1:0", "--echo",
             "/echo", "--workers", "1", "--tls-cert", certificate.certificate(), "--tls-key",
             certificate.key()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        said = ""
        while not (port := re.search(r"listening on \S*127\.0\.0\.1:(\d+)", said)) \
                or "internal listener on" not in said:
            line = self.process.stderr.readline()
            if not line:
                sys.exit(f"the server does not listen:\n{said}")
            said += line
        self.url = f"wss://127.0.0.1:{port[1]}/echo"
        internal = re.search(r"internal listener on (\S+)", said)[1]
        self.metrics = f"http://{internal}/metrics"
        return self

    def handshakes(self, kind):
        text = urllib.request.urlopen(self.metrics, timeout=10).read().decode()
        return int(re.search(rf'^spate_tls_handshakes_total{{.*"{kind}".*}} (\d+)$', text, re.M)[1])

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=20)


def storm(server, *flags):
    """(full, resumed) as spate-bench counts them."""
    with tempfile.NamedTemporaryFile("r") as out:
        done = subprocess.run(
            [BENCH, "storm", "--insecure", "-c", str(SLOTS), "--seconds", "0.5", "--warmup", "0",
             "--quiet", "--json", out.name, *flags, server.url],
            capture_output=True, text=True, timeout=60, check=False)
        figures = json.loads(out.read() or "{}")
    assert done.returncode == 0, f"{flags}: {figures.get('errors')} {done.stderr}"
    shaken = figures["tls_handshakes"]
    # One that was shaken at the window's edge was upgraded on its other side.
    difference = shaken["full"] + shaken["resumed"] - figures["handshakes"]["received"]
    assert abs(difference) <= SLOTS, f"{flags}: {shaken}, {figures['handshakes']}"
    return shaken["full"], shaken["resumed"]


def main():
    with Server() as server:
        full, resumed = storm(server)
        assert full > 50 and resumed == 0, f"{full} full, {resumed} resumed"
        assert server.handshakes("resumed") == 0 and server.handshakes("full") >= full
        print(f"ok {full} handshakes, all full")
        before = server.handshakes("full")
        for flags in ([], ["--raw"], ["--abrupt"]):
            full, resumed = storm(server, "--tls-resume", *flags)
            # Those of the first round begin before there is a session to go on with.
            assert full <= SLOTS and resumed > 50, f"{flags}: {full} full, {resumed} resumed"
            print(f"ok {flags}: {full} full, {resumed} resumed")
        assert server.handshakes("full") <= before + 3 * SLOTS
        assert server.handshakes("resumed") >= resumed


main()
