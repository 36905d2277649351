"""Alarms' events, gathered into what a crew would be sent for."""

from dataclasses import dataclass

from city.alarm import AlarmEvent, AlarmEventKind, Scope


@dataclass(slots=True)
class Ticket:
    """One alarm as its events have left it.

    Attributes
    ----------
    since_us : int
        When the fault began, as the alarm says.
    raised_us : int
        When it was raised, event time of the decision; of an alarm that was folded and came back, the last time.
    parent_id : str or None
        The alarm that explains it now; such a one is no ticket.
    was_raised : int
        How often it was raised.
    """

    alarm_id: str
    fault: str
    scope: Scope
    since_us: int
    raised_us: int = 0
    cleared_us: int | None = None
    parent_id: str | None = None
    was_raised: int = 0
    rule: str = ""

    @property
    def asset(self) -> str:
        """What the ticket is about."""
        return self.scope.asset_id

    @property
    def stands(self) -> bool:
        """Whether someone would be sent: raised, and explained by nothing else."""
        return self.was_raised > 0 and self.parent_id is None

    @property
    def place(self) -> tuple[str, ...]:
        """The asset and all that it hangs below."""
        scope = self.scope
        return tuple(dict.fromkeys(n for n in (scope.asset_id, scope.feeder_id, scope.root_id, scope.gateway_id) if n))


class TicketBook:
    """Hears every event of a run; keeps one entry for each alarm."""

    def __init__(self) -> None:
        self._found: dict[str, Ticket] = {}
        self.events = 0

    def hear(self, event: AlarmEvent) -> None:
        """Take the next event, in the order of decisions."""
        self.events += 1
        ticket = self._found.get(event.alarm_id)
        if ticket is None:
            ticket = Ticket(event.alarm_id, str(event.fault), event.scope, event.raised_at, rule=event.evidence.rule)
            self._found[event.alarm_id] = ticket
        if event.kind is AlarmEventKind.RAISED:
            ticket.raised_us, ticket.parent_id = event.at, None
            ticket.was_raised += 1
        elif event.kind is AlarmEventKind.FOLDED:
            ticket.parent_id = event.parent_id
        if event.cleared_at is not None:
            ticket.cleared_us = event.cleared_at

    @property
    def alarms(self) -> dict[str, Ticket]:
        """All alarms by id, folded ones too."""
        return self._found

    def tickets(self) -> list[Ticket]:
        """Return those that stand, in the order in which they were raised."""
        standing = (ticket for ticket in self._found.values() if ticket.stands)
        return sorted(standing, key=lambda t: (t.raised_us, t.asset, t.fault))
