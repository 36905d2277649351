"""Stores what people found of a ticket: for the ticket, and for each of its alarms that no other explains."""

from pathlib import Path

from city.clock import to_datetime
from city.errors import ConflictError, NotFoundError
from city.ticket import Actor, TicketEventKind
from city.verdict import Verdict, finding_of, settled
from incidents.case import Case
from storage import queries
from storage.pool import Connection

_SQL = queries.load(Path(__file__).with_suffix(".sql"))


async def say_verdict(
    connection: Connection, case: Case, ticket_id: int, verdict: Verdict, actor: Actor, at_us: int
) -> None:
    """Store a verdict under the case's locks, and add its event to the case.

    Nothing of the ticket changes, its version neither: a verdict decides nothing.

    Raises
    ------
    NotFoundError
        No such ticket.
    ConflictError
        It is part of another ticket, or no sensor spoke of it.
    DataError
        The verdict contradicts itself.
    """
    ticket = case.tickets.get(ticket_id)
    if ticket is None:
        raise NotFoundError(f"there is no ticket {ticket_id}")
    if ticket.merged_into is not None:
        raise ConflictError(f"ticket {ticket_id} is part of ticket {ticket.merged_into}: say there what was found")
    alarms = [case.alarms[alarm_id] for alarm_id in sorted(ticket.alarms) if case.alarms[alarm_id].parent_id is None]
    if not alarms:
        raise ConflictError(f"no sensor spoke of ticket {ticket_id}: there is no alarm to judge")
    verdict = settled(verdict, (alarm.fault for alarm in alarms))
    fault = "" if verdict.fault is None else str(verdict.fault)
    parameters = {
        "ticket_id": ticket_id,
        "finding": str(verdict.finding),
        "fault": fault,
        "words": verdict.words,
        "actor": str(actor),
        "at": to_datetime(at_us),
    }
    row = await (await connection.execute(_SQL.insert_verdict, parameters)).fetchone()
    assert row is not None
    rows = [
        {"alarm_id": alarm.alarm_id, "verdict_id": row[0], "finding": str(finding_of(alarm.fault, verdict))}
        for alarm in alarms
    ]
    async with connection.cursor() as cursor:
        await cursor.executemany(_SQL.insert_alarm_verdict, rows)
    detail = {"verdict_id": row[0], "finding": str(verdict.finding), "fault": fault}
    case.tell(ticket, TicketEventKind.VERDICT, actor, at_us, detail)
