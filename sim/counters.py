"""Counters of lamps' controllers: energy, hours of operation and switchings, as pure functions of time."""

from collections.abc import Mapping, Sequence

from city.alarm import FaultClass
from city.lighting import LightingSchedule
from sim.burning import burning_of
from sim.faults import PlantedFault, last_reset
from sim.lampfaults import CYCLE_US, hours_between
from sim.lamps import LampColumns
from sim.noise import uniform

_FIRST_HOURS = 15_000.0
_HOURS_A_SWITCHING = 11.5


Count = tuple[float, float, float]
"""Hours (h), energy (kWh) or what stands for it in hours at full power, and switchings."""


class Counters:
    """Counts for the lamps of one bank.

    Each counter stands at its lamp's own age at the beginning of 2025 and grows with the schedule's burning time; what
    a lamp is told counts, not the seconds by which a clock is wrong. Faults that keep a lamp dark or burning count.
    """

    def __init__(self, columns: LampColumns) -> None:
        self._full_kw = (columns.full_w / 1000).tolist()
        self._first_hours = (uniform(columns.keys, 8) * _FIRST_HOURS).tolist()

    def count(
        self,
        at_us: int,
        schedules: Sequence[LightingSchedule],
        faults: Sequence[PlantedFault],
        rows: Mapping[str, Sequence[int]],
    ) -> tuple[list[float], list[float], list[float]]:
        """Return hours (h), energy (kWh) and switchings of each lamp at `at_us`, µs UTC."""
        by_row: dict[int, list[PlantedFault]] = {}
        for fault in faults:
            for row in rows[fault.asset_id]:
                by_row.setdefault(row, []).append(fault)
        said = {schedule: self._said(schedule, at_us) for schedule in set(schedules)}
        found = [self._row(row, s, said[s], by_row.get(row, ()), at_us) for row, s in enumerate(schedules)]
        for row, hit in by_row.items():
            reset_us = last_reset(hit, at_us)
            if reset_us is not None:
                then = self._row(row, schedules[row], self._said(schedules[row], reset_us), hit, reset_us)
                hours, energy, switched = (max(now - before, 0) for now, before in zip(found[row], then, strict=True))
                found[row] = hours, energy, switched
        return [round(h, 2) for h, _, _ in found], [round(e, 3) for _, e, _ in found], [s for _, _, s in found]

    def _row(
        self, row: int, schedule: LightingSchedule, said: Count, faults: Sequence[PlantedFault], at_us: int
    ) -> Count:
        """Return what one lamp has counted by `at_us`, resets left out."""
        hours, full, switched = said
        for fault in faults:
            if fault.onset_us <= at_us:
                more, extra = self._of_fault(fault, schedule, at_us)
                hours, full, switched = hours + more, full + more, switched + extra
        first = self._first_hours[row]
        energy = (full + 0.93 * first) * self._full_kw[row]
        return hours + first, energy, switched + int(first / _HOURS_A_SWITCHING)

    def _said(self, schedule: LightingSchedule, at_us: int) -> Count:
        table = burning_of(schedule, at_us)
        return (*table.hours(at_us), table.switchings(at_us))

    def _of_fault(self, fault: PlantedFault, schedule: LightingSchedule, at_us: int) -> tuple[float, int]:
        """Return what a fault adds to hours and switchings."""
        end_us = at_us if fault.end_us is None else min(fault.end_us, at_us)
        told = burning_of(schedule, at_us)
        burned = told.hours(end_us)[0] - told.hours(fault.onset_us)[0]
        match fault.fault:
            case FaultClass.LAMP_FAILURE:
                return -burned, 0
            case FaultClass.LAMP_UNEXPECTED_ON:
                return hours_between(fault.onset_us, end_us) - burned, 0
            case FaultClass.CYCLING_FAILURE:
                return -0.3 * burned, int(burned * 3_600_000_000 / CYCLE_US)
        return 0.0, 0
