"""Holds a million WebSocket connections to Spate, both ends on this machine.

  hold    all of them, upgraded, pinged by the server and answering, for minutes; some of them talk. Both ends
          must agree that nobody was dropped, that everybody was pinged as often as there was time for, and
          that every message came back as it was.
  drain   told to leave with a hundred thousand, the server is gone when it said that it would be.
  broadcast  one message to a million clients of the hub, each of whom must hear it once.
  curve   with a thousand to a million connections: the server's CPU for a message, at one rate, each message
          to a connection picked at random; as many floors on the same port cost what the kernel costs. And
          the user memory of a connection (Pss of the whole tree, above what it is with the first thousand).

What stands in the way is named before anything starts, with its remedy (exit status 3); nothing is changed.

  python3 tools/million                         all of it: twenty minutes
  python3 tools/million --connections 100000    less of it
  python3 tools/million --counts '' --drain 0 --broadcast 0   only the hold
"""
import argparse
import datetime
import json
import math
import os
import shlex
import signal
import sys
import time

from measure import ROOT, MeasureError, machine
from million import limits, report
from million.processes import Floors, Spate, bench

PAYLOAD = 20
REQUEST, REPLY = PAYLOAD + 6, PAYLOAD + 2  # frames (RFC 6455 5.2): the client's with a masking key
WARMUP = 2.0  # seconds; also the slack of the last ping
FIRST_MARK = 1000  # connections of the curve's first look at memory
CANNOT = 3  # exit status: this machine, as it is set up, cannot
LIMIT_BYTES = 192  # user memory of a connection


def say(line):
    print(f"  {line}", flush=True)


class Watch:
    """Looks at the server's own figures while the connections are held."""

    def __init__(self, server, connections, seconds):
        self.server, self.connections, self.seconds = server, connections, seconds
        self.full_at = None
        self.least_open, self.figures = connections, {}

    def __call__(self):
        now = time.monotonic()
        if self.full_at is not None and now > self.full_at + self.seconds + WARMUP - 0.5:
            return  # the window may be over: clients leave, answer no more, and all at once are a storm
        figures = self.server.metrics()
        if self.full_at is None:
            if figures["spate_websockets_opened_total"] < self.connections:
                return
            self.full_at = now
            say(f"all {self.connections:,} connections are open")
            by_worker = self.server.metrics(by_worker=True)
            shares = [value for name, value in by_worker.items() if name.startswith("spate_websockets{")]
            self.spread = (int(min(shares)), int(max(shares)))
        self.least_open = min(self.least_open, int(figures["spate_websockets"]))
        self.figures = figures


