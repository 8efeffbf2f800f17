"""Figures for people."""
import math


def significant(number, digits=3):
    """1234567 -> 1,230,000; 0.01234 -> 0.0123."""
    if number == 0:
        return "0"
    rounded = float(f"{number:.{digits}g}")
    places = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(0, places)}f}"


def nanoseconds(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if abs(ns) >= size:
            return f"{significant(ns / size)} {unit}"
    return f"{significant(ns)} ns"


def times(number):
    """A ratio."""
    return f"{number:.2f}" if number < 10 else significant(number)


def interval(figures, form=times):
    return f"{form(figures['median'])} [{form(figures['low'])}, {form(figures['high'])}]"


def listing(words):
    words = list(words)
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
