"""Tables for people, and a drawing of the curve."""
import math

from compare.charts import nice_step
from compare.svg import Svg

GIB, MIB = 1 << 30, 1 << 20


def milliseconds(ns):
    return f"{ns / 1e6:.2f} ms"


def print_tables(figures):
    if figures["curve"]:
        print_curve(figures)
    if figures["hold"]:
        print_hold(figures["hold"])
    if figures["drain"]:
        drain = figures["drain"]
        print(f"\n  {'drain':<16} {drain['connections']:,} connections, --drain-seconds {drain['drain_seconds']}: "
              f"gone after {drain['seconds']:.1f} s")
        print_checks(drain)
    if figures["broadcast"]:
        print_broadcast(figures["broadcast"])


def print_curve(figures):
    print(f"\n{figures['rate']:,.0f} messages a second, each to a connection picked at random\n")
    print("| connections | user memory of the tree | a connection | CPU a message | the floor's | ratio | p99 | "
          "the floor's | kernel memory, both ends |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for point in figures["curve"]:
        spate, floor = point["spate"], point["floor"]
        memory, kernel = spate["user_bytes_per_connection"], spate["kernel_bytes_per_connection"]
        print(f"| {point['connections']:,} | {spate['pss_bytes'] / MIB:.1f} MiB | "
              f"{f'{memory:.0f} B' if memory else '–'} | {spate['cpu_ns_per_message'] / 1e3:.2f} µs | "
              f"{floor['cpu_ns_per_message'] / 1e3:.2f} µs | "
              f"{spate['cpu_ns_per_message'] / floor['cpu_ns_per_message']:.3f} | "
              f"{milliseconds(spate['latency_ns']['p99'])} | {milliseconds(floor['latency_ns']['p99'])} | "
              f"{f'{kernel / 1024:.1f} KiB a connection' if kernel else '–'} |")


def print_hold(hold):
    pings, messages, latency = hold["pings"], hold["messages"], hold["latency_ns"]
    rows = [
        ("connections", f"{hold['open_at_end']:,} of {hold['connections']:,} for {hold['hold_seconds']:.0f} s; "
                        f"{hold['failed']:,} failed"),
        ("connected in", f"{hold['connect_seconds']:.1f} s, "
                         f"{hold['connections'] / hold['connect_seconds']:,.0f} a second"),
        ("workers", f"{hold['workers']}, with {hold['spread'][0]:,} to {hold['spread'][1]:,} connections each"
         if hold["spread"] else f"{hold['workers']}"),
        ("server's pings", f"{pings['server_sent']:,} sent by the last look, {pings['server_missed']:,} missed; "
                           f"{pings['answered']:,} answered by the end, "
                           f"{pings.get('least', 0)} to {pings.get('most', 0)} by each of "
                           f"{pings['silent_connections']:,} silent connections, {pings['wanted']} wanted"),
        ("messages", f"{messages['sent']:,} sent, {messages['received']:,} came back, of {hold['talkers']} talkers"),
        ("latency", "p50 {}, p99 {}, max {}".format(*(milliseconds(latency[k]) for k in ("p50", "p99", "max"))) +
         ("" if hold["latency_valid"] else f" (INVALID: {'; '.join(hold['invalid_because'])})") if latency else "none"),
        ("user memory", f"{hold['user_bytes_per_connection']:.0f} B a connection; the tree "
                        f"{hold['server_pss_bytes'] / MIB:.0f} MiB, the load {hold['client_pss_bytes'] / MIB:.0f} MiB"),
        ("kernel memory", f"{hold['kernel_bytes_per_connection'] / 1024:.1f} KiB a connection, both ends"),
        ("server CPU", f"{hold['server_cpu_seconds']:.1f} s of {hold['hold_seconds']:.0f} s"),
        ("stopped in", f"{hold['stop_seconds']:.1f} s"),
    ]
    print()
    for name, value in rows:
        print(f"  {name:<16} {value}")
    for line in hold["warnings"][:10]:
        print(f"  {'server log':<16} {line}")
    for name, value in hold["errors"].items():
        print(f"  {'ERROR':<16} {value:,} {name}")
    print_checks(hold)


def print_broadcast(part):
    latency = part["latency_ns"]
    print(f"\n  {'broadcast':<16} to {part['clients']:,} clients of {part['workers']} workers: answered after "
          f"{part['answered_seconds']:.2f} s; heard by {part['heard']:,}, half of them within "
          f"{milliseconds(latency['p50'])}, 99 of 100 within {milliseconds(latency['p99'])}, the last after "
          f"{milliseconds(latency['max'])}" if latency else "\n  broadcast        heard by nobody")
    print(f"  {'':<16} connected in {part['connect_seconds']:.1f} s, "
          f"{part['user_bytes_per_client']:.0f} B of user memory a client")
    for name, value in part["errors"].items():
        print(f"  {'ERROR':<16} {value:,} {name}")
    print_checks(part)


def print_checks(part):
    for name, good in part["checks"].items():
        print(f"  {'ok' if good else 'FAILED':<16} {name}")


WIDTH, LEFT, RIGHT, PLOT = 760, 90, 20, 220


def plot(svg, top, title, unit, counts, curves):
    """One plot; the axis of connections is logarithmic, the other begins at zero."""
    low, high = math.log10(counts[0]), math.log10(max(counts[-1], 10 * counts[0]))
    end = 1.15 * max(value for curve in curves.values() for _, value in curve)
    at_x = lambda count: LEFT + (math.log10(count) - low) / (high - low) * (WIDTH - LEFT - RIGHT)
    at_y = lambda value: top + PLOT * (1 - value / end)
    svg.text(LEFT, top - 12, title, "title")
    step = nice_step(end / 6)
    for i in range(int(end / step) + 1):
        svg.line(LEFT, at_y(i * step), WIDTH - RIGHT, at_y(i * step), "grid")
        svg.text(LEFT - 8, at_y(i * step) + 4, f"{i * step:g} {unit}", "quiet", "end")
    for count in counts:
        svg.text(at_x(count), top + PLOT + 18, f"{count:,}", "quiet", "middle")
    for name, curve in curves.items():
        points = [(at_x(count), at_y(value)) for count, value in curve]
        for (x, y), (next_x, next_y) in zip(points, points[1:]):
            svg.line(x, y, next_x, next_y, "whisker")
        for x, y in points:
            svg.box(x - 4, y - 4, 8, 8, name)
        svg.text(points[-1][0], points[-1][1] + (20 if name == "floor" else -12), name, anchor="end")


def drawing(figures):
    points = figures["curve"]
    counts = [point["connections"] for point in points]
    cpu = {name: [(point["connections"], point[name]["cpu_ns_per_message"] / 1e3) for point in points]
           for name in ("spate", "floor")}
    memory = [(point["connections"], point["spate"]["user_bytes_per_connection"]) for point in points
              if point["spate"]["user_bytes_per_connection"]]
    svg = Svg(WIDTH, 40 + (PLOT + 70) * (2 if memory else 1))
    plot(svg, 40, "Server CPU for a message", "µs", counts, cpu)
    if memory:
        plot(svg, 40 + PLOT + 70, "User memory of a connection", "B", counts, {"spate": memory})
    return svg.finish()
