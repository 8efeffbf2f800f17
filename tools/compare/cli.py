"""Flags, the run, and what it writes."""
import argparse
import dataclasses
import datetime
import json
import os
import shlex
import sys

import peers as servers_of
from compare import base, charts, markdown, plan
from compare.matrix import Matrix, able
from compare.progress import Progress, duration
from compare.summary import FLOOR, SPATE
from measure import ROOT, MeasureError, machine
from measure.bench import Bench
from measure.rows import ROWS

QUICK_SECONDS = 285  # of five minutes: the last run may take longer than foreseen
QUICK_SPARE = 15     # seconds that a run may take longer than it should


def words(text):
    return [word for word in text.replace(",", " ").split() if word]


def cores(text):
    try:
        return tuple(int(word) for word in words(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: cores are numbers: 1,2,3") from error


def parser_of_flags():
    parser = argparse.ArgumentParser(prog="tools/compare", description=(
        "Spate, the floor and other servers under the same loads, in turns. Writes figures (JSON), "
        "a table (Markdown) and drawings (SVG); docs/benchmarks.md has the method."))
    parser.add_argument("--rows", type=words, default=[],
                        help=f"of {' '.join(ROWS)} (default: all)")
    parser.add_argument("--peers", type=words, default=[], help=(
        "beside Spate and the floor (default: all that are installed; without any: 'none')"))
    parser.add_argument("--quick", action="store_true",
                        help="five minutes for all: rows and rounds that fit")
    parser.add_argument("--minutes", type=float, default=0, help="the same with so many minutes")
    parser.add_argument("--rounds", type=int, default=0,
                        help="runs of each server at the equal rate (default: 7; what fits)")
    parser.add_argument("--seconds", type=float, default=0,
                        help="length of a window (default: 1; 0.4 when time is short)")
    parser.add_argument("--warmup", type=float, default=-1, help=(
        "seconds of traffic before a window (default: 0.5; 0.3 when time is short)"))
    parser.add_argument("--idle-connections", type=int, default=0,
                        help="held in row idle (default: 15000; 6000 when time is short); a fifth "
                             "of them over TLS")
    parser.add_argument("--server-cores", type=cores, default=(0,),
                        help="to which each server is pinned: 0 or 0,1 (default: 0)")
    parser.add_argument("--load-cores", type=cores, default=(1,),
                        help="the same for spate-bench, a process each (default: 1)")
    parser.add_argument("--bench", default=str(servers_of.BUILD / "spate-bench"),
                        help="path of spate-bench (default: in build/)")
    parser.add_argument("--out", default=os.path.join(ROOT, "bench", "results"),
                        help="folder of the results (default: bench/results)")
    parser.add_argument("--base", metavar="REVISION", help=(
        "instead: builds that revision of Spate and compares this one with it, in the echo rows"))
    parser.add_argument("--render", metavar="JSON",
                        help="instead: writes table and drawings of an earlier run again")
    return parser


def settings_of(args):
    seconds = QUICK_SECONDS if args.quick else 60 * args.minutes
    settings = plan.within(seconds) if seconds else plan.Settings()
    given = {"rounds": args.rounds, "seconds": args.seconds,
             "idle_connections": args.idle_connections}
    given = {name: value for name, value in given.items() if value > 0}
    if args.rounds > 0:
        given["idle_rounds"] = min(args.rounds, settings.idle_rounds)
    if args.warmup >= 0:
        given["warmup"] = args.warmup
    return dataclasses.replace(settings, **given)


def chosen(args, parser):
    """kind -> servers, and [(name, why not)]."""
    names = {peer.name for peer in servers_of.known()}
    wanted = {FLOOR, SPATE, *args.peers} - {"none"} if args.peers else names
    if unknown := sorted(wanted - names):
        parser.error(f"--peers {' '.join(unknown)}: no such server; known are "
                     f"{', '.join(sorted(names))}")
    by_kind, missing = {}, {}
    for kind in servers_of.KINDS:
        there, gone = servers_of.available(kind)
        by_kind[kind] = [peer for peer in there if peer.name in wanted]
        missing |= {name: why for name, why in gone if name in wanted}
    for name in (FLOOR, SPATE):
        if name in missing:
            parser.error(f"{name}: {missing[name]}")
    return by_kind, sorted(missing.items())


def measure(args, settings, rows, by_kind):
    """(results of rows, names of rows left out)."""
    def count(row):
        return len(able(row, by_kind[row.kind]))
    rows, left_out = plan.choose(rows, count, settings)
    out = [row.name for row in left_out]
    if out:
        print(f"compare: left out for lack of time: {', '.join(out)} (ROWS= chooses, without "
              "QUICK all rows run)", flush=True)
    foreseen = sum(plan.row_seconds(row, count(row), settings) for row in rows)
    progress = Progress(settings.budget_seconds or foreseen, limit=settings.budget_seconds)
    bench = Bench(args.load_cores, args.bench, settings.warmup,
                  spare=QUICK_SPARE if settings.quick else Bench.spare)
    matrix = Matrix(settings, bench, args.server_cores, progress)
    results = []
    for at, row in enumerate(rows):
        seconds = 0
        if settings.quick:
            left = settings.budget_seconds - progress.elapsed
            if results and not plan.choose([row], count, dataclasses.replace(
                    settings, budget_seconds=max(left, 0.1)), progress.pace)[0]:
                progress.note(f"compare: {row.name}: left out, no time is left for it")
                out.append(row.name)
                continue
            seconds = 0 if args.rounds else plan.share(row, rows[at:], count, settings, left)
        else:
            progress.foresee(sum(plan.row_seconds(r, count(r), settings) for r in rows[at:]))
        try:
            results.append(matrix.measure(row, able(row, by_kind[row.kind]), seconds))
        except KeyboardInterrupt:  # what has been measured is kept
            out += [each.name for each in rows[at:]]
            break
    progress.end()
    print(f"compare: {len(results)} rows in {duration(progress.elapsed)}")
    return results, out


def record_of(args, settings, by_kind, missing, results, left_out, before):
    measured = {SPATE}.union(*(row["servers"] for row in results))
    unique = {peer.name: peer for kind in by_kind.values() for peer in kind
              if peer.name in measured}
    command = " ".join(["python3 tools/compare", *map(shlex.quote, sys.argv[1:])])
    return {
        "date": datetime.date.today().isoformat(), "machine": before,
        "settings": dataclasses.asdict(settings), "command": command,
        "server_cores": ",".join(map(str, args.server_cores)),
        "load_cores": ",".join(map(str, args.load_cores)),
        "servers": [{"name": peer.name, "title": peer.title, "version": peer.version()}
                    for peer in unique.values()],
        "missing": missing, "left_out": left_out, "rows": results}


def write(record, folder, stem):
    """JSON with a line for each run, the table, the drawings."""
    os.makedirs(folder, exist_ok=True)
    drawings = charts.draw(record)
    names = [(f"{stem}-{name}.svg", title) for name, title, _ in drawings]
    files = {f"{stem}.json": dump(record), f"{stem}.md": markdown.page(record, names)}
    files |= {name: svg for (name, _), (_, _, svg) in zip(names, drawings)}
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text.replace(ROOT + os.sep, ""))
        print(f"compare: wrote {os.path.relpath(os.path.join(folder, name))}")


def dump(record):
    rows = []
    for row in record["rows"]:
        head = json.dumps({key: value for key, value in row.items() if key != "runs"},
                          ensure_ascii=False)
        runs = ",\n".join("  " + json.dumps(run) for run in row["runs"])
        rows.append(f'{head[:-1]}, "runs": [\n{runs}]}}')
    head = json.dumps({key: value for key, value in record.items() if key != "rows"}, indent=1,
                      ensure_ascii=False)
    return head[:-2] + ',\n "rows": [\n' + ",\n".join(rows) + "]\n}\n"


def stem_of(record):
    return f"{record['date']}-{machine.slug(record['machine']['cpu'], record['machine']['cores'])}"


def revisions(args):
    flags = ["--server-core", str(args.server_cores[0]), "--load-core", str(args.load_cores[0]),
             "--bench", args.bench]
    flags += ["--quick"] if args.quick else []
    flags += ["--pairs", str(args.rounds)] if args.rounds else []
    flags += ["--seconds", str(args.seconds)] if args.seconds else []
    flags += ["--warmup", str(args.warmup)] if args.warmup >= 0 else []
    return base.compare(args.base, str(servers_of.BUILD / "spate"), args.rows, flags)


def render(args):
    with open(args.render, encoding="utf-8") as file:
        record = json.load(file)
    write(record, args.out, os.path.basename(args.render).removesuffix(".json"))
    return 0


def main():
    parser = parser_of_flags()
    args = parser.parse_args()
    try:
        if args.render:
            return render(args)
        complete(parser, args)
        return revisions(args) if args.base else matrix(parser, args)
    except (MeasureError, OSError) as error:
        sys.exit(f"compare: {error}")


def complete(parser, args):
    if unknown := [name for name in args.rows if name not in ROWS]:
        parser.error(f"--rows {' '.join(unknown)}: no such row; rows are {', '.join(ROWS)}")
    for flag, numbers in (("--server-cores", args.server_cores), ("--load-cores", args.load_cores)):
        if gone := sorted(set(numbers) - os.sched_getaffinity(0)):
            parser.error(f"{flag} {' '.join(map(str, gone))}: no such core; there are "
                         f"{' '.join(map(str, sorted(os.sched_getaffinity(0))))}")


def matrix(parser, args):
    before, settings = machine.facts(), settings_of(args)
    rows = [ROWS[name] for name in args.rows or ROWS]
    by_kind, missing = chosen(args, parser)
    for name, why in missing:
        print(f"compare: without {name}: {why}")
    results, left_out = measure(args, settings, rows, by_kind)
    record = record_of(args, settings, by_kind, missing, results, left_out, before)
    write(record, args.out, stem_of(record))
    titles = {server["name"]: server["title"] for server in record["servers"]}
    for row in results:
        for line in [*markdown.verdicts(row, titles), *markdown.failures(row, titles)]:
            print(f"{row['row']}: {line}")
    # A peer's failure is in the table; these two everything is measured against.
    return int(any(failure["server"] in (FLOOR, SPATE) for row in results
                   for failure in row["failures"]))
