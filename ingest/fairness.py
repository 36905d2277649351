"""Which gateways cost more than their share: accounts for each, and who is isolated meanwhile. Pure.

A gateway that floods, or of which much cannot be understood, is not refused: what it sends is set aside unread, in
bundles, packed in a thread. That costs some ten times what the fast way does and a fraction of the slow one, but
detection and the store nothing. So it costs the others little, and comes back by replay.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

UNKNOWN = ""
"""Stands for all gateways that the registry does not have: anybody can make up any number of names."""

_KEPT_BYTE_US = 0.05
_FAST_BYTE_US = 0.003
"""What a byte costs, as measured: one that is set aside until it stands in the log, and on the fast way 1 to 2 ns where
it stands beside readings. The slow way costs between 2 and 500 ns a byte: its time is taken message by message."""
_ROOM = 1_000
"""Accounts of gateways that have left the registry, before they are looked for."""


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
    refusals_per_reading : float
        So many are free with each reading that is placed: of a large gateway a few bad ones are no reason.
    work_us_per_s, work_us_burst : float
        The same of the processor's time, µs: large messages and those that go the slow way cost it without bringing
        as many readings.
    calm_s : float
        An isolated gateway is read again once it has kept below its rate for so long.
    """

    readings_per_s: float = 2_000.0
    readings_burst: float = 5_000_000.0
    refusals_per_s: float = 10.0
    refusals_burst: float = 5_000.0
    refusals_per_reading: float = 0.25
    work_us_per_s: float = 100_000.0
    work_us_burst: float = 15_000_000.0
    calm_s: float = 30.0


def kept_work_us(size: int) -> float:
    """Return what bytes cost that are set aside, about, µs."""
    return size * _KEPT_BYTE_US


def fast_work_us(size: int) -> float:
    """Return what bytes cost on the fast way beside their readings, about, µs."""
    return size * _FAST_BYTE_US


class _Buckets:
    """What each gateway may still bring of one thing; who has stopped must not wait for hours: little may be owed."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._of: dict[str, list[float]] = {}

    def __len__(self) -> int:
        return len(self._of)

    def charge(self, counts: Mapping[str, float], known: Collection[str], now_s: float) -> set[str]:
        """Take tokens; return who has none left."""
        over = set()
        rate, burst, kept = self._rate, self._burst, self._of
        for gateway, count in counts.items():
            name = gateway if gateway in known else UNKNOWN
            bucket = kept.get(name)
            if bucket is None:
                bucket = kept[name] = [burst, now_s]
            tokens = bucket[0] + rate * (now_s - bucket[1])
            if tokens > burst:
                tokens = burst
            tokens -= count
            if tokens > burst:
                tokens = burst
            if tokens < 0:
                over.add(name)
                tokens = max(tokens, -rate)
            bucket[0], bucket[1] = tokens, now_s
        if len(self._of) > len(known) + _ROOM:
            self._of = {name: kept for name, kept in self._of.items() if name == UNKNOWN or name in known}
        return over

    def calm(self, gateway: str, calm_s: float, now_s: float) -> bool:
        """Tell whether enough has come back for who was isolated."""
        return self._tokens(gateway, now_s) >= min(self._burst / 2, self._rate * calm_s)

    def _tokens(self, gateway: str, now_s: float) -> float:
        tokens, at_s = self._of.get(gateway, (self._burst, now_s))
        return min(self._burst, tokens + self._rate * (now_s - at_s))


class Fairness:
    """Accounts of the registry's gateways that were heard, and one for all others together."""

    def __init__(self, options: FairnessOptions | None = None) -> None:
        self._options = options = options or FairnessOptions()
        self._readings = _Buckets(options.readings_per_s, options.readings_burst)
        self._refusals = _Buckets(options.refusals_per_s, options.refusals_burst)
        self._work = _Buckets(options.work_us_per_s, options.work_us_burst)
        self.isolated: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._readings) + len(self._refusals) + len(self._work)

    def charge(
        self,
        readings: Mapping[str, int],
        refusals: Mapping[str, int],
        work_us: Mapping[str, float],
        known: Collection[str],
        now_s: float,
    ) -> None:
        """Take what a flush brought, and decide anew who is isolated.

        Parameters
        ----------
        readings, refusals, work_us : mapping
            Gateway → readings placed, dead letters, and the processor's time beside them; for an isolated one its
            messages that were not looked at count as readings.
        known : collection
            The registry's gateways; all others share one account.
        now_s : float
            A clock that never goes back.
        """
        over = self._readings.charge(readings, known, now_s)
        free = self._options.refusals_per_reading
        bad = {name: count - free * readings.get(name, 0) for name, count in refusals.items()}
        over |= self._refusals.charge(bad, known, now_s)
        over |= self._work.charge(work_us, known, now_s)
        if over or self.isolated:
            kept = {name for name in self.isolated if not self._calm(name, known, now_s)}
            self.isolated = frozenset(kept | over)

    def _calm(self, gateway: str, known: Collection[str], now_s: float) -> bool:
        """Tell whether an isolated gateway may be read again; one that has left the registry is none of its own."""
        if gateway != UNKNOWN and gateway not in known:
            return True
        calm_s = self._options.calm_s
        return all(buckets.calm(gateway, calm_s, now_s) for buckets in (self._readings, self._refusals, self._work))