def hold(args):
    """All connections at once, for args.hold seconds. The figures, and what failed."""
    n, talkers = args.connections, min(args.talkers, args.connections)
    flags = ["--connections", str(n), "--talkers", str(talkers / n), "--rate", str(args.talk_rate),
             "--size", str(PAYLOAD), "--seconds", str(args.hold), "--warmup", str(WARMUP), "--timeout", "30",
             "--first-mark", str(min(max(1000, n // 15), n // 2))]
    ping_ms = int(1000 * args.ping_interval)
    with Spate(args.spate, args.workers, "--ping-interval-ms", str(ping_ms),
               "--pong-timeout-ms", str(min(10_000, ping_ms))) as server:
        watch = Watch(server, n, args.hold)
        run = bench(args.bench, server, flags, say, watch, every=min(1, args.hold / 10))
        kept = limits.available_bytes()
        stop_seconds = server.stop()
        log = server.warnings()
    pings, seen = run["server_pings"], watch.figures
    if not seen:
        raise MeasureError(f"{n:,} connections were not open at once: {run['errors']}")
    connections = run["connections"]
    wanted = int(args.hold / args.ping_interval)
    figures = {
        "connections": n, "workers": args.workers, "procs": run["settings"]["procs"], "hold_seconds": args.hold,
        "opened": connections["opened"], "failed": connections["failed"],
        "open_at_end": connections["open_at_end"], "least_open": watch.least_open,
        "connect_seconds": connections["seconds"], "connecting_ns": connections["latency_ns"],
        "spread": getattr(watch, "spread", None), "ping_interval_seconds": args.ping_interval,
        "pings": {"wanted": wanted, **pings, "server_sent": int(seen["spate_pings_sent_total"]),
                  "server_heard": int(seen['spate_frames_received_total{opcode="pong"}']),
                  "server_missed": int(seen["spate_pongs_missed_total"])},
        "talkers": talkers, "messages": run["messages"], "latency_ns": run.get("latency_ns"),
        "latency_valid": run["valid"]["latency"], "invalid_because": run["invalid_because"],
        "user_bytes_per_connection": run["server"]["user_bytes_per_connection"],
        "kernel_bytes_per_connection": run["kernel_bytes_per_connection"],
        "server_pss_bytes": run["server"]["pss_bytes"], "client_pss_bytes": run["client"]["pss_bytes"],
        "server_cpu_seconds": run["server"]["user_seconds"] + run["server"]["system_seconds"],
        "errors": run["errors"], "stop_seconds": stop_seconds, "available_after_bytes": kept, "warnings": log}
    return figures | {"checks": judge(figures)}


def judge(f):
    """What must hold, and whether it does."""
    pings, messages = f["pings"], f["messages"]
    asked = pings["silent_connections"] * pings["wanted"]
    return {
        "all are connected": f["opened"] == f["connections"] and f["failed"] == 0,
        "none was dropped": f["open_at_end"] == f["least_open"] == f["connections"],
        "every silent connection was pinged and answered": (
            pings["silent_connections"] >= f["connections"] - f["talkers"]
            and (asked == 0 or pings["least"] >= pings["wanted"])
            and min(pings["server_sent"], pings["server_heard"]) >= asked and pings["server_missed"] == 0),
        "every message came back as it was": not f["errors"] and messages["received"] > 0,
        f"user memory of a connection is at most {LIMIT_BYTES} B": f["user_bytes_per_connection"] <= LIMIT_BYTES,
    }


def drain(args):
    """The server is told to leave while all are connected: it takes its time, and no longer."""
    n = min(args.connections, args.drain_connections)
    flags = ["--connections", str(n), "--pings", "0", "--seconds", str(args.drain + 4), "--warmup", "0",
             "--timeout", "30"]
    stopped = []

    def look():
        if not stopped and server.metrics()["spate_websockets_opened_total"] == n:
            stopped.append(server.stop(args.drain + 30))

    with Spate(args.spate, args.workers, drain_seconds=args.drain) as server:
        say(f"drain: {n:,} connections, then told to leave")
        run = bench(args.bench, server, flags, say, look, every=0.2, scenario="idle")
    if not stopped:
        raise MeasureError(f"{n:,} connections were not open at once: {run['errors']}")
    errors, seconds = run["errors"], stopped[0]
    figures = {"connections": n, "drain_seconds": args.drain, "seconds": seconds,
               "code": server.process.returncode, "errors": errors}
    return figures | {"checks": {
        f"{n:,} connections were drained in {args.drain} s": (
            args.drain - 0.5 <= seconds <= args.drain + 2 and server.process.returncode == 0),
        "each was closed by a close frame": errors.get("closed_by_server") == n and "connection_reset" not in errors}}


def broadcast(args):
    """One message to everybody who is connected to the hub, through the server API."""
    n = min(args.connections, args.broadcast)
    # The window begins when all are upgraded, and the last may be connected to the hub half a minute later; when
    # it is over they leave, and all at once are a storm.
    flags = ["--connections", str(n), "--pings", "0", "--seconds", f"{max(6, n / 10_000):g}", "--warmup", "1",
             "--timeout", "60", "--hello-frame", '{"id":1,"connect":{}}', "--time-mark", '"t":']
    seen = {}

    def look():
        if "clients" in seen or server.metrics()["spate_clients"] < n:
            return
        if "full" not in seen:
            seen["full"] = time.monotonic()
            say(f"all {n:,} clients are connected")
        if time.monotonic() < seen["full"] + WARMUP + 1:
            return  # the window has not begun
        begun = time.monotonic()
        try:
            seen["clients"] = server.call("broadcast_all", {"data": {"t": time.monotonic_ns()}}, 90)["clients"]
        except MeasureError as error:
            raise MeasureError(f"after {time.monotonic() - begun:.1f} s: {error}\n{server.warnings()}") from error
        seen["seconds"] = time.monotonic() - begun
        say(f"the broadcast was answered after {seen['seconds']:.2f} s")

    with Spate(args.spate, args.workers, "--channels", "{}", "--client-anonymous", "--api-insecure",
               "--client-ping-interval-ms", "0", "--ping-interval-ms", "0", path="/connection/websocket") as server:
        say(f"broadcast: {n:,} clients of the hub, {args.workers} workers")
        run = bench(args.bench, server, flags, say, look, every=0.5, scenario="idle")
    if "clients" not in seen:
        raise MeasureError(f"{n:,} clients were not connected at once: {run['errors']}")
    figures = {"connections": n, "workers": args.workers, "clients": seen["clients"],
               "answered_seconds": seen["seconds"], "heard": run["messages"]["received"],
               "latency_ns": run.get("latency_ns"), "connect_seconds": run["connections"]["seconds"],
               "user_bytes_per_client": run["server"]["user_bytes_per_connection"],
               "server_cpu_seconds": run["server"]["user_seconds"] + run["server"]["system_seconds"],
               "errors": run["errors"]}
    return figures | {"checks": {
        f"a message to all reached {n:,} clients, each once": (
            figures["clients"] == figures["heard"] == n and not figures["errors"])}}


def point(args, count, side):
    """One measurement of the curve."""
    flags = ["--connections", str(count), "--talkers", "1", "--rate", str(args.rate), "--size", str(PAYLOAD),
             "--seconds", str(args.window), "--warmup", str(WARMUP), "--timeout", "30", "--raw",
             "--procs", str(min(args.procs, count)), "--first-mark", str(min(FIRST_MARK, count))]
    if side == "spate":
        server = Spate(args.spate, args.workers, "--ping-interval-ms", "0")
    else:
        server = Floors(args.floor, args.workers, REQUEST, REPLY)
    with server:
        run = bench(args.bench, server, flags, lambda line: say(f"{side} {count:,}: {line}"))
    if run["errors"] or run["connections"]["open_at_end"] != count:
        raise MeasureError(f"{side} with {count:,} connections: {run['errors'] or run['connections']}")
    figures = {"cpu_ns_per_message": run["server"]["cpu_ns_per_message"],
               "client_cpu_ns_per_message": run["client"]["cpu_ns_per_message"],
               "per_second": run["messages"]["per_second"], "connect_seconds": run["connections"]["seconds"],
               "latency_ns": run["latency_ns"], "latency_valid": run["valid"]["latency"],
               "pss_bytes": run["server"]["pss_bytes"],
               "user_bytes_per_connection": None, "kernel_bytes_per_connection": None}
    if count > FIRST_MARK:  # the slope from there: what the processes themselves have falls out of it
        figures |= {"user_bytes_per_connection": run["server"]["user_bytes_per_connection"],
                    "kernel_bytes_per_connection": run["kernel_bytes_per_connection"]}
    say(f"{side} {count:,}: {figures['cpu_ns_per_message'] / 1000:.2f} us a message, "
        f"connected in {figures['connect_seconds']:.1f} s")
    return figures


def curve(args):
    """Both sides at each count, in turns, so that what drifts does not favour one."""
    points = []
    for i, count in enumerate(args.counts):
        sides = ("spate", "floor") if i % 2 == 0 else ("floor", "spate")
        points.append({"connections": count} | {side: point(args, count, side) for side in sides})
    return points


def workers_for(connections, least):
    """So many that none comes near its descriptors: the kernel spreads connections by hash, not evenly."""
    return max(least, math.ceil(connections / (0.9 * limits.descriptor_limit())))


def procs_for(connections):
    return math.ceil(connections / (min(limits.descriptor_limit(), 20_000) - 100))  # as spate-bench has it


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, prog="million",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=1_000_000, help="of the hold")
    parser.add_argument("--hold", type=float, default=300, help="seconds; 0 for no hold")
    parser.add_argument("--ping-interval", type=float, default=60, help="seconds between the server's pings")
    parser.add_argument("--talkers", type=int, default=500, help="connections that talk during the hold")
    parser.add_argument("--talk-rate", type=float, default=500, help="messages a second of all talkers")
    parser.add_argument("--drain", type=int, default=10, metavar="SECONDS",
                        help="--drain-seconds of the server in the drain; 0 for no drain")
    parser.add_argument("--drain-connections", type=int, default=100_000, help="of the drain, at most")
    parser.add_argument("--broadcast", type=int, default=1_000_000, metavar="CLIENTS",
                        help="of the hub that a message to all reaches, at most --connections; 0 for no broadcast")
    parser.add_argument("--counts", default=None, metavar="N,N",
                        help="of the curve (default: 1,000 to --connections); '' for no curve")
    parser.add_argument("--rate", type=float, default=10_000, help="messages a second at each point of the curve")
    parser.add_argument("--window", type=float, default=15, help="seconds measured at each point")
    parser.add_argument("--workers", type=int, default=0, help="default: as many as the descriptor limit asks for")
    parser.add_argument("--procs", type=int, default=0, help="load processes of the curve (default: as many as needed)")
    parser.add_argument("--spate", default="build/spate")
    parser.add_argument("--bench", default="build/spate-bench")
    parser.add_argument("--floor", default="build/peers/floor")
    parser.add_argument("--json", help="write the figures to this file")
    parser.add_argument("--svg", help="draw the curve")
    parser.add_argument("--record", metavar="DIRECTORY", help="write both there, named by date and CPU")
    parser.add_argument("--add", action="store_true", help="keep what the JSON file has and this run does not measure")
    args = parser.parse_args()
    if args.counts is None:
        steps = [1_000, 10_000, 100_000, 250_000, 500_000]
        args.counts = [step for step in steps if step < args.connections] + [args.connections]
    else:
        args.counts = [int(count) for count in args.counts.split(",") if count]
    if args.connections < 2_000 or min(args.counts, default=1_000) < 1_000:
        parser.error("memory per connection needs at least 2,000 connections, a point of the curve 1,000")
    for name in ("spate", "bench", "floor"):
        setattr(args, name, os.path.join(ROOT, getattr(args, name)))
    most = max([args.connections if args.hold else 0, *args.counts,
                min(args.connections, args.drain_connections) if args.drain else 0,
                min(args.connections, args.broadcast)])
    if most == 0:
        parser.error("nothing to do: --hold 0, --drain 0, --broadcast 0 and no --counts")
    if args.workers and args.workers < workers_for(most, 1):
        parser.error(f"--workers {args.workers}: too few for {most:,} connections with {limits.descriptor_limit()} "
                     f"descriptors each; {workers_for(most, 1)} at least")
    args.workers = args.workers or workers_for(most, len(os.sched_getaffinity(0)))
    args.procs = args.procs or procs_for(most)
    if args.record:
        facts = machine.facts()
        stem = f"{datetime.date.today()}-{machine.slug(facts['cpu'], facts['cores'])}-million"
        args.json, args.svg = (os.path.join(args.record, stem + end) for end in (".json", ".svg"))
    return args, most


def before(args):
    """What --json already holds, with --add."""
    if not args.add or not args.json or not os.path.exists(args.json):
        return {}
    with open(args.json) as file:
        old = json.load(file)
    if old["curve"] and args.counts and old["rate"] != args.rate:
        sys.exit(f"million: --rate {args.rate:g}: {args.json} was measured at {old['rate']:g}; without --add it begins "
                 "anew")
    return old


def main():
    args, most = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    if obstacles := limits.too_low(most, args.workers + args.procs, min(args.connections, args.broadcast)):
        print("\n".join(f"million: {line}" for line in obstacles), file=sys.stderr)
        return CANNOT
    old = before(args)
    about = {"command": shlex.join(["python3", "tools/million", *sys.argv[1:]]), "date": str(datetime.date.today()),
             "machine": machine.facts()}
    print(f"million: {args.workers} workers, {args.procs} load processes, "
          f"{limits.available_bytes() / limits.GIB:.1f} GiB available", flush=True)
    try:
        points = {point["connections"]: point for point in [*old.get("curve", []), *curve(args)]}
        figures = {"runs": [*old.get("runs", []), about], "rate": args.rate,
                   "curve": [points[count] for count in sorted(points)],
                   "drain": drain(args) if args.drain else old.get("drain"),
                   "hold": hold(args) if args.hold else old.get("hold"),
                   "broadcast": broadcast(args) if args.broadcast else old.get("broadcast")}
    except MeasureError as error:
        sys.exit(f"million: {error}")
    report.print_tables(figures)
    if args.json:
        with open(args.json, "w") as out:
            json.dump(figures, out, indent=2)
            out.write("\n")
    if args.svg and figures["curve"]:
        with open(args.svg, "w") as out:
            out.write(report.drawing(figures))
    parts = [figures[part] for part in ("hold", "drain", "broadcast") if figures[part]]
    checks = [good for part in parts for good in part["checks"].values()]
    return 0 if all(checks) else 1


if __name__ == "__main__":
    sys.exit(main())
