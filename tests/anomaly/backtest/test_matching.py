"""Each rule of matching on tickets and labels made by hand."""

from anomaly.backtest.figures import count, precision
from anomaly.backtest.fleet import Fleet
from anomaly.backtest.labels import Label
from anomaly.backtest.matching import GRACE_US, Verdict, match
from anomaly.backtest.tickets import Ticket
from city.alarm import Scope
from city.asset import AssetKind, Switching
from city.clock import DAY_US, HOUR_US
from city.lighting import LightingSchedule
from city.registry import DeviceDefinition, FaultRules, FeederDefinition, RootDefinition, SeriesDefinition

DAY = DAY_US
SUN = LightingSchedule("sun", 43.54, -5.66, -0.833)


def scope(kind: AssetKind, name: str, feeder: str = "F") -> Scope:
    return Scope(kind, name, "C", "g", feeder, "G")


def fleet() -> Fleet:
    feeders = tuple(
        FeederDefinition(scope(AssetKind.FEEDER, name, name), Switching.PERMANENT, SUN) for name in ("E", "F")
    )
    devices = tuple(
        DeviceDefinition(
            f"D{n}",
            scope(AssetKind.LAMP, f"L{n}"),
            900,
            8.0,
            (SeriesDefinition(n + 1, f"D{n}", "active_power_w"),),
            40.0,
        )
        for n in range(6)
    )
    return Fleet([RootDefinition("C", AssetKind.CABINET, "g", "v", feeders, devices, FaultRules())])


FLEET = fleet()


def ticket(asset: str, at: int, fault: str = "lampFailure", **more: object) -> Ticket:
    kind = AssetKind.FEEDER if asset == "F" else AssetKind.LAMP
    made = Ticket(f"{asset}|{fault}|{at}", fault, scope(kind, asset), at, at, was_raised=1)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def verdict(labels: list[Label], tickets: list[Ticket], unobservable: list[Label] | None = None) -> Verdict:
    first = {label: None if label in (unobservable or []) else label.onset_us for label in labels}
    return match(labels, {t.alarm_id: t for t in tickets}, first, FLEET)


LABEL = Label(10 * DAY, "L1", "lampFailure", 12 * DAY)


def test_found_is_the_right_asset_and_the_right_name() -> None:
    found = verdict([LABEL], [ticket("L1", 10 * DAY + HOUR_US)])
    assert [one.label for one in found.found] == [LABEL]
    assert found.found[0].delay_us == HOUR_US
    assert (found.missed, found.false) == ([], [])


def test_the_right_name_on_another_asset_is_a_miss_and_false() -> None:
    found = verdict([LABEL], [ticket("L2", 10 * DAY + HOUR_US)])
    assert found.missed == [LABEL]
    assert [one.beside for one in found.false] == [None]


def test_another_name_on_the_right_asset_is_a_miss_and_false_beside_it() -> None:
    found = verdict([LABEL], [ticket("L1", 10 * DAY + HOUR_US, "lampUnexpectedOn")])
    assert found.missed == [LABEL]
    assert [one.beside for one in found.false] == [LABEL]


def test_a_ticket_counts_from_onset_until_the_grace_after_the_end() -> None:
    inside = (10 * DAY, 12 * DAY - 1, 12 * DAY + GRACE_US - 1)
    outside = (10 * DAY - 1, 12 * DAY + GRACE_US)
    assert [len(verdict([LABEL], [ticket("L1", at)]).found) for at in inside] == [1, 1, 1]
    assert [len(verdict([LABEL], [ticket("L1", at)]).found) for at in outside] == [0, 0]


def test_a_label_without_an_end_goes_on() -> None:
    assert len(verdict([Label(10 * DAY, "L1", "lampFailure")], [ticket("L1", 400 * DAY)]).found) == 1


def test_of_two_tickets_of_one_label_the_second_is_false() -> None:
    found = verdict([LABEL], [ticket("L1", 10 * DAY + 1), ticket("L1", 11 * DAY)])
    assert [one.ticket.raised_us for one in found.found] == [10 * DAY + 1]
    assert [one.ticket.raised_us for one in found.false] == [11 * DAY]


def test_two_labels_of_one_asset_take_a_ticket_each() -> None:
    labels = [LABEL, Label(20 * DAY, "L1", "lampFailure", 21 * DAY)]
    found = verdict(labels, [ticket("L1", 20 * DAY + 1), ticket("L1", 10 * DAY + 1)])
    assert [one.label for one in found.found] == labels


