"""Which gateways send more than their share: a bucket of tokens for each, and who is isolated meanwhile. Pure.

A gateway that floods, or of which nothing can be understood, is not refused: what it sends is set aside unread, in
bundles, at a fraction of the cost of reading it. So it costs the others little, and comes back by replay.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_GATEWAYS_MAX = 10_000
"""Buckets that are kept; topics from outside may name any number of gateways."""


@dataclass(frozen=True, slots=True)
class FairnessOptions:
    """How much one gateway may bring.

    Attributes
    ----------
    readings_per_s, readings_burst : float
        In the long run, and at once: a gateway that was offline for days, or a file of ten years that is played, brings
        all of it together.
    refusals_per_s, refusals_burst : float
        The same of what cannot be placed: a dead letter costs a hundred times what a reading does.
    calm_s : float
        An isolated gateway is read again once it has kept below its rate for so long.
    """

    readings_per_s: float = 2_000.0
    readings_burst: float = 5_000_000.0
    refusals_per_s: float = 10.0
    refusals_burst: float = 5_000.0
    calm_s: float = 30.0


@dataclass(slots=True)
class _Bucket:
    """What a gateway may still bring; tokens may be owed up to what `calm_s` restores."""

    tokens: float
    at_s: float

    def refill(self, rate: float, burst: float, now_s: float) -> None:
        self.tokens = min(burst, self.tokens + rate * max(0.0, now_s - self.at_s))
        self.at_s = now_s


class Fairness:
    """Buckets of all gateways that were heard lately."""

    def __init__(self, options: FairnessOptions | None = None) -> None:
        self._options = options or FairnessOptions()
        self._readings: dict[str, _Bucket] = {}
        self._refusals: dict[str, _Bucket] = {}
        self.isolated: frozenset[str] = frozenset()

    def charge(self, readings: Mapping[str, int], refusals: Mapping[str, int], now_s: float) -> None:
        """Take what a flush brought, and decide anew who is isolated.

        Parameters
        ----------
        readings, refusals : mapping
            Gateway → readings placed, and dead letters; for an isolated one messages that were not looked at.
        now_s : float
            A clock that never goes back.
        """
        options = self._options
        over = _charge(self._readings, readings, options.readings_per_s, options.readings_burst, now_s)
        over |= _charge(self._refusals, refusals, options.refusals_per_s, options.refusals_burst, now_s)
        if over or self.isolated:
            kept = {name for name in self.isolated if not self._calm(name, now_s)}
            self.isolated = frozenset(kept | over)

    def _calm(self, gateway: str, now_s: float) -> bool:
        """Tell whether an isolated gateway may be read again."""
        options = self._options
        pairs = (
            (self._readings, options.readings_per_s, options.readings_burst),
            (self._refusals, options.refusals_per_s, options.refusals_burst),
        )
        for buckets, rate, burst in pairs:
            bucket = buckets.get(gateway)
            if bucket is not None:
                bucket.refill(rate, burst, now_s)
                if bucket.tokens < min(burst / 2, rate * options.calm_s):
                    return False
        return True


def _charge(
    buckets: dict[str, _Bucket], counts: Mapping[str, int], rate: float, burst: float, now_s: float
) -> set[str]:
    """Take tokens; return who has none left."""
    over = set()
    for gateway, count in counts.items():
        bucket = buckets.get(gateway)
        if bucket is None:
            if len(buckets) >= _GATEWAYS_MAX:
                _forget_the_full(buckets, rate, burst, now_s)
            bucket = buckets[gateway] = _Bucket(burst, now_s)
        bucket.refill(rate, burst, now_s)
        bucket.tokens -= count
        if bucket.tokens < 0:
            over.add(gateway)
            # Nobody owes more than a while of calm restores: who has stopped must not wait for hours.
            bucket.tokens = max(bucket.tokens, -rate)
    return over


def _forget_the_full(buckets: dict[str, _Bucket], rate: float, burst: float, now_s: float) -> None:
    """Make room: a full bucket says nothing; if none is full, all begin anew."""
    for gateway, bucket in list(buckets.items()):
        bucket.refill(rate, burst, now_s)
        if bucket.tokens >= burst:
            del buckets[gateway]
    if len(buckets) >= _GATEWAYS_MAX:
        buckets.clear()
