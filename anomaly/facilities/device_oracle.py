"""Devices of facilities in slow plain Python: limits, names, repeats and ends, bit by bit as `kernels` must find them.

Habits, runs and nights of water are `oracle`'s. What kernels keep in arrays by the number of a fault is looked up here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from statistics import median
from typing import Any, NamedTuple

from anomaly.facilities import heating, kernels, oracle, pattern, repeats
from anomaly.facilities import layout as c

PATTERNS = {
    c.INDOOR: c.TEMPERATURE_PATTERN,
    c.TEMPERATURE: c.TEMPERATURE_PATTERN,
    c.HUMIDITY: c.HUMIDITY_PATTERN,
    c.POWER: c.ENERGY_PATTERN,
    c.GENERAL: c.GENERAL_PATTERN,
}
LIMITS = {c.HOT_WATER: c.HOT_WATER_TOO_COLD, c.COLD_ROOM: c.COLD_ROOM_TOO_WARM, c.CO2: c.CO2_TOO_HIGH}


class Row(NamedTuple):
    """One reading with what the calendar says of its moment."""

    device: int
    series: int
    at: int
    day: int
    slot: int
    day_type: int
    opened: int
    value: float
    outside: float


class Event(NamedTuple):
    """What is told, as `layout.EVENT` has it."""

    device: int
    series: int
    fault: int
    clear: int
    since: int
    until: int
    at: int
    observed: float
    expected: float
    z: float


@dataclass(slots=True)
class Channel:
    """One series; `number` is its row."""

    number: int
    role: int
    top: float
    habit: oracle.Series
    runs: oracle.Runs = field(default_factory=lambda: oracle.Runs(0.02, 1.5))
    water: oracle.Water = field(default_factory=oracle.Water)
    heard: bool = False
    first_at: int = 0
    observed_at: int = 0
    value: float = 0.0
    reset_at: int = 0
    warm: float = 0.0


@dataclass(slots=True)
class Device:
    """One device; `fixed` is its row of `layout.DEVICE`."""

    number: int
    fixed: Mapping[str, Any]
    channels: dict[int, Channel]
    runs: oracle.Runs = field(default_factory=lambda: oracle.Runs(0.01, 1.1))
    heard_at: int = 0
    zone: int = 0
    zone_at: int = 0
    changes: int = 0
    opened: int = 0
    closed_run: int = 0
    held_since: int = 0
    closed_excess: float = 0.0
    open_excess: float = 0.0
    first_bad: dict[int, int] = field(default_factory=dict)
    """Fault → since when its condition holds."""
    since: dict[int, int] = field(default_factory=dict)
    """Fault → when it began, while it is open."""
    quiet: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Fault → for how long it has been quiet, and since when."""


def of_rows(devices: Any, series: Any) -> list[Device]:
    """Return devices as the columns of kernels describe them."""
    made = []
    for number, row in enumerate(devices):
        fixed = {name: row[name].item() for name in devices.dtype.names}
        channels = {
            i: Channel(
                i,
                int(series[i]["role"]),
                float(series[i]["top"]),
                oracle.Series(float(series[i]["floor"]), bool(series[i]["relative"])),
            )
            for i in range(fixed["first"], fixed["last"])
        }
        made.append(Device(number, fixed, channels))
    return made


def judge_rows(rows: Sequence[Row], devices: Sequence[Device], common: Any) -> tuple[list[Event], int]:
    """Judge readings that are sorted by (device, at, series); return what is told, and how many moments came late."""
    events: list[Event] = []
    late = 0
    for (number, at), group in groupby(rows, key=lambda row: (row.device, row.at)):
        device, first = devices[number], None
        values: dict[int, Row] = {}
        for row in group:
            first = first or row
            if abs(row.value) <= kernels.VALUE_MAX:
                values.setdefault(row.series, row)
        if at <= device.heard_at or not values:
            late += 1
            continue
        assert first is not None
        _message(device, at, first, values, common, events)
    return events, late


def _message(device: Device, at: int, first: Row, values: Mapping[int, Row], common: Any, events: list[Event]) -> None:
    channels = [device.channels[i] for i in values]
    same = len(values) > 1 and all(one.heard and one.value == values[one.number].value for one in channels)
    past_us = min(at - device.heard_at, kernels.GAP_INTERVALS * device.fixed["interval_us"])
    reach = _reach(device, at, first.slot)
    for one in channels:
        _one(device, one, values[one.number], common, same, reach, events)
    _repeats(device, at, same, channels, events)
    _patterns(device, at, past_us, first.opened, events)
    device.heard_at, device.opened = at, first.opened


