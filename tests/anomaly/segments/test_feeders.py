"""Feeders and cabinets of a street: each fault under its own name, once, and nothing where lamps are well."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from city.alarm import AlarmEvent, AlarmEventKind, FaultClass
from city.asset import Switching
from city.clock import HOUR_US, MINUTE_US
from city.link import GatewayLink
from city.registry import RootDefinition
from tests.anomaly.segments.street import (
    DAWN,
    DUSK,
    MIDNIGHT,
    NOON,
    RATED_W,
    SCHEDULE,
    Bulb,
    Said,
    Says,
    Street,
    alarms,
    healthy,
    raised,
)

F = FaultClass
BEGIN, END = MIDNIGHT, MIDNIGHT + 3 * HOUR_US


def silent(who: str, place: range = range(99), phase: str = "RST", begin: int = BEGIN, end: int = END) -> Says:
    """Lamps of one feeder or cabinet, some of its places or phases, say nothing for a while."""

    def says(bulb: Bulb, at: int, on: bool) -> Said:
        mine = who in (bulb.feeder, bulb.cabinet) and bulb.place in place and bulb.phase in phase
        return None if mine and begin <= at < end else healthy(bulb, at, on)

    return says


def delay(events: list[AlarmEvent], begin: int = BEGIN) -> int:
    (first,) = (event for event in events if event.kind is AlarmEventKind.RAISED)
    return first.at - begin


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (silent("C0F0"), (F.SUPPLY_LOSS, "C0F0")),
        (silent("C0F1"), (F.SUPPLY_LOSS, "C0F1")),
        (silent("C0"), (F.SUPPLY_LOSS, "C0")),
        (silent("C0F0", phase="S"), (F.CIRCUIT_BREAKER_TRIPPED, "C0F0")),
        (silent("C0F1", place=range(5, 12)), (F.CABLE_THEFT, "C0F1")),
    ],
)
def test_what_is_silent_together_is_one_alarm_of_what_feeds_it(says: Says, told: tuple[FaultClass, str]) -> None:
    events = alarms(Street(says, hours=19).records())
    assert raised(events) == [told]
    assert delay(events) <= HOUR_US
    (end,) = (event for event in events if event.kind is AlarmEventKind.CLEARED and event.fault is told[0])
    assert 0 < end.at - END <= 30 * MINUTE_US


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (silent("C0F1", place=range(14, 40), begin=NOON + 26 * HOUR_US, end=NOON + 60 * HOUR_US), F.CABLE_THEFT),
        (silent("C0F1", begin=NOON + 26 * HOUR_US, end=NOON + 60 * HOUR_US), F.SUPPLY_LOSS),
    ],
)
def test_a_feeder_whose_lamps_speak_once_a_night_is_told_in_the_night_in_which_they_do_not(
    says: Says, told: FaultClass
) -> None:
    events = alarms(Street(says, hours=45, interval_s=12 * 3600, lamps=40).records(), chunk=1000)
    assert raised(events) == [(told, "C0F1")]
    assert delay(events, NOON + 36 * HOUR_US) <= 7 * HOUR_US


@pytest.mark.parametrize(("online", "told"), [(True, (F.SUPPLY_LOSS, "C0")), (False, (F.COMMUNICATION_FAILURE, "G0"))])
def test_a_gateways_connection_tells_it_from_its_only_cabinet(online: bool, told: tuple[FaultClass, str]) -> None:
    links = [GatewayLink("G0", True, NOON), GatewayLink("G0", online, BEGIN + MINUTE_US)]
    records = Street(silent("C0"), hours=19, cabinets=1, links=links).records()
    events = alarms(records)
    assert raised(events) == [told]
    assert delay(events) <= 2 * HOUR_US
    assert alarms(records, chunk=11, save_every=2) == events


def test_hourly_lamps_tell_within_three_hours() -> None:
    says = silent("C0F0", phase="S", begin=NOON + 4 * HOUR_US, end=MIDNIGHT + 9 * HOUR_US)
    events = alarms(Street(says, hours=22, interval_s=3600).records())
    assert raised(events) == [(F.CIRCUIT_BREAKER_TRIPPED, "C0F0")]
    assert delay(events, NOON + 4 * HOUR_US) <= 3 * HOUR_US


def test_nothing_is_said_of_a_street_that_is_well() -> None:
    assert alarms(Street(hours=40).records()) == []


def test_a_contactor_that_closes_late_or_opens_early_is_no_outage() -> None:
    """Its clock is off by eighty minutes: for so long all its lamps sleep where they should burn."""
    late = 80 * MINUTE_US

    def says(bulb: Bulb, at: int, on: bool) -> Said:
        if bulb.switched and bulb.cabinet == "C0":
            return healthy(bulb, at, True) if DUSK + late <= at < DAWN - late else None
        return healthy(bulb, at, on)

    assert alarms(Street(says, hours=22).records()) == []


def test_lamps_that_are_heard_a_little_later_than_others_after_a_late_contactor_are_no_theft() -> None:
    tomorrow = DUSK + 24 * HOUR_US

    def says(bulb: Bulb, at: int, on: bool) -> Said:
        late = (85 if bulb.place > 6 else 50) * MINUTE_US
        mine = bulb.switched and bulb.cabinet == "C0"
        return healthy(bulb, at, on and not (mine and -HOUR_US < at - tomorrow < late))

    assert alarms(Street(says, hours=32, lamps=12, cabinets=1).records()) == []


def ahead(minutes: int, nights: int) -> Says:
    """The clock of C0 switches early (or late) for some nights, from the first."""

    def says(bulb: Bulb, at: int, on: bool) -> Said:
        if bulb.switched and bulb.cabinet == "C0" and at < NOON + nights * 24 * HOUR_US:
            return healthy(bulb, at, SCHEDULE.commanded_on(at + minutes * MINUTE_US))
        return healthy(bulb, at, on)

    return says


@pytest.mark.parametrize("minutes", [40, -40])
def test_a_clock_that_is_wrong_on_two_nights_is_told_and_once_it_is_right_no_more(minutes: int) -> None:
    events = alarms(Street(ahead(minutes, 4), hours=24 * 6, lamps=6, cabinets=1).records())
    assert [(e.kind, e.fault, e.scope.asset_id) for e in events] == [
        (AlarmEventKind.RAISED, F.CABINET_CLOCK_WRONG, "C0"),
        (AlarmEventKind.CLEARED, F.CABINET_CLOCK_WRONG, "C0"),
    ]
    assert events[0].at <= DUSK + (2 * 24 + 4) * HOUR_US
    assert events[0].evidence.observed == pytest.approx(minutes, abs=12)


def test_a_feeder_that_a_wrong_clock_leaves_on_after_dawn_is_its_clocks_doing() -> None:
    """What hourly lamps said last is still fresh when a clock can no longer be that far off."""
    events = alarms(Street(ahead(-91, 4), hours=24 * 3, lamps=6, cabinets=1, interval_s=3600).records())
    assert [(e.kind, e.fault, e.scope.asset_id) for e in events] == [
        (AlarmEventKind.RAISED, F.CABINET_CLOCK_WRONG, "C0")
    ]


class AlwaysLive(Street):
    """A street without contactors: its cabinets tell lamps when to burn."""

    def bulbs(self) -> Iterator[Bulb]:
        return (replace(bulb, switched=False) for bulb in super().bulbs())

    def roots(self) -> list[RootDefinition]:
        return [
            replace(root, feeders=tuple(replace(one, switching=Switching.PERMANENT) for one in root.feeders))
            for root in super().roots()
        ]


def beside(minutes: int, nights: int) -> Says:
    """The clock of C0 tells its lamps to burn early (or late) for some nights, from the first."""

    def says(bulb: Bulb, at: int, on: bool) -> Said:
        wrong = bulb.cabinet == "C0" and at < NOON + nights * 24 * HOUR_US
        return healthy(bulb, at, SCHEDULE.commanded_on(at + minutes * MINUTE_US) if wrong else on)

    return says


@pytest.mark.parametrize("minutes", [70, -70])
def test_a_clock_that_moves_lamps_alone_is_told_as_the_cabinets_and_not_as_its_lamps(minutes: int) -> None:
    """For seventy minutes all of them burn by day, or are dark at night: that is nothing of the lamps'."""
    events = alarms(AlwaysLive(beside(minutes, 4), hours=24 * 6, lamps=6, cabinets=1).records())
    assert raised(events) == [(F.CABINET_CLOCK_WRONG, "C0")]
    assert delay(events, DUSK) <= (2 * 24 + 4) * HOUR_US
    assert events[-1].kind is AlarmEventKind.CLEARED


