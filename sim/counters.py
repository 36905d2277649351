"""Counters of lamps' controllers: energy, hours of operation and switchings, as pure functions of time."""

from collections.abc import Mapping, Sequence

from city.alarm import FaultClass
from city.lighting import LightingSchedule
from sim.burning import burning_of
from sim.faultkinds import SimFault
from sim.faults import PlantedFault
from sim.lampfaults import CYCLE_US, hours_between
from sim.lamps import LampColumns
from sim.noise import uniform

_FIRST_HOURS = 15_000.0
_HOURS_A_SWITCHING = 11.5


class Counters:
    """Counts for the lamps of one bank.

    Each counter stands at its lamp's own age at the beginning of 2025 and grows with the schedule's burning time; what
    a lamp is told counts, not the seconds by which a clock is wrong. Faults that keep a lamp dark or burning count.
    """

    def __init__(self, columns: LampColumns, lamp_ids: Sequence[str], seed: int) -> None:
        self._full_kw = (columns.full_w / 1000).tolist()
        self._first_hours = (uniform(columns.keys, 8) * _FIRST_HOURS).tolist()
        self._n = len(lamp_ids)

    def count(
        self,
        at_us: int,
        schedules: Sequence[LightingSchedule],
        faults: Sequence[PlantedFault],
        rows: Mapping[str, Sequence[int]],
    ) -> tuple[list[float], list[float], list[float]]:
        """Return hours (h), energy (kWh) and switchings of each lamp at `at_us`, µs UTC."""
        said = {schedule: self._said(schedule, at_us) for schedule in set(schedules)}
        hours, full, switched = (list(column) for column in zip(*(said[s] for s in schedules), strict=True))
        resets: list[PlantedFault] = []
        for fault in faults:
            if fault.onset_us > at_us:
                continue
            if fault.fault is SimFault.COUNTER_RESET:
                resets.append(fault)
            for row in rows[fault.asset_id]:
                more, extra = self._of_fault(fault, schedules[row], at_us)
                hours[row] += more
                full[row] += more
                switched[row] += extra
        for row in range(self._n):
            first = self._first_hours[row]
            hours[row] += first
            switched[row] += int(first / _HOURS_A_SWITCHING)
            full[row] = (full[row] + 0.93 * first) * self._full_kw[row]
        for fault in resets:
            self._reset(fault, schedules, rows, (hours, full, switched))
        return [round(h, 2) for h in hours], [round(e, 3) for e in full], switched

    def _said(self, schedule: LightingSchedule, at_us: int) -> tuple[float, float, int]:
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
            case SimFault.CYCLING_FAILURE:
                return -0.3 * burned, int(burned * 3_600_000_000 / CYCLE_US)
        return 0.0, 0

    def _reset(
        self,
        fault: PlantedFault,
        schedules: Sequence[LightingSchedule],
        rows: Mapping[str, Sequence[int]],
        columns: tuple[list[float], list[float], list[float]],
    ) -> None:
        for row in rows[fault.asset_id]:
            then_hours, then_full, then_switched = self._said(schedules[row], fault.onset_us)
            first = self._first_hours[row]
            columns[0][row] = max(columns[0][row] - then_hours - first, 0.0)
            columns[1][row] = max(columns[1][row] - (then_full + 0.93 * first) * self._full_kw[row], 0.0)
            columns[2][row] = max(columns[2][row] - then_switched - int(first / _HOURS_A_SWITCHING), 0)