def _reach(device: Device, at: int, slot: int) -> int:
    zone = slot - at % kernels.DAY_US // kernels.QUARTER_US
    zone = (zone + c.SLOTS // 2) % c.SLOTS - c.SLOTS // 2
    if device.heard_at and zone != device.zone:
        device.zone_at = at
    device.zone = zone
    lately = device.zone_at and at - device.zone_at < pattern.CHANGED_US
    return pattern.CHANGED_SLOTS if lately else pattern.AMISS_SLOTS


# ------------------------------------------------------------ opening and ending


def _open(device: Device, events: list[Event], fault: int, series: int, since: int, at: int, *told: float) -> None:
    device.quiet.pop(fault, None)
    if fault not in device.since:
        device.since[fault] = since
        events.append(Event(device.number, series, fault, 0, since, 0, at, *told))


def _rest(
    device: Device,
    events: list[Event],
    fault: int,
    quiet: bool,
    past_us: int,
    need_us: int,
    series: int,
    at: int,
    observed: float,
    expected: float,
) -> None:
    if fault not in device.since:
        return
    if not quiet:
        device.quiet.pop(fault, None)
        return
    so_far, began = device.quiet.get(fault, (0, at))
    device.quiet[fault] = so_far + max(past_us, 1), began
    if device.quiet[fault][0] >= need_us:
        since = device.since.pop(fault)
        del device.quiet[fault]
        events.append(Event(device.number, series, fault, 1, since, max(began, since), at, observed, expected, 0.0))


def _limit(
    device: Device, events: list[Event], fault: int, bad: bool, for_us: int, one: Channel, row: Row, limit: float
) -> None:
    if not bad:
        device.first_bad.pop(fault, None)
        return
    began = device.first_bad.setdefault(fault, row.at)
    if row.at - began >= for_us:
        _open(device, events, fault, one.number, began, row.at, row.value, limit, 0.0)
    else:
        device.quiet.pop(fault, None)


# ------------------------------------------------------------ one series


def _one(device: Device, one: Channel, row: Row, common: Any, same: bool, reach: int, events: list[Event]) -> None:
    known, at, before = one.heard, row.at, one.observed_at
    if not known:
        one.heard, one.first_at = True, at
    past_us = at - before if known else 0
    gap = known and past_us > kernels.GAP_INTERVALS * device.fixed["interval_us"]
    if gap and past_us > kernels.FORGET_US:
        one.habit.offset = [0.0] * c.OFFSETS
        one.habit.outside = [0.0] * c.OFFSETS
    if gap and past_us > kernels.UNSEEN_US and one.role in LIMITS:
        device.first_bad.pop(LIMITS[one.role], None)
    one.runs.take(known and row.value == one.value, before, 0.001, 0.1, c.STUCK not in device.since)
    z = 0.0
    if one.role not in (c.NONE, c.COUNTER, c.HOT_WATER, c.COLD_ROOM):
        z = _habit(device, one, row, common, same, gap, reach)
    if one.role == c.INDOOR and one.habit.bad == 0 and not same and c.HEATING not in device.since:
        _warm(one, row)
    if one.role == c.COUNTER:
        _counter(device, one, row, known, past_us, events)
    elif one.role == c.FLOW:
        _flow(device, one, row, same, events)
    elif one.role in LIMITS:
        _judge_limit(device, one, row, 0 if gap else past_us, z, events)
    one.value, one.observed_at = row.value, at


def _habit(device: Device, one: Channel, row: Row, common: Any, same: bool, gap: bool, reach: int) -> float:
    shared = 0.0
    if one.role in (c.INDOOR, c.HUMIDITY):
        shared = float(common[0 if one.role == c.INDOOR else 1][row.opened])
    moment = oracle.Moment(
        row.at,
        row.slot,
        row.day_type,
        row.opened,
        gap,
        shared,
        None if row.outside != row.outside else row.outside,
        same,
        row.at - one.first_at >= device.fixed["pattern_us"] and not _stale(device, one, row.at),
        one.role != c.FLOW,
        _held(device, one.role),
        reach,
    )
    return oracle.meet(one.habit, moment, row.value)


def _held(device: Device, role: int) -> bool:
    known = {c.STUCK}
    if role in (c.INDOOR, c.POWER):
        known.add(c.HEATING)
    if role == c.CO2:
        known.add(c.CO2_TOO_HIGH)
    if role == c.FLOW:
        known.add(c.WATER_LEAK)
    known |= {PATTERNS[role]} if role in PATTERNS else set()
    waits = role in (c.INDOOR, c.POWER) and device.held_since != 0
    return waits or bool(known & device.since.keys()) or (role == c.CO2 and c.CO2_TOO_HIGH in device.first_bad)


def _stale(device: Device, one: Channel, at: int) -> bool:
    if at - one.habit.learnt_at <= pattern.STALE_US:
        return False
    if one.role in (c.INDOOR, c.POWER) and (c.HEATING in device.since or device.held_since):
        return False
    fault = PATTERNS.get(one.role)
    return fault is None or (fault not in device.since and one.habit.bad == 0)


def _warm(one: Channel, row: Row) -> None:
    late = heating.MORNING <= row.slot < heating.NOON
    if row.opened == c.OPEN or (row.opened == c.UNKNOWN and row.day_type == 0 and late):
        rate = heating.WARM_DOWN if row.value < one.warm else heating.WARM_UP
        one.warm = one.warm + rate * (row.value - one.warm) if one.warm else row.value


def _counter(device: Device, one: Channel, row: Row, known: bool, past_us: int, events: list[Event]) -> None:
    fell = one.value - row.value
    if known and fell > max(kernels.RESET_LEAST, kernels.RESET_SHARE * one.value):
        before, one.reset_at = one.reset_at, row.at
        if before and row.at - before <= kernels.RESETS_WITHIN_US:
            _open(device, events, c.COUNTER_RESET, one.number, before, row.at, row.value, one.value, 0.0)
        device.quiet.pop(c.COUNTER_RESET, None)
        return
    past_us = past_us if known else row.at
    need = kernels.RESETS_WITHIN_US
    _rest(device, events, c.COUNTER_RESET, True, past_us, need, one.number, row.at, row.value, one.value)


def _flow(device: Device, one: Channel, row: Row, same: bool, events: list[Event]) -> None:
    if c.STUCK in device.since or same:
        one.water.hour, one.water.values, one.water.hours = -1, [], []
        return
    residual = row.value - one.habit.expected
    ratio, nights = device.fixed["leak_ratio"], device.fixed["leak_nights"]
    told, least, usual = oracle.flow(one.water, row.at, row.day, row.slot, row.value, residual, ratio, nights)
    if told == 1:
        _open(device, events, c.WATER_LEAK, one.number, one.water.leak_at, row.at, least, usual, 0.0)
    elif told == 0:
        _rest(device, events, c.WATER_LEAK, True, 1, 0, one.number, row.at, least, usual)


def _judge_limit(device: Device, one: Channel, row: Row, past_us: int, z: float, events: list[Event]) -> None:
    name = {c.HOT_WATER: "hot_water", c.COLD_ROOM: "cold_room", c.CO2: "co2"}[one.role]
    limit = device.fixed[f"{name}_ppm" if name == "co2" else f"{name}_deg_c"]
    fault, for_us = LIMITS[one.role], device.fixed[f"{name}_us"]
    inside = one.role != c.CO2 or row.opened in (c.OPEN, c.UNKNOWN)
    bad = inside and (row.value < limit if one.role == c.HOT_WATER else row.value > limit)
    _limit(device, events, fault, bad, for_us, one, row, limit)
    quiet, need = not bad, kernels.QUIET_RULE_US
    if one.role == c.CO2:
        quiet = quiet and z < pattern.CALM_Z and one.habit.bad == 0
        need = kernels.QUIET_OPEN_US if row.opened == c.OPEN else kernels.QUIET_US
    if inside or not quiet:
        _rest(device, events, fault, quiet, past_us if inside else 0, need, one.number, row.at, row.value, limit)


# ------------------------------------------------------------ the whole message


def _repeats(device: Device, at: int, same: bool, heard: Iterable[Channel], events: list[Event]) -> None:
    many = len(list(heard)) > 2
    learn = c.STUCK not in device.since
    device.runs.take(same, device.heard_at, 0.001 if many else 0.005, 0.01 if many else 0.03, learn)
    if device.runs.run and device.runs.chance < repeats.CHANCE_MESSAGE:
        which, since = -1, device.runs.changed_at
    else:
        stands = [one for _, one in sorted(device.channels.items()) if one.observed_at == at and _stands(one)]
        which, since = (stands[0].number, stands[0].runs.changed_at) if stands else (-2, at)
    if which == -2:
        device.changes += 1
        _rest(device, events, c.STUCK, device.changes >= repeats.CHANGES, 1, 0, -1, at, 0.0, 0.0)
        return
    device.changes = 0
    shown = device.channels[max(which, device.fixed["first"])]
    _open(device, events, c.STUCK, which, since, at, shown.value, 0.0, 0.0)


def _stands(one: Channel) -> bool:
    runs = one.runs
    if one.value == 0.0 or one.value >= one.top or runs.n < repeats.SERIES_MIN or not runs.run:
        return False
    return runs.chance < repeats.CHANCE_SERIES and runs.run > repeats.LONGEST_TIMES * runs.longest


def _patterns(device: Device, at: int, past_us: int, opened: int, events: list[Event]) -> None:
    indoor, power, now = _names(device, at, opened)
    if now >= 0:
        one = device.channels[device.fixed["power"]]
        told = one.value, one.habit.expected, 0.0
        _open(device, events, now, one.number, one.habit.shown_at, at, *told)
    odd = set()
    for number, one in sorted(device.channels.items()):
        fault = PATTERNS.get(one.role, -1)
        meter = number == device.fixed["power"]
        if fault < 0 or one.habit.bad == 0 or (meter and one.habit.bad < 0 and c.HEATING in device.since):
            continue
        if one.habit.bad > 0 and number == device.fixed["indoor"]:
            fault = indoor
        elif one.habit.bad > 0 and number == device.fixed["power"]:
            fault = power
        if fault < 0:
            continue
        odd.add(fault)
        if one.observed_at == at:
            z = one.habit.recent[0][0] if one.habit.recent else 0.0
            told = one.value, one.habit.expected, z
            _open(device, events, fault, number, one.habit.shown_at, at, *told)
    for fault in (c.TEMPERATURE_PATTERN, c.HUMIDITY_PATTERN, c.ENERGY_PATTERN, c.GENERAL_PATTERN):
        _rest(device, events, fault, fault not in odd, past_us, kernels.QUIET_US, -1, at, 0.0, 0.0)
    quiet = c.HEATING not in odd
    if not quiet or opened == c.CLOSED:
        _rest(device, events, c.HEATING, quiet, past_us, kernels.QUIET_CLOSED_US, -1, at, 0.0, 0.0)
    elif opened == c.UNKNOWN:
        _rest(device, events, c.HEATING, quiet, past_us, kernels.QUIET_US, -1, at, 0.0, 0.0)


# ------------------------------------------------------------ heating or waste


def _names(device: Device, at: int, opened: int) -> tuple[int, int, int]:
    """Return what an odd room and odd power are called, −1 for not yet, and which fault must be now, if any."""
    if opened == c.OPEN:
        device.closed_run = min(device.closed_run, 0) - 1
    else:
        device.closed_run = max(device.closed_run, 0) + 1
    room = device.channels.get(device.fixed["indoor"])
    meter = device.channels.get(device.fixed["power"])
    hot = room is not None and room.habit.bad > 0
    much = meter is not None and meter.habit.bad > 0
    if c.HEATING in device.since:
        return (
            c.HEATING if hot else c.TEMPERATURE_PATTERN,
            c.HEATING if much else c.ENERGY_PATTERN,
            heating.SILENT,
        )
    if not hot and not much:
        now = heating.SILENT
        if device.held_since:
            assert meter is not None
            now = _by_contrast(device, meter, opened)
            over = at - device.held_since > heating.HELD_US
            if now == heating.SILENT and over and _draws(meter):
                now = c.ENERGY_PATTERN
            if now != heating.SILENT or over:
                device.held_since, device.closed_excess, device.open_excess = 0, 0.0, 0.0
        return c.TEMPERATURE_PATTERN, c.ENERGY_PATTERN, now
    indoor, power, telling, risen = c.TEMPERATURE_PATTERN, c.ENERGY_PATTERN, False, 0.0
    if room is not None and room.observed_at == at and device.closed_run >= pattern.SHORT:
        telling = room.warm != 0.0 and room.warm - room.habit.expected >= heating.SET_BACK
        risen = room.value - room.habit.expected
    if hot and room is not None and room.value <= room.warm + heating.OVER:
        waits = c.TEMPERATURE_PATTERN not in device.since and at - room.habit.shown_at < heating.HOT_US
        if telling and (meter is None or much or _draws(meter)):
            indoor = c.HEATING
        elif meter is not None and not much and waits:
            indoor = heating.SILENT
    if not much or c.ENERGY_PATTERN in device.since:
        return indoor, power, heating.SILENT
    assert meter is not None
    cooled = 0.0 if room is None else room.warm - room.habit.expected
    if telling and hot:
        power = c.HEATING
    elif telling and risen < heating.RISEN_SHARE * cooled:
        power = c.ENERGY_PATTERN
    elif telling or (room is not None and device.fixed["hours"] == 1):
        power = _by_load(device, meter, opened) if device.fixed["hours"] == 1 else heating.SILENT
        if power == heating.SILENT and device.held_since and at - device.held_since > heating.HELD_US:
            power = c.ENERGY_PATTERN
    if power == heating.SILENT:
        device.held_since = device.held_since or at
    else:
        device.held_since, device.closed_excess, device.open_excess = 0, 0.0, 0.0
    return indoor, power, heating.SILENT


def _draws(meter: Channel) -> bool:
    excess, expected = _mean_excess(meter.habit)
    return excess >= heating.SEEN_SHARE * expected


def _by_load(device: Device, meter: Channel, opened: int) -> int:
    excess, expected = _mean_excess(meter.habit)
    if excess >= heating.FULL_SHARE * _full(meter.habit):
        return c.ENERGY_PATTERN
    if opened == c.OPEN:
        device.open_excess = excess
        return _grows(excess, device.closed_excess) if device.closed_excess > 0.0 else heating.SILENT
    if device.closed_run < pattern.SHORT:
        return heating.SILENT
    if excess >= heating.PLANT_SHARE * expected:
        return c.HEATING
    if opened != c.CLOSED:
        return heating.SILENT
    device.closed_excess = excess
    return _grows(device.open_excess, excess) if device.open_excess > 0.0 else heating.SILENT


def _by_contrast(device: Device, meter: Channel, opened: int) -> int:
    excess, expected = _mean_excess(meter.habit)
    shown = device.closed_excess > heating.SEEN_SHARE * expected
    if opened == c.OPEN and device.closed_run <= -pattern.LONG and shown:
        return _grows(excess, device.closed_excess)
    if opened == c.CLOSED and device.closed_run >= pattern.SHORT and device.open_excess > 0.0:
        return _grows(device.open_excess, excess)
    return heating.SILENT


def _grows(by_day: float, by_night: float) -> int:
    """Name an excess: what grows with the load is waste, what does not is heating."""
    return c.ENERGY_PATTERN if by_day >= heating.WITH_LOAD * by_night else c.HEATING


def _mean_excess(habit: oracle.Series) -> tuple[float, float]:
    last = habit.recent[: pattern.SHORT]
    total = awaited = 0.0
    for _, residual, _, expected in last:
        total, awaited = total + residual, awaited + expected
    return total / max(len(last), 1), awaited / max(len(last), 1)


def _full(habit: oracle.Series) -> float:
    working = [habit.cells[k] for k in range(c.SLOTS) if k in habit.cells]
    return max([0.0, *(base for seen, base, _ in working if seen >= pattern.VISITS_MIN)])


# ------------------------------------------------------------ buildings together


def share(now: int, devices: Iterable[Device]) -> list[list[float]]:
    """Return by how much buildings are off their habit all at once: of temperature and humidity, by what they are."""
    common = [[0.0] * c.CLASSES for _ in range(2)]
    for which, role in enumerate((c.INDOOR, c.HUMIDITY)):
        found: dict[int, list[float]] = {opened: [] for opened in range(c.CLASSES)}
        for device in devices:
            for one in device.channels.values():
                fresh = one.observed_at > now - kernels.FRESH_US
                if one.role != role or not fresh or not one.runs.n or one.habit.bad:
                    continue
                found[device.opened].append(one.habit.raw)
                if device.opened == c.CLOSED:
                    found[c.NEAR].append(one.habit.raw)
        for opened, raws in found.items():
            if len(raws) >= kernels.COMMON_MIN:
                common[which][opened] = float(median(raws))
    return common
