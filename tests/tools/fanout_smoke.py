#!/usr/bin/env python3
"""spate-bench fanout --protocol centrifuge on a real server: every publication checked, in one channel and in many,
with offsets where there is history; a channel that may not be subscribed to is named as such.

usage: fanout_smoke.py SPATE SPATE_BENCH
"""
import json
import re
import subprocess
import sys
import tempfile

SPATE, BENCH = sys.argv[1:3]
NAMESPACE = {"name": "bench", "allow_subscribe_for_client": True, "allow_subscribe_for_anonymous": True,
             "allow_publish_for_client": True, "allow_publish_for_anonymous": True}
HISTORY = {"history_size": 10, "history_ttl": "60s"}


class Server:
    def __init__(self, **options):
        channels = {"namespaces": [NAMESPACE | options]}
        self.process = subprocess.Popen(
            [SPATE, "--listen", "127.0.0.1:0", "--internal-listen", "", "--workers", "1", "--client-anonymous",
             "--channels", json.dumps(channels)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        said = ""
        while not (found := re.search(r"listening on (127\.0\.0\.1:\d+)", said)):
            line = self.process.stderr.readline()
            if not line:
                sys.exit(f"the server does not listen:\n{said}")
            said += line
        self.url = f"ws://{found[1]}/connection/websocket"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=20)


def bench(url, *flags):
    with tempfile.NamedTemporaryFile("r") as out:
        done = subprocess.run([BENCH, "fanout", "--protocol", "centrifuge", "--seconds", "0.5", "--warmup", "0.1",
                               "--quiet", "--json", out.name, *flags, url],
                              capture_output=True, text=True, timeout=60)
        written = out.read()
        return done.returncode, json.loads(written) if written else None, done.stderr


def main():
    loads = (["--subscribers", "5", "--publishers", "2", "--rate", "300", "--procs", "2"],
             ["--subscribers", "3", "--in-flight", "16", "--size", "32-2K"],
             ["--subscribers", "20", "--channels", "50", "--subscriptions", "5", "--rate", "400", "--procs", "3"])
    for options in ({}, HISTORY):
        for flags in loads:
            with Server(**options) as server:
                status, figures, said = bench(server.url, *flags)
            assert status == 0, f"{options} {flags}: status {status}, {figures and figures['errors']} {said}"
            received, sent = figures["deliveries"]["received"], figures["deliveries"]["sent"]
            each = 2 if "--channels" in flags else int(flags[1])
            assert sent > 50 and abs(received - each * sent) <= 0.1 * received + 64, f"{flags}: {received} of {sent}"
            assert figures["latency_ns"]["count"] > 0 and figures["last_latency_ns"]["count"] > 0, flags
            print(f"ok {flags}: {sent} publications, {received} deliveries")
    with Server(allow_subscribe_for_client=False) as server:
        status, figures, said = bench(server.url, "--subscribers", "3", "--timeout", "0.3")
        assert status == 1 and figures["errors"] == {"not_subscribed": 3}, f"{status} {figures} {said}"
        print("ok a channel that nobody may subscribe to")
    # One that begins where another has been: its offsets go on from there, and that is no fault.
    with Server(**HISTORY) as server:
        for _ in range(2):
            status, figures, said = bench(server.url, "--subscribers", "2", "--rate", "100")
            assert status == 0, f"{status} {figures and figures['errors']} {said}"
        print("ok offsets that begin above 1")


main()
