"""What was found of a ticket: who may say it, how a form and a body say it."""

from collections.abc import Mapping

from fastapi import Request
from starlette.exceptions import HTTPException

from city.alarm import FaultClass
from city.errors import DataError
from city.ticket import Actor
from city.verdict import Finding, Verdict
from portals_api import ticket_reads
from portals_api.codes import N_
from portals_api.examples import VERDICT_BODY
from portals_api.portal import Portal
from portals_api.rows import Row
from portals_api.schemas import VerdictIn

FOUND_FIELDS = ("found", "fault", "words")
"""Fields of the form; `found` is a fault that an alarm named, or ``false``, or ``other``."""
CAUSE_MISSING = N_("Say what the cause was: choose one, or write it.")
VERDICT_SHAPE = {
    "type": "object",
    "required": ["finding"],
    "additionalProperties": False,
    "properties": {
        "finding": {"type": "string", "enum": list(Finding)},
        "fault": {"type": ["string", "null"], "enum": [None, *FaultClass], "description": "what it was"},
        "words": {"type": "string", "maxLength": 1000, "description": "what no fault says"},
    },
}
VERDICT_REQUEST = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": VERDICT_SHAPE, "example": VERDICT_BODY}},
    }
}


def named_faults(ticket: Row) -> list[str]:
    """Return the faults that the alarms name; those of alarms that another one explains are not asked about."""
    return list(dict.fromkeys(a["fault"] for a in ticket["alarm_list"] if a["parent"] is None))


def may_judge(request: Request, portal: Portal, ticket: Row) -> bool:
    """Tell whether the reader may say what was found of this ticket."""
    allowed = portal.options.crew_without_account or portal.gate.admits(request)
    return allowed and bool(named_faults(ticket)) and ticket["merged_into"] is None


def found_in_form(told: Mapping[str, str]) -> VerdictIn:
    """Return what a form says.

    Raises
    ------
    DataError
        It names no finding, or another cause without saying which.
    """
    found, fault, words = told["found"], told["fault"], told["words"]
    if found == Finding.FALSE:
        return VerdictIn(finding=Finding.FALSE)
    if found == Finding.OTHER and (fault in set(FaultClass) or words.strip()):
        cause = FaultClass(fault) if fault in set(FaultClass) else None
        return VerdictIn(finding=Finding.OTHER, fault=cause, words=words[:1000])
    if found in set(FaultClass):
        return VerdictIn(finding=Finding.TRUE, fault=FaultClass(found))
    raise DataError("say what was found")


async def judge(request: Request, portal: Portal, ticket_id: int, verdict: Verdict) -> None:
    """Note what was found, in the name of who is signed in as operator, else of a crew."""
    actor = _actor(request, portal)
    await ticket_reads.ticket(portal.pool, await portal.viewer(), ticket_id)
    desk = await portal.desk()
    await desk.judge(portal.pool, ticket_id, verdict, actor)


def _actor(request: Request, portal: Portal) -> Actor:
    """Return who acts. Until crews have accounts, whoever reaches the portals acts as one.

    Raises
    ------
    HTTPException
        401 a wrong key; 403 a stranger.
    """
    gate = portal.gate
    if gate.asks_for_a_key and ("authorization" in request.headers or gate.admits(request)):
        gate.demand(request)
        return Actor.OPERATOR
    if not portal.options.crew_without_account:
        raise HTTPException(403, "only a crew or an operator may do this: sign in")
    return Actor.CREW