@pytest.mark.parametrize("minutes", [8, -8])
def test_a_clock_that_is_off_by_minutes_is_none_of_anyones_business(minutes: int) -> None:
    assert alarms(Street(ahead(minutes, 9), hours=24 * 4, lamps=6, cabinets=1).records()) == []


def test_a_feeder_that_burns_by_day_is_one_alarm_and_its_lamps_are_folded() -> None:
    def says(bulb: Bulb, at: int, on: bool) -> Said:
        welded = bulb.feeder == "C0F1" and at >= MIDNIGHT
        return (RATED_W, 231.0, 100.0) if welded else healthy(bulb, at, on)

    events = alarms(Street(says, hours=26).records())
    assert raised(events) == [(F.SWITCHING_ERROR_ON, "C0F1")]
    assert delay(events, DAWN) <= 115 * MINUTE_US, "a clock could be that far off; no other feeder tells otherwise"


@pytest.mark.parametrize("before", [50, 100, 190])
def test_a_feeder_that_burns_from_before_dusk_on_is_one_alarm(before: int) -> None:
    """Hourly lamps show it once or twice before dusk, when a clock could be that far off, and again in the morning."""

    def says(bulb: Bulb, at: int, on: bool) -> Said:
        welded = bulb.feeder == "C0F0" and at >= DUSK - before * MINUTE_US
        return (RATED_W, 231.0, 100.0) if welded else healthy(bulb, at, on)

    events = alarms(Street(says, hours=26, interval_s=3600).records())
    assert raised(events) == [(F.SWITCHING_ERROR_ON, "C0F0")]
    assert [e.scope.asset_id for e in events if e.kind is AlarmEventKind.RAISED] == ["C0F0"]