def test_a_label_that_could_not_show_counts_for_nothing() -> None:
    found = verdict([LABEL], [], [LABEL])
    assert (found.unobservable, found.missed, found.found) == ([LABEL], [], [])
    found = verdict([LABEL], [ticket("L1", 11 * DAY)], [LABEL])
    assert (len(found.beyond), found.false) == (1, [])


def test_a_child_that_is_folded_is_no_ticket() -> None:
    outage = Label(10 * DAY, "F", "supplyLoss", 11 * DAY)
    parent = ticket("F", 10 * DAY + HOUR_US, "supplyLoss")
    child = ticket("L1", 10 * DAY + HOUR_US, "communicationFailure", parent_id=parent.alarm_id)
    found = verdict([outage], [parent, child])
    assert [one.label for one in found.found] == [outage]
    assert found.false == []


def test_a_labelled_child_that_the_right_parent_explains_is_neither_found_nor_missed() -> None:
    outage = Label(10 * DAY, "F", "supplyLoss", 11 * DAY)
    parent = ticket("F", 10 * DAY + HOUR_US, "supplyLoss")
    child = ticket("L1", 10 * DAY + HOUR_US, parent_id=parent.alarm_id, was_raised=0)
    found = verdict([outage, LABEL], [parent, child])
    assert found.folded == [LABEL]
    # A parent that nothing is wrong with explains nothing.
    found = verdict([LABEL], [parent, child])
    assert found.missed == [LABEL]


def test_what_was_raised_and_folded_later_can_be_found_and_is_never_false() -> None:
    gateway = ticket("F", 11 * DAY, "communicationFailure")
    alarm = ticket("L1", 10 * DAY + HOUR_US, parent_id=gateway.alarm_id)
    found = verdict([LABEL], [gateway, alarm])
    assert [one.label for one in found.found] == [LABEL]
    assert [one.ticket for one in found.false] == [gateway]
    assert [one.ticket for one in verdict([], [gateway, alarm]).false] == [gateway]


def test_a_child_that_stands_beside_its_parent_breaks_the_one_ticket_of_an_outage() -> None:
    outage = Label(10 * DAY, "F", "supplyLoss", 11 * DAY)
    parent = ticket("F", 10 * DAY + HOUR_US, "supplyLoss")
    alone = count(verdict([outage], [parent]), FLEET, 365 * DAY)
    beside = count(verdict([outage], [parent, ticket("L3", 10 * DAY + 2 * HOUR_US)]), FLEET, 365 * DAY)
    assert (alone.outages, alone.outages_single) == (1, 1)
    assert (beside.outages, beside.outages_single) == (1, 0)
    assert (beside.lamp_false, beside.lamp_false_sound) == (1, 0)


def test_failures_of_one_feeder_are_separate_only_if_each_has_its_ticket_and_the_feeder_none() -> None:
    labels = [Label(10 * DAY, f"L{n}", "lampFailure", 12 * DAY) for n in range(3)]
    own = [ticket(f"L{n}", 10 * DAY + HOUR_US + n) for n in range(3)]
    tallies = [
        count(verdict(labels, tickets), FLEET, 365 * DAY)
        for tickets in (own, own[:2], [*own, ticket("F", 11 * DAY, "supplyLoss")])
    ]
    assert [(t.groups, t.groups_separate) for t in tallies] == [(1, 1), (1, 0), (1, 0)]


def test_five_failures_at_once_or_an_outage_above_make_no_group() -> None:
    five = [Label(10 * DAY, f"L{n}", "lampFailure", 12 * DAY) for n in range(5)]
    assert count(verdict(five, []), FLEET, DAY).groups == 0
    outage = Label(11 * DAY, "F", "supplyLoss", 13 * DAY)
    assert count(verdict([*five[:2], outage], []), FLEET, DAY).groups == 0
    assert count(verdict(five[:2], []), FLEET, DAY).groups == 1


def test_precision_is_that_of_a_city_where_one_lamp_in_a_hundred_fails() -> None:
    # Six lamps for a hundred years, one false ticket on a sound one: 1/600 a lamp-year beside 0.01 right ones.
    found = verdict([LABEL], [ticket("L1", 11 * DAY), ticket("L5", 50 * DAY)])
    tally = count(found, FLEET, 36_525 * DAY)
    share = precision(tally)
    assert share is not None
    assert abs(share - 0.01 / (0.01 + 1 / 600)) < 1e-9
    # A wrong name beside a fault comes with the faults, not with the years.
    wrong = count(verdict([LABEL], [ticket("L1", 11 * DAY), ticket("L1", 11 * DAY, "flicker")]), FLEET, DAY)
    assert precision(wrong) == 0.5
