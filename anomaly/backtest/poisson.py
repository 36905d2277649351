"""The exact upper bound of a Poisson rate, so that a count of nothing is not taken for a rate of nothing."""

import math

_HALVINGS = 200
_EXP_MAX = 600.0


def at_most(count: int, mean: float) -> float:
    """Return the probability of `count` events or fewer where `mean` are expected."""
    if mean <= 0:
        return 1.0
    if mean > _EXP_MAX:
        # Beyond what a double holds: sum in logarithms, from the largest term on.
        logs = [k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(count + 1)]
        top = max(logs)
        return math.exp(top) * sum(math.exp(one - top) for one in logs)
    term = total = math.exp(-mean)
    for k in range(1, count + 1):
        term *= mean / k
        total += term
    return min(total, 1.0)


def upper_bound(count: int, confidence: float = 0.95) -> float:
    """Return the mean below which the truth lies with `confidence`, one-sided, after `count` events were seen.

    Garwood's exact bound: the mean at which so few events have the probability 1 − `confidence`.
    """
    low, high = float(count), 2.0 * count + 10.0
    while at_most(count, high) > 1 - confidence:
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if at_most(count, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high