def test_a_feeder_that_is_told_to_stay_off_at_night_is_one_alarm() -> None:
    def says(bulb: Bulb, at: int, on: bool) -> Said:
        dead = bulb.feeder == "C0F0" and BEGIN <= at < END
        return (0.4, 232.0, 0.0) if dead else healthy(bulb, at, on)

    events = alarms(Street(says, hours=19).records())
    assert [(e.kind, e.fault, e.scope.asset_id) for e in events] == [
        (AlarmEventKind.RAISED, F.SWITCHING_ERROR_OFF, "C0F0"),
        (AlarmEventKind.CLEARED, F.SWITCHING_ERROR_OFF, "C0F0"),
    ]
    assert delay(events) <= HOUR_US


def trips(gasps: bool) -> Says:
    """Supply of C0F0 goes for a quarter of an hour, twice; two of twelve may say so."""

    def says(bulb: Bulb, at: int, on: bool) -> Said:
        for begin in (BEGIN, BEGIN + 2 * HOUR_US):
            if bulb.feeder == "C0F0" and begin < at <= begin + 16 * MINUTE_US:
                return (0.0, 0.0, 100.0) if gasps and bulb.place in (5, 10) and at <= begin + MINUTE_US else None
        return healthy(bulb, at, on)

    return says


@pytest.mark.parametrize("gasps", [True, False])
def test_supply_that_goes_and_comes_twice_in_a_night_is_a_breaker_that_recloses(gasps: bool) -> None:
    events = alarms(Street(trips(gasps), hours=17).records())
    assert raised(events) == [(F.RCD_RECLOSING, "C0F0")]
    assert delay(events, BEGIN + 2 * HOUR_US) <= 40 * MINUTE_US


