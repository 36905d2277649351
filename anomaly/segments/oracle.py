"""The same as `kernels` in slow plain Python, for the tests to compare with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anomaly.oracle import (
    Device,
    Period,
    awake,
    by_day_after,
    command_at,
    commanded_on,
    listened_us,
    powered_until,
    powered_us,
)
from anomaly.segments.layout import (
    ABSENT,
    ASLEEP,
    COUNTED_H,
    FORGOTTEN_US,
    GASP_BELOW,
    HEARD,
    HOURS,
    LATE,
    LOSS_STEP,
    LOST_MAX,
    NOMINAL_V,
    PAUSE_US,
    POWER,
    SILENT,
    SLOW_RUN,
    STOOD_US,
    VOLTAGE,
)

Row = dict[str, Any]


@dataclass(slots=True)
class Lamp:
    """The fixed part of a lamp: what `anomaly.oracle` needs of it, and its feeder."""

    device: Device
    feeder: int
    scheduled: bool

    @property
    def interval_us(self) -> int:
        return self.device.interval_us


def hear(lamp: Lamp, said: Row, at: int, received: int, values: Mapping[int, float]) -> None:
    """Take all that one controller says of one moment: channel → value, `received` the latest receipt."""
    if lamp.feeder < 0 or at <= said["heard_at"]:
        return
    before = said["heard_at"]
    volts, power = values.get(VOLTAGE), values.get(POWER)
    gasp = volts is not None and volts < GASP_BELOW * NOMINAL_V
    if before > 0 and not gasp:
        _notice_gap(lamp, said, before, at)
    if not gasp:
        said["by_day"] = by_day_after(lamp.device, said["by_day"], before, at)
    said["heard_at"], said["received_at"] = at, received
    if gasp:
        said["gasp_at"] = at
        return
    if volts is not None:
        said["volts"], said["volts_at"] = volts, at
    if power is not None:
        said["power_at"] = at
    if lamp.scheduled:
        if power is not None and not lamp.device.switched:
            _notice_turn(lamp, said, at, power > lamp.device.on_above_w)
        _notice_load(lamp, said, at, power)
        if HOURS in values and power is None and not lamp.device.switched:
            _notice_hours(lamp, said, at, values[HOURS])


def _notice_gap(lamp: Lamp, said: Row, before: int, at: int) -> None:
    gap = at - before
    powered = powered_us(awake(lamp.device, said["by_day"]), before, at, 0)
    if powered == gap:
        interval = max(lamp.interval_us, said["interval_us"])
        _learn(lamp, said, gap, interval)
        if 2 * gap > 3 * interval:
            said["missed_from"], said["missed_until"] = before, at
    elif gap - powered > PAUSE_US:
        said["slept_at"], said["woke_at"] = before, at


def _learn(lamp: Lamp, said: Row, gap: int, interval: int) -> None:
    if 2 * gap > 3 * interval:
        said["slow_us"] = min(said["slow_us"], gap) if said["slow_run"] else gap
        said["slow_run"] += 1
        if said["slow_run"] == SLOW_RUN:
            said["interval_us"], said["slow_run"] = said["slow_us"], 0
    else:
        said["slow_run"] = 0
        if 4 * gap < 3 * interval:
            said["interval_us"] = max(lamp.interval_us, gap)
    lost = (gap + interval // 2) // interval - 1
    if lost <= LOST_MAX:
        for _ in range(lost):
            said["loss"] += LOSS_STEP * (1.0 - said["loss"])
        said["loss"] -= LOSS_STEP * said["loss"]


def _notice_turn(lamp: Lamp, said: Row, at: int, lit: bool) -> None:
    interval = max(lamp.interval_us, said["interval_us"])
    now, other, edge = ("lit_at", "unlit_at", "woke_at") if lit else ("unlit_at", "lit_at", "slept_at")
    if said[other] > said[now] and 2 * (at - said[other]) <= 3 * interval:
        said[edge] = at if lit else said["lit_at"]
    said[now] = at


def _notice_load(lamp: Lamp, said: Row, at: int, power: float | None) -> None:
    command = command_at(lamp.device, at)
    if command is None:
        return
    lit = power is not None and power > lamp.device.on_above_w
    if command:
        if lamp.device.switched:
            said["live_run"] = 0
        if lit:
            said["dark_run"] = 0
        elif power is not None:
            said["dark_since"] = said["dark_since"] if said["dark_run"] else at
            said["dark_run"] += 1
        return
    said["dark_run"] = 0
    if lit or lamp.device.switched:
        said["live_since"] = said["live_since"] if said["live_run"] else at
        said["live_run"] += 1
    elif power is not None:
        said["live_run"] = 0


def _notice_hours(lamp: Lamp, said: Row, at: int, hours: float) -> None:
    counted_at, before = said["hours_at"], said["hours"]
    said["hours_at"], said["hours"] = at, hours
    told = sum(max(0, min(at, off) - max(counted_at, on)) for on, off in lamp.device.periods)
    if counted_at == 0 or hours < before or told < STOOD_US:
        return
    said["power_at"] = at
    if hours - before > COUNTED_H:
        said["dark_run"] = 0
    else:
        said["dark_since"] = said["dark_since"] if said["dark_run"] else counted_at
        said["dark_run"] += 2


def state(now: int, lamp: Lamp, said: Row, deaf: Sequence[Period]) -> Row:
    """Return what one controller is at `now`."""
    told = {"since": 0, "missed": 0, "before": 0, "state": ABSENT}
    heard = said["heard_at"]
    last = max(heard, said["received_at"])
    if lamp.feeder < 0 or heard == 0 or now - last > FORGOTTEN_US:
        return told
    device = awake(lamp.device, said["by_day"])
    if device.switched and not commanded_on(device, now):
        return {**told, "state": ASLEEP}
    interval = max(lamp.interval_us, said["interval_us"])
    usual = patience = interval + interval // 2
    silence = tonight = listened_us(device, last, now, deaf)
    since = powered_until(device, heard, 1)
    if device.switched:
        on, off = max(period for period in device.periods if period[0] <= now)
        if heard < on:
            since = on + device.guard_us
            tonight = now - since
            patience = min(interval + interval // 4, (off - on) // 4 * 3)
    if silence > usual and tonight > patience:
        before = max(silence - tonight, 0) // interval
        return {"since": since, "missed": silence // interval, "before": before, "state": SILENT}
    return {**told, "state": HEARD if now - last <= usual else LATE}


def gather(
    now: int,
    lamps: Sequence[Lamp],
    said: Sequence[Row],
    limit: Mapping[str, float],
    deaf: Sequence[Period],
    feeder: int,
) -> Row:
    """Return the counts of one feeder."""
    hung = [
        (row, state(now, lamp, row, deaf)["state"], max(lamp.interval_us, row["interval_us"]))
        for lamp, row in zip(lamps, said, strict=True)
        if lamp.feeder == feeder
    ]
    known = [(row, what, interval) for row, what, interval in hung if what != ABSENT]

    def fresh(name: str) -> list[Row]:
        return [row for row, _, interval in known if row[name] >= now - interval - interval // 2]

    spoken = fresh("heard_at")
    live = [row for row in spoken if row["live_run"] >= 2]
    powered = [row for row in spoken if row in fresh("power_at")]
    dark = [row for row in powered if row["dark_run"] >= 2]
    volts = [row for row in spoken if row in fresh("volts_at") and row["gasp_at"] < row["volts_at"]]
    over, under = ([r for r in volts if r["volts"] > limit["over"]], [r for r in volts if r["volts"] < limit["under"]])
    high, low = ([r for r in volts if r["volts"] > limit["high"]], [r for r in volts if r["volts"] < limit["low"]])
    beyond = [row["volts_at"] for row in (*over, *under, *high, *low)]
    total = 0.0
    for row in volts:
        total += row["volts"]
    return {
        "heard_at": max((row["heard_at"] for row, _, _ in known), default=0),
        "volts_since": min(beyond, default=0),
        "volts_until": max(beyond, default=0),
        "dark_since": min((row["dark_since"] for row in dark), default=0),
        "live_since": min((row["live_since"] for row in live), default=0),
        "volts_sum": total,
        "known": len(known),
        "heard": sum(what == HEARD for _, what, _ in known),
        "silent": sum(what == SILENT for _, what, _ in known),
        "missed": sum(row["missed_until"] >= now - interval for row, _, interval in known),
        "gasped": sum(row["gasp_at"] > now - interval - interval // 2 for row, _, interval in known),
        "powered": len(powered),
        "dark": len(dark),
        "fresh": len(spoken),
        "live": len(live),
        "volts": len(volts),
        "over": len(over),
        "under": len(under),
        "high": len(high),
        "low": len(low),
    }
