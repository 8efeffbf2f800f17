#!/usr/bin/env python3
"""Drives each server of bench/peers that can run here for half a second, echo (plain, over TLS,
compressed) and fan-out, with spate-bench checking every message, and fails on any that is wrong.

  tests/bench/peers.py [--bench build/spate-bench] [NAME...]
"""
import argparse
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench/peers"))
import peers  # noqa: E402  pylint: disable=wrong-import-position,import-error

SKIPPED = 77
PAYLOAD = {"echo": 20, "fanout": 64, "tls": 1024, "deflate": 1024}
ECHO = "--connections 8 --in-flight 4 --rate 2000"
LOAD = {
    "echo": ECHO,
    "fanout": "--subscribers 8 --in-flight 4 --rate 400",
    "tls": ECHO + " --insecure",
    "deflate": ECHO + " --deflate",
}


def frame_bytes(payload):
    """A server's frame (RFC 6455 5.2); a client's is 4 bytes longer."""
    return payload + (2 if payload < 126 else 4 if payload < 65536 else 10)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A peer for as long as the with block lasts, accepting when it begins."""

    def __init__(self, peer, kind):
        self.port = free_port()
        frame = frame_bytes(PAYLOAD[kind])
        self.words = peer.command(kind, self.port, frame + 4, frame)

    def __enter__(self):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.words, stdout=self.log, stderr=self.log, cwd=ROOT,
                                        stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__()
                    raise RuntimeError(f"does not serve: {self.said()}") from None
                time.sleep(0.02)  # between two looks, until the deadline

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-1000:]

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def drive(peer, kind, bench, extra):
    """One run; what is wrong with it, or nothing."""
    with Server(peer, kind) as server, tempfile.NamedTemporaryFile() as out:
        scenario = "fanout" if kind == "fanout" else "echo"
        scheme = "wss" if kind == "tls" else "ws"
        url = f"{scheme}://127.0.0.1:{server.port}{peer.path(kind)}"
        command = [bench, scenario, url, "--quiet",
                   *shlex.split(LOAD[kind]), "--size", str(PAYLOAD[kind]), "--seconds", "0.5",
                   "--warmup", "0.1", "--timeout", "5", "--json", out.name,
                   *peer.flags(kind), *extra]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        text = out.read()
        if not text:
            return f"{shlex.join(command)}: {done.stdout or f'status {done.returncode}'}"
        report = json.loads(text)
        received = report["deliveries" if kind == "fanout" else "messages"]["received"]
        wrong = {name: count for name, count in report["errors"].items() if count}
        if done.returncode != 0 or wrong or not received:
            return (f"status {done.returncode}, {received} received, {wrong}; "
                    f"{shlex.join(command)}; {server.said()}")
        return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of peers (default: all)")
    parser.add_argument("--bench", default=str(peers.BUILD / "spate-bench"),
                        help="the load generator")
    parser.add_argument("--size", type=int, help="payload bytes, instead of 20, 64 and 1024")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - {peer.name for peer in peers.known()}:
        parser.error(f"no such peer: {', '.join(sorted(unknown))}")
    failed = tried = 0
    for kind in peers.KINDS:
        if arguments.size:
            PAYLOAD[kind] = arguments.size
        there, skipped = peers.available(kind)
        for name, why in skipped:
            print(f"--  {kind:8}{name:15}{why}")
        for peer in there:
            if arguments.names and peer.name not in arguments.names:
                continue
            try:
                wrong = drive(peer, kind, arguments.bench, [])
            except RuntimeError as error:
                wrong = str(error)
            tried += 1
            failed += bool(wrong)
            print(f"{'BAD' if wrong else 'ok '} {kind:8}{peer.name:15}{peer.version():20}{wrong}",
                  flush=True)
    if failed:
        sys.exit(f"{failed} of {tried} runs failed")
    if not tried:
        print("no peer is installed: make peers")
        sys.exit(SKIPPED)


if __name__ == "__main__":
    main()
