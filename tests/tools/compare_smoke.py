"""tools/compare from end to end with the floor and Spate: every file is there, and its figures are
those of a server that answered.  compare_smoke.py SPATE_BENCH"""
import json
import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

COMPARE = Path(__file__).resolve().parents[2] / "tools" / "compare"
BENCH = sys.argv.pop()


class Smoke(unittest.TestCase):
    def compare(self, *flags):
        cores = sorted(os.sched_getaffinity(0))
        return subprocess.run(
            [sys.executable, COMPARE, "--bench", BENCH, "--peers", "none", *flags,
             "--server-cores", str(cores[0]), "--load-cores", str(cores[-1])],
            text=True, capture_output=True, check=False)

    def test_writes_figures_table_and_drawings(self):
        with tempfile.TemporaryDirectory() as folder:
            done = self.compare("--rows", "echo-20,idle", "--rounds", "1", "--seconds", "0.2",
                                "--warmup", "0.1", "--idle-connections", "200", "--out", folder)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            files = {path.suffix: path for path in Path(folder).iterdir()}
            record = json.loads(files[".json"].read_text())
            echo, idle = record["rows"]
            self.assertEqual(echo["servers"], ["floor", "spate"])
            equal = [run for run in echo["runs"] if run["what"] == "equal"]
            self.assertEqual([run["server"] for run in equal], ["floor", "spate"])
            for run in equal:
                self.assertGreater(run["cpu_ns"], 0)
                self.assertGreater(run["latency_ns"]["count"], 0)
            self.assertEqual(len(idle["runs"]), 2)
            self.assertIn("## echo, 20 B", files[".md"].read_text())
            ElementTree.fromstring(files[".svg"].read_text())
            self.assertNotIn(os.uname().nodename, files[".md"].name)

    def test_a_row_that_is_not_there_is_named(self):
        done = self.compare("--rows", "echo-21")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--rows echo-21: no such row", done.stderr)

    def test_a_peer_that_is_not_known_is_named(self):
        done = self.compare("--peers", "nobody")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--peers nobody: no such server", done.stderr)


if __name__ == "__main__":
    unittest.main()
