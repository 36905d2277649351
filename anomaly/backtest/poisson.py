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


def ratio_bound(after: int, before: int, confidence: float = 0.95) -> float:
    """Return the ratio of two rates below which the truth lies with `confidence`, one-sided; infinite after nothing.

    Over equal times, of all `after` + `before` events those after are binomial: the bound is Clopper's and Pearson's
    (1934).
    """
    total = after + before
    if before == 0:
        return math.inf
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        share = (low + high) / 2
        if share in (low, high):
            break
        odds = math.log(share), math.log1p(-share)
        few = sum(math.exp(_ways(total, k) + k * odds[0] + (total - k) * odds[1]) for k in range(after + 1))
        low, high = (share, high) if few > 1 - confidence else (low, share)
    return low / (1 - low)


def _ways(n: int, k: int) -> float:
    """Return the logarithm of the number of ways to choose `k` of `n`."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


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
