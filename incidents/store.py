"""The desk as a service: each decision locks its scope, loads, asks the pure rules, and stores in one transaction."""

from collections.abc import Sequence

from city.alarm import AlarmEvent
from city.asset import AssetKind
from city.clock import DAY_US, Clock, to_datetime
from city.ticket import Actor, TicketState
from city.topics import PARTITIONS, TICKETS
from city.verdict import Verdict
from incidents import desk
from incidents.assets import assets_of, places_near, schedule_of, tickets_near
from incidents.case import PLACE
from incidents.evidence import DeskOptions
from incidents.reports import NewReport, Receipt, about, earlier_receipt, store_report
from incidents.rows import SQL, Wanted, fetch, load_case, store_case
from incidents.verdicts import say_verdict
from storage.pool import Connection, Pool, transaction

__all__ = ["Desk", "NewReport", "Receipt", "schedule_of"]

_WITHOUT_SCHEDULE_US = DAY_US
"""A repair of what no lighting schedule commands is watched for a day."""


class Desk:
    """Everything that may change a ticket goes through here."""

    def __init__(
        self, clock: Clock, options: DeskOptions | None = None, *, ticket_partitions: int = PARTITIONS[TICKETS]
    ) -> None:
        self._clock = clock
        self.options = options or DeskOptions()
        self._ticket_partitions = ticket_partitions

    async def take_alarms(self, connection: Connection, events: Sequence[AlarmEvent]) -> None:
        """Take events in the order of the log, inside the caller's transaction; repeats have no effect."""
        if not events:
            return
        children = {child for e in events for child in e.children}
        assets = await assets_of(connection, {e.scope.asset_id for e in events} | children)
        dark = [assets[a] for a in children if a in assets]
        dark += [assets[e.scope.asset_id] for e in events if e.scope.asset_id in assets]
        roots = {e.scope.root_id for e in events} | {e.scope.gateway_id for e in events if e.scope.gateway_id}
        roots |= {assets[child].root_id for child in children if child in assets}
        lamps = [asset for asset in dark if asset.kind == AssetKind.LAMP]
        roots |= set[str]().union(*(lamp.cells for lamp in lamps))
        wanted = Wanted(
            frozenset(roots),
            tuple({a for e in events for a in (e.alarm_id, e.parent_id) if a is not None}),
            tuple({e.event_id for e in events}),
        )
        case = await load_case(connection, wanted)
        for lamp in lamps:
            case.nearby[lamp.asset_id] = places_near(case, lamp)
        now = self._clock.now_us()
        for event in events:
            desk.take_alarm(case, event, now, self.options)
        groups = {e.scope.asset_id: e.scope.group for e in events}
        await store_case(connection, case, ticket_partitions=self._ticket_partitions, groups=groups)

    async def take_report(self, pool: Pool, new: NewReport) -> Receipt:
        """Join a citizen's report to a ticket or open one.

        Raises
        ------
        DataError
            No such category, or nothing says what the report is about.
        NotFoundError
            No such asset or ticket.
        ConflictError
            The request key belongs to another report.
        EngineError
            The database did not answer; the same request key makes it safe to try again.
        """
        async with transaction(pool) as connection:
            earlier = await earlier_receipt(connection, new)
            if earlier is not None:
                return earlier
            report_id = (await fetch(connection, SQL.next_report_id))[0][0]
            found = await about(connection, self.options.catalogue, new, report_id)
            scope, category = found.scope, found.category
            case = await load_case(connection, found.wanted)
            case.nearby[scope.scope_id] = (tickets_near if scope.kind == PLACE else places_near)(case, scope)
            now = self._clock.now_us()
            ticket = desk.take_report(case, desk.Report(report_id, category, scope, now, new.ticket_id), self.options)
            numbers = await store_case(
                connection, case, ticket_partitions=self._ticket_partitions, district_id=found.district_id
            )
            ticket_id = numbers.get(ticket.ticket_id, ticket.ticket_id)
            await store_report(connection, new, report_id, ticket_id, category.code, now)
            return Receipt(report_id, ticket_id, ticket.state, joined=ticket.ticket_id > 0)

    async def move(
        self,
        pool: Pool,
        ticket_id: int,
        target: TicketState,
        version: int,
        actor: Actor,
        reason: str = "",
        verdict: Verdict | None = None,
    ) -> int:
        """Do what a crew or an operator decided, and note what it found; return the ticket's new version.

        Raises
        ------
        NotFoundError
            No such ticket.
        ConflictError
            The ticket changed meanwhile, or the table of transitions does not allow it.
        DataError
            The verdict contradicts itself.
        EngineError
            The database did not answer.
        """
        async with transaction(pool) as connection:
            case = await load_case(connection, Wanted(frozenset(), tickets=(ticket_id,)))
            now = self._clock.now_us()
            verify_after = None
            if target is TicketState.RESOLVED and ticket_id in case.tickets:
                ticket = case.tickets[ticket_id]
                schedule = await schedule_of(connection, ticket.scope_kind, ticket.scope_id)
                verify_after = (schedule and schedule.next_on(now)) or now + _WITHOUT_SCHEDULE_US
            move = desk.Move(ticket_id, target, version, actor, now, reason, verify_after)
            moved = desk.take_move(case, move)
            if verdict is not None:
                await say_verdict(connection, case, ticket_id, verdict, actor, now)
            await store_case(connection, case, ticket_partitions=self._ticket_partitions)
            return moved.version

    async def judge(self, pool: Pool, ticket_id: int, verdict: Verdict, actor: Actor) -> None:
        """Note what somebody found; what was said before stays in the history and counts no longer.

        Raises
        ------
        NotFoundError
            No such ticket.
        ConflictError
            It is part of another ticket, or no sensor spoke of it.
        DataError
            The verdict contradicts itself.
        EngineError
            The database did not answer.
        """
        async with transaction(pool) as connection:
            case = await load_case(connection, Wanted(frozenset(), tickets=(ticket_id,)))
            await say_verdict(connection, case, ticket_id, verdict, actor, self._clock.now_us())
            await store_case(connection, case, ticket_partitions=self._ticket_partitions)

    async def verify_due(self, pool: Pool) -> int:
        """Settle repairs whose next burning period has begun long enough ago; return how many."""
        now = self._clock.now_us()
        async with transaction(pool) as connection:
            before = to_datetime(now - self.options.verify_grace_us)
            due = [row[0] for row in await fetch(connection, SQL.due_for_verification, before=before)]
            if not due:
                return 0
            case = await load_case(connection, Wanted(frozenset(), tickets=tuple(due)))
            for ticket_id in due:
                desk.verify(case, ticket_id, now, self.options)
            await store_case(connection, case, ticket_partitions=self._ticket_partitions)
            return len(due)
