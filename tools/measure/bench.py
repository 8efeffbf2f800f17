"""Runs of spate-bench."""
import json
import os
import subprocess
import tempfile
from dataclasses import dataclass

from measure import ROOT, MeasureError

@dataclass
class Bench:
    """spate-bench, pinned to the cores that make the load."""
    cores: tuple = (1,)
    program: str = "build/spate-bench"
    warmup: float = 0.5
    spare: float = 60  # seconds for connecting, and for what is still under way at the end

    def run(self, server, scenario, path, flags, seconds, rate=0, scheme="ws"):
        """One run against a server that stands: its JSON. Errors counted are an error here."""
        with tempfile.NamedTemporaryFile() as out:
            words = [
                os.path.join(ROOT, self.program), scenario,
                f"{scheme}://127.0.0.1:{server.port}{path}",
                "--quiet", "--seconds", f"{seconds:g}", "--warmup", f"{self.warmup:g}",
                "--cpu", ",".join(map(str, self.cores)), "--server-pid", str(server.pid),
                "--json", out.name, *flags]
            if len(self.cores) > 1:
                words += ["--procs", str(len(self.cores))]
            if rate:
                words += ["--rate", f"{rate:.6g}"]
            status, said = run(words, seconds + self.warmup + self.spare)
            text = open(out.name, encoding="utf-8").read()
            if status != 0:
                what = json.loads(text)["errors"] if text else said.strip()[-300:]
                raise MeasureError(f"{' '.join(words[1:])}: {what}")
            return json.loads(text)


def run(words, limit):
    """Exit status and what was said. A run that does not come to its end is an error."""
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, timeout=limit)
    except subprocess.TimeoutExpired as error:
        raise MeasureError(f"{' '.join(words)}: no end after {limit:.0f} s") from error
    except OSError as error:
        raise MeasureError(f"{words[0]}: {error.strerror}; make builds it") from error
    return done.returncode, done.stdout
