#!/usr/bin/env python3
"""bench/peers/api_client on a real server: what it counts is what the server has published; a wrong key ends it.

usage: api_client_smoke.py SPATE API_CLIENT
"""
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

SPATE, CLIENT = sys.argv[1:3]
CONFIG = Path(__file__).resolve().parents[2] / "bench/peers/hub.json"


def main():
    server = subprocess.Popen(
        [SPATE, "--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0", "--workers", "1", "--config", CONFIG,
         "--api-key", "K"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        said = ""
        while not (found := re.search(r"internal listener on (127\.0\.0\.1:(\d+))", said)):
            line = server.stderr.readline()
            if not line:
                sys.exit(f"the server does not listen:\n{said}")
            said += line

        def client(key, depth):
            return subprocess.run([CLIENT, found[2], key, "7", str(depth), "64", "0.3"], capture_output=True,
                                  text=True, timeout=30, check=False)

        published = 0
        for depth in (1, 16, 64):
            done = client("K", depth)
            assert done.returncode == 0, done.stderr
            count = int(done.stdout.split()[0])
            assert count > depth, done.stdout
            published += count
        text = urllib.request.urlopen(f"http://{found[1]}/metrics", timeout=10).read().decode()
        counted = sum(float(value) for value in re.findall(r"^spate_publications_total\S* (\S+)$", text, re.M))
        assert counted == published, f"the server published {counted}, the client counted {published}"
        refused = client("wrong", 4)
        assert refused.returncode == 1 and "refused" in refused.stderr, refused
        print(f"ok {published} publications; a wrong key is refused")
    finally:
        server.terminate()
        server.communicate(timeout=20)


main()
