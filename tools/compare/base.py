"""Two revisions of Spate: builds one beside this tree, and has tools/budget compare them."""
import json
import os
import shlex
import subprocess
import sys
import tempfile

from measure import ROOT, MeasureError
from measure.rows import ROWS

FOLDER = os.path.join(ROOT, "build-base")
SPATE = "{binary} --workers 1 --listen 127.0.0.1:{{port}} --internal-listen '' --echo /echo"
ECHO = [row.name for row in ROWS.values() if row.scenario == "echo" and row.kind == "echo"]


def run(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    if done.returncode != 0:
        raise MeasureError(f"{shlex.join(words)}: {done.stdout.strip()[-1500:]}")
    return done.stdout.strip()


def build(revision):
    """The path of that revision's server. The tree and its objects stay for the next time."""
    try:
        commit = run("git", "-C", ROOT, "rev-parse", "--verify", f"{revision}^{{commit}}")
    except MeasureError as error:
        raise MeasureError(f"--base {revision}: no such revision; git log lists them") from error
    source, objects = os.path.join(FOLDER, "source"), os.path.join(FOLDER, "build")
    if os.path.exists(os.path.join(source, ".git")):
        run("git", "-C", source, "checkout", "--quiet", "--detach", commit)
    else:
        run("git", "-C", ROOT, "worktree", "prune")  # make clean may have removed it
        run("git", "-C", ROOT, "worktree", "add", "--quiet", "--detach", source, commit)
    print(f"compare: building {commit[:7]} in {os.path.relpath(FOLDER)}", flush=True)
    run("cmake", "-S", source, "-B", objects, "-G", "Ninja", "-DSPATE_TESTS=OFF")
    run("cmake", "--build", objects, "--target", "spate")
    return os.path.join(objects, "spate"), commit[:7]


def verdict(figures):
    """One row's ratio, new over old, in words."""
    if figures["high"] < 1:
        word = "less"
    elif figures["low"] > 1:
        word = "MORE"
    else:
        return "no difference seen"
    return f"{abs(100 * (figures['ratio'] - 1)):.1f} % {word} CPU per message"


def compare(revision, binary, rows, flags):
    """Prints the rows; `flags` are tools/budget's."""
    if unknown := [row for row in rows if row not in ECHO]:
        raise MeasureError(f"--base with --rows {', '.join(unknown)}: revisions are compared in "
                           f"{', '.join(ECHO)}")
    base, commit = build(revision)
    with tempfile.NamedTemporaryFile() as out:
        words = [os.path.join(ROOT, "tools", "budget"), "--a", SPATE.format(binary=base),
                 "--b", SPATE.format(binary=binary), "--json", out.name, *flags, *(rows or ECHO)]
        if subprocess.run([sys.executable, *words], check=False).returncode != 0:
            raise MeasureError("tools/budget failed")
        with open(out.name, encoding="utf-8") as file:
            results = json.load(file)["rows"]
    for figures in results:
        print("{row}: {ratio:.3f} [{low:.3f}, {high:.3f}] of {commit}: {verdict}".format(
            commit=commit, verdict=verdict(figures), **figures))
    return 0
