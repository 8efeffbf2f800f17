"""The order in which servers take turns, so that what drifts while they are measured falls out."""
import statistics

from measure.stats import median_interval, narrow


def round_order(items, number):
    """All items once: begun one further in every second round, and backwards in between, so that
    each goes first, last, and behind different ones in turn."""
    shift = (number // 2) % max(1, len(items))
    turned = [*items[shift:], *items[:shift]]
    return turned[::-1] if number % 2 else turned


def pair_order(number):
    """Sides 0 and 1, A B B A and B A A B in turn: an even drift cancels in each pair."""
    return ((0, 1, 1, 0), (1, 0, 0, 1))[number % 2]


def pairs(cost, most, least=6, within=0.02, tell=None):
    """Pairs of cost(0) and cost(1), A B B A, B A A B, ..., until the 90 % interval of the median
    ratio is within so much of it, or there are `most`; the figures."""
    costs, ratios = ([], []), []
    while len(ratios) < most:
        pair = [0.0, 0.0]
        for side in pair_order(len(ratios)):
            pair[side] += cost(side) / 2
        for side in (0, 1):
            costs[side].append(pair[side])
        ratios.append(pair[1] / pair[0])
        median, (low, high) = statistics.median(ratios), median_interval(ratios)
        if tell:
            tell(len(ratios), pair, ratios[-1], median, low, high)
        if len(ratios) >= least and narrow(median, low, high, within):
            break
    return {"ratio": median, "low": low, "high": high, "pairs": len(ratios), "ratios": ratios,
            "a_ns": statistics.median(costs[0]), "b_ns": statistics.median(costs[1])}
