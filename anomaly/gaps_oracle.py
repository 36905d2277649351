"""The same as `gaps` in slow plain Python, for the tests to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from anomaly.gaps import (
    AGAIN,
    BURSTS_KEPT,
    FALSE_A_YEAR,
    HEARD_US,
    HOURS_KEPT,
    LATE_INTERVALS,
    LOST_MOST,
    MOST_US,
    PRIOR,
    SELDOM,
    TRIALS_KEPT,
    YEAR_H,
)
from city.clock import HOUR_US

if TYPE_CHECKING:
    from anomaly.oracle import Device

Gap = dict[str, Any]


def note(gap: Gap, heard: int, at: int, silence: int, interval: int, told: bool) -> None:
    """Note that a device was heard again, `silence` µs of powered time after it was before."""
    lost = (silence + interval // 2) // interval - 1
    if lost > 0:
        gap["from_us"], gap["until_us"] = heard, at
        gap["lost"] = 0 if told else min(lost, LOST_MOST)


def learn(
    now: int,
    devices: Sequence[Device],
    states: Sequence[dict[str, Any]],
    gaps: Sequence[Gap],
    gateway_of: Sequence[int],
    feeder_of: Sequence[int],
) -> None:
    """Learn from gaps of which the neighbours have told by now whether they had the same."""
    for d, (device, gap) in enumerate(zip(devices, gaps, strict=True)):
        if not gap["lost"] or now - gap["until_us"] < LATE_INTERVALS * device.interval_us:
            continue
        moment = gap["from_us"] + (gap["until_us"] - gap["from_us"]) // 2
        on_gateway = [j for j, other in enumerate(gateway_of) if other == gateway_of[d]]
        on_feeder = [j for j in on_gateway if feeder_of[d] >= 0 and feeder_of[j] == feeder_of[d]]
        if not any(_most_missed(moment, group, states, gaps) for group in (on_gateway, on_feeder)):
            gap["bursts"] += 1
            gap["trials"] += gap["lost"]
            if gap["bursts"] >= BURSTS_KEPT or gap["trials"] >= TRIALS_KEPT:
                _fade(gap)
        gap["lost"] = 0


def _fade(gap: Gap) -> None:
    gap["bursts"] = (gap["bursts"] + 1) // 2
    gap["trials"] = max(gap["trials"] // 2, gap["bursts"])
    gap["hours"] = gap["hours"] // 2


def _most_missed(moment: int, group: Sequence[int], states: Sequence[dict[str, Any]], gaps: Sequence[Gap]) -> bool:
    missed = [j for j in group if gaps[j]["from_us"] <= moment < gaps[j]["until_us"]]
    heard = [j for j in group if j not in missed and states[j]["heard_at"] > moment]
    return len(missed) > 1 and len(missed) >= len(heard)


def reckon(
    now: int,
    devices: Sequence[Device],
    states: Sequence[dict[str, Any]],
    gaps: Sequence[Gap],
    gateway_of: Sequence[int],
) -> None:
    """Reckon anew, from all that was learnt, how long each device is waited for; once an hour."""
    for state, gap in zip(states, gaps, strict=True):
        if now - state["heard_at"] < HEARD_US:
            gap["hours"] += 1
            if gap["hours"] >= HOURS_KEPT:
                _fade(gap)
    common = _mean(AGAIN, gaps)
    for device, gap, gateway in zip(devices, gaps, gateway_of, strict=True):
        beside = [other for other, its in zip(gaps, gateway_of, strict=True) if its == gateway]
        again = PRIOR * _mean(common, beside) + (gap["trials"] - gap["bursts"])
        total = PRIOR + gap["trials"]
        gap["again"] = again / total
        begin = max(_a_year(beside, device.interval_us), _a_year([gap], device.interval_us))
        most = max(device.silence_us, MOST_US) // device.interval_us
        tail, k = 1.0, 0
        while tail > FALSE_A_YEAR / begin and k + 1 < most:
            tail *= (again + k) / (total + k)
            k += 1
        gap["patience_us"] = (1 + k) * device.interval_us


def _a_year(gaps: Sequence[Gap], interval_us: int) -> float:
    bursts, hours = (int(sum(gap[name] for gap in gaps)) for name in ("bursts", "hours"))
    return YEAR_H * (bursts + 1.0) / (hours + SELDOM * interval_us / HOUR_US)


def _mean(prior: float, gaps: Sequence[Gap]) -> float:
    bursts, trials = (int(sum(gap[name] for gap in gaps)) for name in ("bursts", "trials"))
    return (PRIOR * prior + (trials - bursts)) / (PRIOR + trials)
