"""What a handful of noisy figures says."""
import statistics

TAIL = 0.05  # on each side of a 90 % interval


def median_interval(values):
    """The 90 % interval of the median by order statistics: no assumption about the noise."""
    ordered, n = sorted(values), len(values)
    k = rank(n)
    return (ordered[k - 1], ordered[n - k]) if k > 0 else (ordered[0], ordered[-1])


def rank(n):
    """The largest k for which [k-th smallest, k-th largest] of n still covers the median with 90 %:
    P(Binomial(n, 1/2) < k) <= 5 %. 0 when even the whole range does not, below five values."""
    term, below, k = 0.5 ** n, 0.0, 0
    while below + term <= TAIL:
        below += term
        k += 1
        term = term * (n - k + 1) / k
    return k


def coverage(n):
    """The probability that the interval which median_interval gives for n values has the median."""
    k = max(1, rank(n))
    term, below = 0.5 ** n, 0.0
    for i in range(k):
        below += term
        term = term * (n - i) / (i + 1)
    return max(0.0, 1 - 2 * below)


def summary(values):
    """Median, interval and count; None for no values."""
    if not values:
        return None
    low, high = median_interval(values)
    return {"median": statistics.median(values), "low": low, "high": high, "n": len(values)}


def narrow(median, low, high, within):
    return low >= median * (1 - within) and high <= median * (1 + within)
