"""Runs over history let time pass in longer steps than production does: what is decided is the same, a step later."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from anomaly.backtest.runner import tick_for
from city.alarm import AlarmEvent, AlarmEventKind
from city.clock import MINUTE_US, SECOND_US
from city.topics import READINGS
from stream import codec
from stream.codec import Tick
from stream.log import Record
from tests.anomaly.test_detector import behave_badly
from tests.anomaly.world import INTERVAL, START, Town, correlate, detect, root

PRODUCTION = 10 * SECOND_US
OFFLINE = tick_for([root(0)])
Key = tuple[str, str, str, int]


def records(town: Town, partition: int, tick_us: int) -> list[Record]:
    def made() -> Iterator[tuple[int, str, bytes]]:
        heard = [r for r in town.records[partition] if r.kind != codec.TICK]
        end = heard[-1].at_us + INTERVAL
        ticks = ((at, codec.TICK, codec.encode(Tick(at, tick_us))) for at in range(START + tick_us, end, tick_us))
        # What is heard at a moment is on the log before the tick of that moment.
        yield from sorted([*((r.at_us, r.kind, r.value) for r in heard), *ticks], key=lambda one: one[0])

    return [Record(READINGS, partition, n, kind, value, at) for n, (at, kind, value) in enumerate(made())]


def decided(town: Town, tick_us: int) -> dict[Key, tuple[int, int]]:
    """Return what was told of which alarm; when, and when it is said to have ended, else 0."""
    said = [append for partition in town.records for append in detect(records(town, partition, tick_us))[1]]
    said.sort(key=lambda append: append.at_us)
    events = [codec.decode(AlarmEvent, value) for value in correlate(said)[1]]
    assert len({event.event_id for event in events}) == len(events)
    return {(e.kind, e.fault, e.scope.asset_id, e.raised_at): (e.at, e.cleared_at or 0) for e in events}


def test_a_run_lets_time_pass_three_times_an_interval() -> None:
    assert OFFLINE == 5 * MINUTE_US
    quick = replace(root(0), devices=tuple(replace(d, report_interval_s=60) for d in root(0).devices))
    slow = replace(root(0), devices=tuple(replace(d, report_interval_s=6 * 3600) for d in root(0).devices))
    assert (tick_for([root(0), quick]), tick_for([slow]), tick_for([])) == (MINUTE_US, 15 * MINUTE_US, OFFLINE)


@pytest.mark.parametrize("seed", range(4))
def test_decisions_of_longer_ticks_are_those_of_production_and_up_to_a_tick_later(seed: int) -> None:
    town = behave_badly(seed)
    often, seldom = decided(town, PRODUCTION), decided(town, OFFLINE)
    assert any(kind == AlarmEventKind.RAISED for kind, *_ in often)
    assert set(seldom) == set(often)
    for key, (at, cleared_at) in seldom.items():
        told_at, ended_at = often[key]
        assert 0 <= at - told_at < OFFLINE, key
        # Of what is counted at ticks the end is a tick, of what readings tell it is theirs.
        assert 0 <= cleared_at - ended_at < OFFLINE, key
