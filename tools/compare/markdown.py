"""The table of a comparison, and in plain words where Spate is not ahead."""
from compare.summary import FLOOR, SPATE, cell, ratio, standing
from compare.text import interval, listing, nanoseconds, significant, times
from measure.stats import coverage

INVALID = "✗"
ABSENT = "not measured"
JUDGED = (("cpu", "CPU per {unit}"), ("p50", "p50"), ("p99", "p99"), ("p99_9", "p99.9"),
          ("peak", "peak"), ("memory", "memory"))


def shown(figures, form):
    """A median; what must not be quoted is marked."""
    if figures is None:
        return "–"
    return form(figures["median"]) + ("" if figures["valid"] else f" {INVALID}")


def shown_ratio(figures):
    if figures is None:
        return "–"
    mark = "" if figures["valid"] else f" {INVALID}"
    return (interval(figures) if figures["n"] > 1 else times(figures["median"])) + mark


def table(head, lines):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head),
                      *("| " + " | ".join(line) + " |" for line in lines)])


def failure_of(result, name):
    return next((failure["error"] for failure in result["failures"]
                 if failure["server"] == name and failure["round"] <= 0), None)


def percentiles(result, name, prefix):
    return " / ".join(shown(cell(result, name, prefix + part), nanoseconds)
                      for part in ("p50", "p99", "p99_9"))


def traffic_table(result, titles):
    floor = FLOOR in result["servers"]  # it speaks neither TLS nor permessage-deflate
    head = ["server", f"CPU per {result['unit']}", *(["× floor"] if floor else []), "× Spate",
            "p50 / p99 / p99.9 at the equal rate"]
    own = any(run["what"] == "own" for run in result["runs"])
    head += ["the same at 70 % of its own peak"] if own else []
    head += [f"peak, {result['units']}/s"]
    lines = []
    for name in result["servers"]:
        cpu = cell(result, name, "cpu")
        if cpu is None and cell(result, name, "peak") is None:
            lines.append([titles[name], "failed", *["–"] * (len(head) - 2)])
            continue
        lines.append([
            titles[name], shown(cpu, nanoseconds),
            *(["1" if name == FLOOR else shown_ratio(ratio(result, "cpu", name, FLOOR))]
              if floor else []),
            "1" if name == SPATE else shown_ratio(ratio(result, "cpu", name, SPATE)),
            percentiles(result, name, ""), *([percentiles(result, name, "own_")] if own else []),
            shown(cell(result, name, "peak"), significant)])
    if SPATE not in result["servers"]:
        lines.append([titles[SPATE], ABSENT, *["–"] * (len(head) - 2)])
    return table(head, lines)


def idle_table(result, titles):
    lines = []
    for name in result["servers"]:
        memory = cell(result, name, "memory")
        if memory is None:
            lines.append([titles[name], "failed", "–"])
            continue
        span = f"{significant(memory['low'])} to {significant(memory['high'])} B"
        lines.append([titles[name], f"{significant(memory['median'])} B ({span})",
                      "1" if name == SPATE else shown_ratio(ratio(result, "memory", name, SPATE))])
    return table(["server", "user memory a connection", "× Spate"], lines)


def verdicts(result, titles):
    """Sentences. Ahead means that the whole interval of the ratio is on the right side of 1."""
    if SPATE not in result["servers"]:
        return [f"Spate is not in this row: {ABSENT}."]
    if failure_of(result, SPATE):
        return ["**Spate failed in this row.**"]
    sentences = {}  # what is said -> the metrics of which it is
    for metric, name in JUDGED:
        places = standing(result, metric)
        if places and any(places.values()):
            sentences.setdefault(sentence(places, titles), []).append(name.format(**result))
    return [f"{', '.join(names)}: {said}." for said, names in sentences.items()]


def sentence(places, titles):
    """Behind and level with their figures; who is beaten, by name alone."""
    if not any(places[place] for place in ("behind", "level", "ahead")):
        return "not judged, the figures are invalid or single runs"
    parts = []
    for place, words in (("behind", "**behind** {}"), ("level", "not ahead of {} (not told apart)"),
                         ("unjudged", "not judged against {} (invalid or single runs)"),
                         ("ahead", "ahead of {}")):
        if not places[place]:
            continue
        if place in ("behind", "level"):
            peers = listing(f"{titles[peer]} ({interval(figures)} × Spate)"
                            for peer, figures in places[place])
        elif len(places[place]) > 1 and sum(map(bool, places.values())) == 1:
            peers = "all"
        else:
            peers = listing(titles[peer] for peer, _ in places[place])
        parts.append(words.format(peers))
    return "; ".join(parts)


def rates(result, titles):
    if "equal_rate" not in result:
        return ""
    covered = coverage(result["rounds"])
    interval_is = "[90 % interval of the median]" if covered >= 0.90 else (
        f"[range; it holds the median with {100 * covered:.0f} %]")
    return (f"Equal rate: {significant(result['equal_rate'])} {result['units']}/s, 60 % of the "
            f"peak of the slowest, {titles[result['slowest']]}; {result['rounds']} rounds, "
            f"{interval_is}.")


def failures(result, titles):
    return [f"{titles[failure['server']]}, {failure['what']} run: `{failure['error'][:300]}`"
            for failure in result["failures"]]


def row_section(result, titles, charts=()):
    idle = result["scenario"] == "idle"
    title = result["title"] + (
        f", slope from {result['first_mark']:,} to {result['connections']:,}" if idle else "")
    figures = (idle_table if idle else traffic_table)(result, titles)
    parts = [f"## {title}", rates(result, titles), figures]
    parts.append("\n".join(f"- {line}" for line in
                           [*verdicts(result, titles), *failures(result, titles)]))
    return "\n\n".join(part for part in [*parts, *charts] if part)


def facts(record):
    machine = record["machine"]
    virtual = ", virtual" if machine["virtual"] else ""
    where = (f"{machine['cpu']}, {machine['cores']} cores{virtual}; Linux {machine['kernel']}, "
             f"{machine['congestion_control']}")
    changed = ", with uncommitted changes" if machine["uncommitted_changes"] else ""
    commit = machine["commit"] + changed
    windows = (f"{record['settings']['seconds']:g} s after {record['settings']['warmup']:g} s of "
               "warm-up, each with a freshly started server")
    servers = "; ".join(f"{server['title']} {server['version']}" for server in record["servers"])
    missing = "; ".join(f"{name}: {why}" for name, why in record["missing"])
    lines = [["machine", where], ["Spate", commit],
             ["load average before", f"{machine['load_average_before']:.2f}"],
             ["server cores, load cores", f"{record['server_cores']}, {record['load_cores']}"],
             ["windows", windows],
             ["command", f"`{record['command']}`"],
             ["servers", servers], ["not installed", missing or "none"],
             ["left out", listing(record["left_out"]) or "nothing"]]
    return table(["", ""], lines)


def page(record, charts):
    """`charts`: (file name, title) of the drawings beside it."""
    titles = {server["name"]: server["title"] for server in record["servers"]}
    head = [f"# Comparison, {record['date']}", facts(record),
            f"{INVALID} marks a figure that says more about the load than about the server (a load "
            "core was over 90 % busy, or arrivals went out late): it is shown, and claims nothing. "
            "The floor parses nothing and is no competitor. Method: "
            "[docs/benchmarks.md](../../docs/benchmarks.md)."]
    drawings = [f"![{title}]({name})" for name, title in charts]
    sections = [row_section(row, titles) for row in record["rows"]]
    return "\n\n".join([*head, *drawings, *sections]) + "\n"
