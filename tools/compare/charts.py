"""Horizontal bars with intervals: a group for each row, a bar for each server, the best on top."""
import math

from compare.summary import FLOOR, SPATE, cell, ratio
from compare.svg import Svg
from compare.text import significant, times

WIDTH, LEFT, RIGHT = 860, 210, 130
TOP, BAR, GAP, GROUP = 76, 14, 5, 30
LOG_FROM = 10  # the ratio of the largest to the smallest from which on the axis is logarithmic


class Scale:
    """Figures to pixels: linear from 0, or logarithmic from a 1, 2 or 5 below the smallest."""

    def __init__(self, values):
        low, high = min(values), max(values)
        self.log = low > 0 and high / low > LOG_FROM
        self.low = step_below(low) if self.log else 0.0
        self.high = high * (1.1 if self.log else 1.02)

    def at(self, value):
        if self.log:
            value = max(value, self.low)
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = max(0.0, value) / self.high
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def ticks(self):
        if not self.log:
            step = nice_step(self.high / 6)
            return [step * i for i in range(int(self.high / step) + 1)]
        decades = math.log10(self.high / self.low)
        factors = (1, 2, 5) if decades < 3 else (1,)
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        every = [factor * 10.0 ** power for power in range(first, last + 1) for factor in factors]
        return [tick for tick in every if self.low * 0.999 <= tick <= self.high]


def step_below(value):
    power = 10.0 ** math.floor(math.log10(value))
    return max(factor * power for factor in (1, 2, 5) if factor * power <= value * 1.0001)


def nice_step(value):
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value * 0.9999)


def bars(title, axis, groups, form):
    """`groups`: [(name, [(server, label, figures)])]; figures have median, low, high and valid."""
    groups = [(name, sorted(of, key=lambda bar: bar[2]["median"])) for name, of in groups if of]
    scale = Scale([bar[2][end] for _, of in groups for bar in of for end in ("low", "high")])
    bottom = TOP + sum(GROUP + len(of) * (BAR + GAP) for _, of in groups)
    svg = Svg(WIDTH, bottom + 56)
    svg.text(16, 26, title, "title")
    svg.text(16, 46, "bar: median; line: its interval; pale, ✗: invalid", "quiet")
    svg.text((LEFT + WIDTH - RIGHT) / 2, bottom + 42,
             axis + ("; logarithmic axis" if scale.log else ""), "quiet", "middle")
    for tick in scale.ticks():
        svg.line(scale.at(tick), TOP - 8, scale.at(tick), bottom + 6, "grid")
        svg.text(scale.at(tick), bottom + 22, f"{tick:,.10g}", "quiet", "middle")
    y = TOP
    for name, of in groups:
        svg.text(16, y + 14, name, "group")
        y += GROUP - 6
        for server, label, figures in of:
            bar(svg, scale, y, (server, label, figures), form)
            y += BAR + GAP
        y += 6
    return svg.finish()


def bar(svg, scale, y, what, form):
    server, label, figures = what
    kind = server if server in (SPATE, FLOOR) else "peer"
    svg.text(LEFT - 8, y + BAR - 3, label, "group" if server == SPATE else "", "end")
    kind += "" if figures["valid"] else " invalid"
    svg.box(LEFT, y, scale.at(figures["median"]) - LEFT, BAR, kind)
    middle = y + BAR / 2
    svg.line(scale.at(figures["low"]), middle, scale.at(figures["high"]), middle, "whisker")
    svg.text(scale.at(figures["high"]) + 6, y + BAR - 3,
             form(figures["median"]) + ("" if figures["valid"] else " ✗"), "quiet")


def ratios_to(base, rows, titles, metric):
    """Groups of ratios, one group a row."""
    groups = []
    for row in rows:
        of = [(name, titles[name], ratio(row, metric, name, base))
              for name in row["servers"] if name != base]
        groups.append((row["title"], [one for one in of if one[2]]))
    return groups


def to_floor(record, titles, metric):
    return ratios_to(FLOOR, record["rows"], titles, metric)


def to_spate(record, titles, metric):
    """Of the rows that the floor cannot be in."""
    rows = [row for row in record["rows"] if FLOOR not in row["servers"]]
    return ratios_to(SPATE, rows, titles, metric)


def draw(record):
    """[(name, title, svg)] of what was measured."""
    titles = {server["name"]: server["title"] for server in record["servers"]}
    idle = [(row["title"], [(name, titles[name], figures) for name in row["servers"]
                            if (figures := cell(row, name, "memory")) and figures["median"] > 0
                            and figures["low"] > 0 and name != FLOOR])
            for row in record["rows"] if row["scenario"] == "idle"]
    wanted = [
        ("cpu", "CPU per message, as a multiple of the floor's",
         "times the floor (user + system of the process tree, equal rate)",
         to_floor(record, titles, "cpu"), lambda n: times(n) + " ×"),
        ("cpu-tls", "CPU over TLS and compressed, as a multiple of Spate's",
         "times Spate (user + system of the process tree, equal rate)",
         to_spate(record, titles, "cpu"), lambda n: times(n) + " ×"),
        ("p99.9", "Latency p99.9 at the equal rate, as a multiple of the floor's",
         "times the floor (open loop, from when a message was due)",
         to_floor(record, titles, "p99_9"), lambda n: times(n) + " ×"),
        ("memory", "User memory of an idle connection",
         "bytes a connection (slope of the process tree's Pss)",
         idle, lambda n: significant(n) + " B")]
    return [(name, title, bars(title, axis, groups, form))
            for name, title, axis, groups, form in wanted if any(of for _, of in groups)]
