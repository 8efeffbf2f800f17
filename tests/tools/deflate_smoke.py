#!/usr/bin/env python3
"""spate-bench --deflate on a real server: every message compressed both ways, checked, and counted by the server;
a server that declines is named as such.

usage: deflate_smoke.py SPATE SPATE_BENCH
"""
import json
import re
import subprocess
import sys
import tempfile
import urllib.request

SPATE, BENCH = sys.argv[1:3]


class Server:
    def __init__(self, *flags):
        self.log = tempfile.NamedTemporaryFile("r+")
        self.process = subprocess.Popen(
            [SPATE, "--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0", "--echo", "/echo",
             "--max-message-bytes", "200000", "--workers", "1", *flags],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        said = ""
        while not (found := re.search(r"listening on (127\.0\.0\.1:\d+)", said)) or "internal listener on" not in said:
            line = self.process.stderr.readline()
            if not line:
                sys.exit(f"the server does not listen:\n{said}")
            said += line
        self.url = f"ws://{found[1]}/echo"
        self.metrics = "http://" + re.search(r"internal listener on (\S+)", said)[1] + "/metrics"

    def metric(self, name):
        text = urllib.request.urlopen(self.metrics, timeout=10).read().decode()
        return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=20)


def bench(url, *flags):
    with tempfile.NamedTemporaryFile("r") as out:
        done = subprocess.run([BENCH, "echo", "--deflate", "--seconds", "0.5", "--warmup", "0.1", "--quiet",
                               "--json", out.name, *flags, url], capture_output=True, text=True, timeout=60)
        written = out.read()
        return done.returncode, json.loads(written) if written else None, done.stderr


def main():
    for size in ("300", "20:5,1K:3,70000:1,200000:1"):
        for flags in ([], ["--deflate-context-takeover"]):
            with Server("--deflate", "--deflate-min-bytes", "100", *flags) as server:
                for more in (["-c", "4", "--in-flight", "8", "--text"], ["-c", "3", "--rate", "300"]):
                    status, figures, said = bench(server.url, "--size", size, *more)
                    assert status == 0, f"{size} {more}: status {status}, {figures and figures['errors']} {said}"
                received = server.metric('spate_deflate_messages_total{direction="received"}')
                sent = server.metric('spate_deflate_messages_total{direction="sent"}')
                assert received > 100 and sent > 0, f"{received} came compressed, {sent} went"
                wire = server.metric('spate_deflate_compressed_bytes_total{direction="received"}')
                plain = server.metric('spate_deflate_plain_bytes_total{direction="received"}')
                assert wire < 0.9 * plain, f"{wire} of {plain} bytes: not compressed"
                print(f"ok {size} {flags}: {received:.0f} messages, {100 * wire / plain:.0f} % of their bytes")
    with Server() as server:
        status, _, said = bench(server.url, "-c", "3")
        assert status == 1 and "3 upgrades that declined permessage-deflate" in said, f"{status} {said}"
        print("ok a server that declines")


main()
