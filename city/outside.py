"""How warm it is outside: one figure for the whole city, from whatever stations it has."""

from collections.abc import Iterable
from statistics import median

from city.clock import HOUR_US
from city.reading import ReadingBatch
from city.registry import RootDefinition

AIR_TEMPERATURE = "air_temperature_deg_c"
"""The metric of air in the streets; rooms, cold rooms and controllers have metrics of their own."""
FRESH_US = 3 * HOUR_US
"""Stations report hourly at least; what is older than three reports says nothing of now."""


class OutsideAir:
    """What stations say, followed reading by reading.

    Parameters
    ----------
    roots : iterable of RootDefinition
        Whose series of `AIR_TEMPERATURE` are the stations.
    """

    def __init__(self, roots: Iterable[RootDefinition]) -> None:
        self._latest: dict[int, tuple[int, float]] = {
            one.series_id: (0, 0.0)
            for root in roots
            for device in root.devices
            for one in device.series
            if one.metric == AIR_TEMPERATURE
        }

    def see(self, batch: ReadingBatch) -> None:
        """Take readings; those of other series are passed over."""
        for series, (at, _) in self._latest.items():
            mine = batch.series_id == series
            if not mine.any():
                continue
            observed = batch.observed_at[mine]
            newest = int(observed.argmax())
            if observed[newest] >= at:
                self._latest[series] = int(observed[newest]), float(batch.value[mine][newest])

    def at(self, now_us: int) -> float | None:
        """Return the median of fresh stations, °C; None where there is none."""
        return middle(self._latest.values(), now_us)


def middle(latest: Iterable[tuple[int, float]], now_us: int) -> float | None:
    """Return the median of the fresh among (observed at in µs UTC, °C), so that one broken station moves little."""
    fresh = [value for at, value in latest if now_us - FRESH_US < at <= now_us and value == value]
    return median(fresh) if fresh else None
