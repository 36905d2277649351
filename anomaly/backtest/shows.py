"""When a fault can first show (pure): a dead lamp not by day, a silent controller not while it has no supply.

A label that ends before is not observable: nobody could have found it, so it counts for nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from anomaly.backtest.fleet import Fleet, Member
from anomaly.backtest.labels import Label
from city.asset import Switching
from city.clock import DAY_US, HOUR_US
from city.metric import ACTIVE_POWER, DIMMING_LEVEL, SUPPLY_VOLTAGE
from city.registry import FeederDefinition

LOOK_AHEAD_US = 21 * DAY_US
"""A fault that has not had its moment within this has none."""

COUNTERS = ("active_energy_kwh", "operating_hours_h", "switch_on_count")
_LOAD = (ACTIVE_POWER, *COUNTERS)


class Way(Enum):
    """How a fault shows."""

    LIT = auto()
    """In readings while its lamps are told to burn."""
    UNLIT = auto()
    """In readings while its lamps are told to be off."""
    DIMMED = auto()
    """In readings while its lamps are told a lower level."""
    POWERED = auto()
    """In any reading."""
    SILENT = auto()
    """In readings that do not come."""
    SWITCHED = auto()
    """In readings from the next switching time on."""


_WAYS = {
    "lampFailure": (Way.LIT, _LOAD),
    "lampUnexpectedOn": (Way.UNLIT, _LOAD),
    "dimmingFailure": (Way.DIMMED, (ACTIVE_POWER, "active_energy_kwh")),
    "cyclingFailure": (Way.LIT, (ACTIVE_POWER, "switch_on_count")),
    "flicker": (Way.LIT, (ACTIVE_POWER,)),
    "powerFactorTooLow": (Way.LIT, ("power_factor",)),
    "ledModuleLost": (Way.LIT, (ACTIVE_POWER, "active_energy_kwh")),
    "lampPowerTooLow": (Way.LIT, (ACTIVE_POWER, "active_energy_kwh")),
    "lampPowerTooHigh": (Way.LIT, (ACTIVE_POWER, "active_energy_kwh")),
    "communicationFailure": (Way.SILENT, ()),
    "supplyLoss": (Way.SILENT, ()),
    "circuitBreakerTripped": (Way.SILENT, ()),
    "cableTheft": (Way.SILENT, ()),
    "residualCurrentReclosing": (Way.LIT, ()),
    "switchingErrorOn": (Way.UNLIT, (ACTIVE_POWER, "operating_hours_h")),
    "switchingErrorOff": (Way.LIT, _LOAD),
    "supplyVoltageTooLow": (Way.POWERED, (SUPPLY_VOLTAGE,)),
    "supplyVoltageTooHigh": (Way.POWERED, (SUPPLY_VOLTAGE,)),
    "lostNeutral": (Way.POWERED, (SUPPLY_VOLTAGE,)),
    "cabinetClockWrong": (Way.SWITCHED, ()),
    "counterReset": (Way.POWERED, COUNTERS),
}
"""How each fault shows, and the metrics of which one must be there; whatever is not named shows in any reading."""

_SHOWS_AFTER_US = {"counterReset": 6 * HOUR_US}
"""One reset is no fault; the second of a day comes after this at the soonest."""


Windows = list[tuple[int, int]]
"""From and to, µs UTC, ascending."""


@dataclass(frozen=True, slots=True)
class Showing:
    """When and where a label can show.

    Attributes
    ----------
    rows : tuple of int
        The fleet's devices that can show it; empty: none can.
    windows : list of (int, int)
        In which they can; a reading within one of them is the first that could show it.
    silent : bool
        It shows in readings that are due in a window and do not come.
    """

    rows: tuple[int, ...]
    windows: Windows
    silent: bool
    interval_us: int

    def after(self, at_us: int) -> "Showing":
        """Return the same for who knows that nothing can show before `at_us`, µs UTC."""
        later = _clip(self.windows, at_us, 1 << 62)
        return Showing(self.rows, later, self.silent, self.interval_us)


def showing(label: Label, fleet: Fleet, data_end_us: int) -> Showing:
    """Return when a label can show, at the latest until the data end."""
    members = fleet.below(label.asset)
    way, needs = _WAYS.get(label.fault, (Way.POWERED, ()))
    able = [member for member in members if not needs or not member.metrics.isdisjoint(needs)]
    if way is Way.SWITCHED:
        # A feeder that is always live shows its cabinet's clock by its lamps' power alone.
        able = [m for m in able if _switched(m.feeder) or ACTIVE_POWER in m.metrics]
    start_us = label.onset_us + _SHOWS_AFTER_US.get(label.fault, 0)
    end_us = min(label.ends_by(data_end_us), data_end_us, start_us + LOOK_AHEAD_US)
    feeders = list({m.feeder.scope.asset_id: m.feeder for m in able if m.feeder is not None}.values())
    if label.fault == "switchingErrorOff" and feeders and all(_switched(f) for f in feeders):
        way = Way.SILENT
    windows = _join(_windows(way, f, label, start_us, end_us) for f in _feeders_or_none(able, feeders))
    interval_us = min((member.interval_us for member in able), default=0)
    if way is not Way.SILENT and able and not any(_tells_at_once(member) for member in able):
        # Counters tell of the time before: their next message shows it, also after the window.
        windows = [(windows[0][0], end_us)] if windows else []
    rows = tuple(member.row for member in able)
    return Showing(rows, windows, way is Way.SILENT, interval_us)


def _tells_at_once(member: Member) -> bool:
    return member.feeder is None or not member.metrics.isdisjoint((ACTIVE_POWER, SUPPLY_VOLTAGE, DIMMING_LEVEL))


def _feeders_or_none(
    members: Sequence[Member], feeders: Sequence[FeederDefinition]
) -> Sequence[FeederDefinition | None]:
    return [*feeders, *([None] if any(member.feeder is None for member in members) else [])]


def _switched(feeder: FeederDefinition | None) -> bool:
    return feeder is not None and feeder.switching is Switching.SWITCHED


def _windows(way: Way, feeder: FeederDefinition | None, label: Label, start_us: int, end_us: int) -> Windows:
    if end_us <= start_us:
        return []
    if feeder is None:
        return [(start_us, end_us)]
    on, off = feeder.schedule.periods(start_us, end_us)
    nights = _clip(zip(on.tolist(), off.tolist(), strict=True), start_us, end_us)
    match way:
        case Way.LIT:
            return nights
        case Way.DIMMED:
            if not feeder.schedule.dimming:
                return nights
            levels = feeder.schedule.levels(start_us, end_us)
            return _clip(((low, high) for low, high, level in levels if level < 100), start_us, end_us)
        case Way.UNLIT:
            # Where the contactor is open, nothing can burn and nobody could tell; welded, it feeds them by day.
            if _switched(feeder) and label.fault != "switchingErrorOn":
                return []
            return _between(nights, start_us, end_us)
        case Way.SWITCHED:
            turns = np.sort(np.concatenate([on, off]))
            turns = turns[(turns >= start_us) & (turns < end_us)]
            return [(int(turns[0]), end_us)] if len(turns) else []
        case _:
            return nights if _switched(feeder) else [(start_us, end_us)]


def _clip(pairs: Iterable[tuple[int, int]], start_us: int, end_us: int) -> Windows:
    found = ((max(low, start_us), min(high, end_us)) for low, high in pairs)
    return [(low, high) for low, high in found if low < high]


def _between(nights: Windows, start_us: int, end_us: int) -> Windows:
    edges = [start_us, *(edge for night in nights for edge in night), end_us]
    return [(low, high) for low, high in zip(edges[::2], edges[1::2], strict=True) if low < high]


def _join(several: Iterable[Windows]) -> Windows:
    """Return the union of windows of several feeders."""
    joined: Windows = []
    for low, high in sorted(window for windows in several for window in windows):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined
