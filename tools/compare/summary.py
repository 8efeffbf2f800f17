"""From runs to what can be said: medians with intervals, ratios, and who is ahead."""
from measure.stats import summary

# name -> (which runs, the figure in them, whose validity counts, whether more is better)
METRICS = {
    "peak": ("peak", ("per_second",), "throughput", True),
    "cpu": ("equal", ("cpu_ns",), "cpu_per_message", False),
    "p50": ("equal", ("latency_ns", "p50"), "latency", False),
    "p99": ("equal", ("latency_ns", "p99"), "latency", False),
    "p99_9": ("equal", ("latency_ns", "p99_9"), "latency", False),
    "own_p50": ("own", ("latency_ns", "p50"), "latency", False),
    "own_p99": ("own", ("latency_ns", "p99"), "latency", False),
    "own_p99_9": ("own", ("latency_ns", "p99_9"), "latency", False),
    "memory": ("idle", ("user_bytes",), None, False),
}
FEWEST = {"p99": 200, "p99_9": 2000}  # samples in a window below which a percentile is an accident
FEWEST_ROUNDS = 3  # of which somebody may be called ahead
SPATE, FLOOR = "spate", "floor"
CHECK = -1  # the round of the first runs, which give the rates


def value(run, path, metric):
    for key in path:
        run = run.get(key) if run else None
        fewest = FEWEST.get(metric.removeprefix("own_"), 1)
        if isinstance(run, dict) and run.get("count", 0) < fewest:
            return None
    return run


def by_round(result, server, metric):
    """({round: figure}, valid, how many runs are not): the valid runs' figures if at least half are
    valid, else those of all."""
    what, path, validity, _ = METRICS[metric]
    good, all_runs = {}, {}
    for run in result["runs"]:
        if run["server"] != server or run["what"] != what:
            continue
        figure = value(run, path, metric)
        if figure is None:
            continue
        all_runs[run["round"]] = figure
        if validity is None or run["valid"][validity]:
            good[run["round"]] = figure
    if len(all_runs) > 1:  # the first run's client did more than that of the later ones
        good.pop(CHECK, None)
        all_runs.pop(CHECK, None)
    valid = bool(good) and 2 * len(good) >= len(all_runs)
    return (good if valid else all_runs), valid, len(all_runs) - len(good)


def cell(result, server, metric):
    """Median, interval, and whether it may be quoted; None where nothing was measured."""
    figures, valid, invalid_runs = by_round(result, server, metric)
    if not figures:
        return None
    return summary(list(figures.values())) | {"valid": valid, "invalid_runs": invalid_runs}


def ratio(result, metric, server, base):
    """`server`'s figure over `base`'s, round by round."""
    above, above_valid, _ = by_round(result, server, metric)
    below, below_valid, _ = by_round(result, base, metric)
    ratios = [above[number] / below[number] for number in above
              if number in below and below[number] > 0]
    if not ratios:
        return None
    return summary(ratios) | {"valid": above_valid and below_valid}


def ratios(result, metric, base):
    """{server: ratio} of all that have one."""
    found = {name: ratio(result, metric, name, base) for name in result["servers"] if name != base}
    return {name: figures for name, figures in found.items() if figures}


def standing(result, metric):
    """Where Spate stands in a row: {"ahead": [...], "level": [...], "behind": [...],
    "unjudged": [...]}, each (peer, how many times Spate's figure the peer's is). The floor is no
    competitor: it does not do the work. None if Spate was not measured."""
    if not by_round(result, SPATE, metric)[0]:
        return None
    more_is_better = METRICS[metric][3]
    places = {"ahead": [], "level": [], "behind": [], "unjudged": []}
    for peer, figures in ratios(result, metric, SPATE).items():
        if peer == FLOOR:
            continue
        better, worse = figures["low"] > 1, figures["high"] < 1
        if more_is_better:
            better, worse = worse, better
        place = "ahead" if better else "behind" if worse else "level"
        judged = figures["valid"] and figures["n"] >= FEWEST_ROUNDS
        places[place if judged else "unjudged"].append((peer, figures))
    return places