@pytest.mark.parametrize("hours", [1, 3, 8])
def test_one_loss_is_no_trip_after_trip_because_controllers_fell_silent_and_come_back_one_by_one(hours: int) -> None:
    begin = MIDNIGHT - 4 * HOUR_US + 7 * MINUTE_US

    def says(bulb: Bulb, at: int, on: bool) -> Said:
        return None if bulb.feeder == "C0F0" and begin <= at < begin + hours * HOUR_US else healthy(bulb, at, on)

    events = alarms(Street(says, hours=20, lamps=14, spread_min=15).records())
    assert raised(events) == [(F.SUPPLY_LOSS, "C0F0")]


def test_the_same_comes_whatever_the_batches_and_snapshots() -> None:
    records = Street(silent("C0F1", place=range(5, 12)), hours=17).records()
    once = alarms(records, chunk=len(records))
    assert once
    assert alarms(records, chunk=11, save_every=2) == once


def volts(value: float, begin: int = BEGIN, end: int = END, days: int = 1) -> Says:
    """The voltage of C0F0 is another for some hours of some nights."""

    def says(bulb: Bulb, at: int, on: bool) -> Said:
        said = healthy(bulb, at, on)
        shift = (at - begin) % (24 * HOUR_US) < end - begin and 0 <= at - begin < days * 24 * HOUR_US
        return (said[0], value, said[2]) if said and bulb.feeder == "C0F0" and shift else said

    return says


@pytest.mark.parametrize(("value", "fault"), [(260.0, F.SUPPLY_VOLTAGE_TOO_HIGH), (160.0, F.SUPPLY_VOLTAGE_TOO_LOW)])
def test_voltage_beyond_its_limits_is_told_after_ten_minutes(value: float, fault: FaultClass) -> None:
    events = alarms(Street(volts(value), hours=17).records())
    assert [(e.kind, e.fault, e.scope.asset_id) for e in events] == [
        (AlarmEventKind.RAISED, fault, "C0F0"),
        (AlarmEventKind.CLEARED, fault, "C0F0"),
    ]
    assert 10 * MINUTE_US <= delay(events) <= 40 * MINUTE_US


def test_low_voltage_that_was_told_does_not_end_in_an_hour_of_which_nothing_is_known() -> None:
    """Lamps of a switched feeder fall asleep in the middle of an hour that has taught nothing yet."""
    dark = MIDNIGHT + (3 * 24 - 2) * HOUR_US

    def says(bulb: Bulb, at: int, on: bool) -> Said:
        said = healthy(bulb, at, on)
        return (said[0], 199.0, said[2]) if said and bulb.feeder == "C0F1" and at >= dark else said

    events = alarms(Street(says, hours=24 * 4 - 2, lamps=3, cabinets=1).records())
    assert [(e.kind, e.fault, e.scope.asset_id) for e in events] == [
        (AlarmEventKind.RAISED, F.SUPPLY_VOLTAGE_TOO_LOW, "C0F1")
    ]


def test_a_reducer_at_the_head_of_a_feeder_is_known_by_its_hours() -> None:
    """185 V from midnight on, night after night, is on purpose; in the evening of the fifth day it is not."""
    street = Street(volts(185.0, days=9), hours=24 * 6, lamps=3, cabinets=1)
    assert alarms(street.records()) == []

    def says(bulb: Bulb, at: int, on: bool) -> Said:
        evening = bulb.feeder == "C0F0" and 0 <= at - (MIDNIGHT + 24 * 4 * HOUR_US - 5 * HOUR_US) < HOUR_US
        return (RATED_W, 185.0, 100.0) if evening else volts(185.0, days=9)(bulb, at, on)

    told = raised(alarms(Street(says, hours=24 * 6, lamps=3, cabinets=1).records()))
    assert told == [(F.SUPPLY_VOLTAGE_TOO_LOW, "C0F0")]
