"""Tickets against labels (pure): found means the right asset and the right name, anything else is a miss and false.

The rules, in their order, are those of docs/backtest.md.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from anomaly.backtest.fleet import Fleet
from anomaly.backtest.labels import Label, in_order
from anomaly.backtest.tickets import Ticket
from city.clock import HOUR_US

GRACE_US = HOUR_US
"""A ticket may come so long after the end of its label, or two intervals of the asset if that is longer: what was
heard before the end is still on its way through the rules."""
FAR_US = 1 << 62


@dataclass(frozen=True, slots=True)
class Found:
    """A label and its ticket.

    Attributes
    ----------
    shown_us : int
        When the first reading was made that could show it.
    """

    label: Label
    ticket: Ticket
    shown_us: int

    @property
    def delay_us(self) -> int:
        """From the first reading that could show it to the ticket."""
        return max(self.ticket.raised_us - self.shown_us, 0)


@dataclass(frozen=True, slots=True)
class FalseTicket:
    """A ticket without a label of its own; `beside` is a label of the same asset or of one above or below, if any."""

    ticket: Ticket
    beside: Label | None


@dataclass(slots=True)
class Verdict:
    """What became of each label and each ticket.

    Attributes
    ----------
    folded : list of Label
        Its own alarm was folded into the ticket of another label, which explains it: neither found nor missed.
    unobservable : list of Label
        It ended before any reading could show it.
    beyond : list of Ticket
        The right asset and name for a label that is not observable: neither found nor false.
    """

    found: list[Found] = field(default_factory=list)
    missed: list[Label] = field(default_factory=list)
    folded: list[Label] = field(default_factory=list)
    unobservable: list[Label] = field(default_factory=list)
    false: list[FalseTicket] = field(default_factory=list)
    beyond: list[Ticket] = field(default_factory=list)


def match(
    labels: Sequence[Label],
    alarms: Mapping[str, Ticket],
    first: Mapping[Label, int | None],
    fleet: Fleet,
) -> Verdict:
    """Match tickets with labels.

    Parameters
    ----------
    alarms : mapping
        By id, folded ones too.
    first : mapping
        Label → when it could first show, µs UTC; None: never.
    """
    verdict = Verdict()
    by_key: dict[tuple[str, str], list[Label]] = defaultdict(list)
    for label in in_order(labels):
        by_key[label.asset, label.fault].append(label)
    taken: dict[Label, Ticket] = {}
    told = sorted((t for t in alarms.values() if t.was_raised), key=lambda t: (t.raised_us, t.asset, t.fault))
    spare: list[Ticket] = []
    for ticket in told:
        fits = [x for x in by_key.get((ticket.asset, ticket.fault), ()) if _within(ticket.raised_us, x, fleet)]
        free = next((label for label in fits if label not in taken), None)
        if free is not None:
            taken[free] = ticket
        elif ticket.stands:
            # What was folded after it was raised is answered for by its parent, right or wrong.
            spare.append(ticket)
    by_ticket = {ticket.alarm_id: label for label, ticket in taken.items()}
    explained = _explained(by_key, alarms, by_ticket, fleet)
    for label in in_order(labels):
        _settle(verdict, label, taken.get(label), first[label], explained)
    near = _by_place(labels, fleet)
    verdict.false = [FalseTicket(ticket, _beside(ticket, near, fleet)) for ticket in spare]
    return verdict


def _settle(verdict: Verdict, label: Label, ticket: Ticket | None, shown_us: int | None, explained: set[Label]) -> None:
    if shown_us is None:
        verdict.unobservable.append(label)
        if ticket is not None:
            verdict.beyond.append(ticket)
    elif ticket is not None:
        verdict.found.append(Found(label, ticket, shown_us))
    elif label in explained:
        verdict.folded.append(label)
    else:
        verdict.missed.append(label)


def _within(at_us: int, label: Label, fleet: Fleet) -> bool:
    grace_us = max(GRACE_US, 2 * fleet.interval_us(label.asset))
    return label.onset_us <= at_us < label.ends_by(FAR_US - grace_us) + grace_us


def _explained(
    by_key: Mapping[tuple[str, str], Sequence[Label]],
    alarms: Mapping[str, Ticket],
    by_ticket: Mapping[str, Label],
    fleet: Fleet,
) -> set[Label]:
    """Return labels whose own alarm was folded into the right ticket of another label."""
    found: set[Label] = set()
    for alarm in alarms.values():
        if alarm.parent_id not in by_ticket:
            continue
        for label in by_key.get((alarm.asset, alarm.fault), ()):
            if _within(alarm.since_us, label, fleet):
                found.add(label)
    return found


def _by_place(labels: Sequence[Label], fleet: Fleet) -> dict[str, list[Label]]:
    near: dict[str, list[Label]] = defaultdict(list)
    for label in in_order(labels):
        for name in fleet.above(label.asset):
            near[name].append(label)
    return near


def _beside(ticket: Ticket, near: Mapping[str, Sequence[Label]], fleet: Fleet) -> Label | None:
    """Return a label that was there at the time, on the ticket's asset or on one above or below it."""
    place = fleet.above(ticket.asset) if ticket.asset in fleet else ticket.place
    for name in place:
        for label in near.get(name, ()):
            # Above: the label's own asset. Below: the ticket's asset is above the label's.
            related = label.asset == name or name == ticket.asset
            if related and _within(ticket.raised_us, label, fleet):
                return label
    return None
