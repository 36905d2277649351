"""The energy counter of a facility: the integral of its mean power, with what faults waste and resets forget."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from city.alarm import FaultClass
from city.clock import DAY_US, HOUR_US
from sim.faults import PlantedFault, last_resets

Times = NDArray[np.int64]
Values = NDArray[np.float64]

_EPOCH_US = 20_454 * DAY_US
_DAYS_KEPT = 64


class EnergyCounter:
    """Counts from the first of January 2026 on; whole days are summed once, hours are interpolated.

    Parameters
    ----------
    watts : callable
        Times (int64[n], µs UTC) → mean power, W.
    first_kwh : float
        What the counter showed then.
    waste_share : float
        Of its power, what a facility whose energy is out of pattern draws on top.
    heating_w : float
        What heating draws that was left on.
    """

    def __init__(
        self, watts: Callable[[Times], Values], first_kwh: float, waste_share: float, heating_w: float
    ) -> None:
        self._watts, self._first_kwh = watts, first_kwh
        self._waste_share, self._heating_w = waste_share, heating_w
        self._sums = np.zeros(1)
        self._days: dict[int, Values] = {}

    def kwh(self, at_us: Times, faults: Sequence[PlantedFault]) -> Values:
        """Return what the counter shows."""
        since_us = last_resets(faults, at_us)
        first = np.full(len(at_us), self._first_kwh)
        for reset_us in np.unique(since_us[since_us > 0]).tolist():
            first[since_us == reset_us] = -self._counted(np.array([reset_us], np.int64), faults)[0]
        out: Values = np.maximum(self._counted(at_us, faults) + first, 0.0)
        return out

    def _counted(self, at_us: Times, faults: Sequence[PlantedFault]) -> Values:
        """Return the energy since the counter's first day, kWh, with what faults waste."""
        total = self._sound(at_us)
        for fault in faults:
            until_us = np.maximum(at_us if fault.end_us is None else np.minimum(at_us, fault.end_us), fault.onset_us)
            if fault.fault is FaultClass.ENERGY_OUT_OF_PATTERN:
                before = self._sound(np.array([fault.onset_us], np.int64))
                total = total + self._waste_share * (self._sound(until_us) - before)
            elif fault.fault is FaultClass.HEATING_WHILE_CLOSED:
                total = total + self._heating_w / 1000 * (until_us - fault.onset_us) / HOUR_US
        return total

    def _sound(self, at_us: Times) -> Values:
        at_us = at_us - _EPOCH_US
        day = np.maximum(at_us, 0) // DAY_US
        self._sum_up(int(day.max(initial=0)))
        out = np.empty(len(at_us))
        for number in np.unique(day).tolist():
            mine = day == number
            hour = (at_us[mine] - number * DAY_US) / HOUR_US
            out[mine] = self._sums[number] + np.interp(hour, np.arange(25), self._day(number))
        return out

    def _sum_up(self, day: int) -> None:
        if len(self._sums) <= day:
            # A quarter of a year more than is needed: the next days find theirs.
            first, last = len(self._sums) - 1, day + 90
            kwh = self._hours(24 * first, 24 * last).reshape(-1, 24).sum(axis=1)
            self._sums = np.concatenate([self._sums, self._sums[-1] + np.cumsum(kwh)])

    def _day(self, number: int) -> Values:
        if number not in self._days:
            if len(self._days) >= _DAYS_KEPT:
                self._days.clear()
            hours = self._hours(24 * number, 24 * (number + 1))
            self._days[number] = np.concatenate([[0.0], np.cumsum(hours)])
        return self._days[number]

    def _hours(self, first: int, last: int) -> Values:
        """Return what each hour takes, kWh: its middle's power."""
        middles = np.arange(first, last, dtype=np.int64) * HOUR_US + HOUR_US // 2
        return self._watts(_EPOCH_US + middles) / 1000
