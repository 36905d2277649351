"""Verdicts: what people found where an alarm sent them. They are kept and published, and change no decision."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from city.alarm import FaultClass
from city.errors import DataError


class Finding(StrEnum):
    """What was found of an alarm."""

    TRUE = "true"
    """The fault that it named."""
    FALSE = "false"
    """Nothing was wrong."""
    OTHER = "other"
    """Something was wrong, but something else."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody says was found of a ticket.

    Attributes
    ----------
    fault : FaultClass or None
        What it was. TRUE may leave it out where the ticket's alarms name one fault; OTHER where words say it.
    words : str
        What no fault of the vocabulary says.
    """

    finding: Finding
    fault: FaultClass | None = None
    words: str = ""


def settled(verdict: Verdict, named: Iterable[FaultClass]) -> Verdict:
    """Return a verdict with its fault, after checking it against the faults that the ticket's alarms named.

    Raises
    ------
    DataError
        It says nothing, or something that contradicts itself.
    """
    faults = sorted(set(named))
    told = ", ".join(faults)
    match verdict.finding:
        case Finding.FALSE:
            if verdict.fault is not None:
                raise DataError("where nothing was wrong there is no fault: leave it out, or say `other`")
        case Finding.OTHER:
            if verdict.fault is None and not verdict.words:
                raise DataError("say what the cause was: a fault, or words")
        case Finding.TRUE:
            if verdict.fault is None and len(faults) == 1:
                return Verdict(verdict.finding, faults[0], verdict.words)
            if verdict.fault is None:
                raise DataError(f"the alarms name several faults: say which of {told} it was")
            if verdict.fault not in faults:
                raise DataError(f"no alarm named {verdict.fault}: say one of {told}, or `other`")
    return verdict


def finding_of(alarm: FaultClass, verdict: Verdict) -> Finding:
    """Return what a verdict on a ticket says of one of its alarms, which named the fault `alarm`.

    An alarm that named what was found is true, whatever else the ticket holds; one that named something else is not.
    """
    if verdict.finding is Finding.FALSE:
        return Finding.FALSE
    return Finding.TRUE if verdict.fault is alarm else Finding.OTHER
