"""What requests may hold. Answers are the rows of `reads`, already in the shape of the API."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from city import topics
from city.alarm import FaultClass
from city.ticket import TicketState
from city.verdict import Finding, Verdict
from incidents.store import NewReport

DESCRIPTION_MAX = 4000
_EMAIL = re.compile(r"[^@\s<>\"',;]{1,64}@[^@\s<>\"',;]{1,180}\.[^@\s<>\"',;.]{2,24}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def _clean(value: Any) -> Any:
    """Drop what no keyboard writes and no page should show; line ends become one kind."""
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()
    return _CONTROL.sub("", text).strip()


def _none_if_empty(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _no_flag(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("true and false are no numbers")
    return value


Text = Annotated[str, BeforeValidator(_clean)]
_Maybe = BeforeValidator(_none_if_empty)
_Number = BeforeValidator(_no_flag)


class ReportIn(BaseModel):
    """A citizen's report, as JSON or as a form. Give `lamp`, or `lat` and `lon`, or `place`, or `ticket`."""

    model_config = ConfigDict(extra="forbid", str_max_length=20_000)

    category: Annotated[Text, Field(max_length=64)] = ""
    lamp: Annotated[str | None, BeforeValidator(_clean), _Maybe] = None
    lat: Annotated[Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)] | None, _Maybe, _Number] = None
    lon: Annotated[Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] | None, _Maybe, _Number] = None
    place: Annotated[Text, Field(max_length=300)] = ""
    description: Annotated[Text, Field(max_length=DESCRIPTION_MAX)] = ""
    email: Annotated[str | None, BeforeValidator(_clean), _Maybe] = None
    request_key: Annotated[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")] | None, _Maybe] = None
    ticket: Annotated[Annotated[int, Field(ge=1, lt=2**63)] | None, _Maybe] = None

    @field_validator("lamp")
    @classmethod
    def _lamp_is_a_name(cls, lamp: str | None) -> str | None:
        if lamp is not None and not topics.is_name(lamp):
            raise ValueError("that is no lamp's number: copy it from the post, or leave it empty")
        return lamp

    @field_validator("email")
    @classmethod
    def _email_is_one(cls, email: str | None) -> str | None:
        if email is not None and not _EMAIL.fullmatch(email):
            raise ValueError("that is no e-mail address: mend it, or leave it empty")
        return email

    @model_validator(mode="after")
    def _says_where(self) -> "ReportIn":
        if (self.lat is None) != (self.lon is None):
            raise ValueError("a point needs both lat and lon")
        if self.ticket is None:
            if not self.category:
                raise ValueError("choose a category")
            if self.lamp is None and self.lat is None and not self.place:
                raise ValueError("say where: the number of a lamp, a point, or the place in words")
        return self

    def as_report(self) -> NewReport:
        """Return what the desk takes."""
        return NewReport(
            self.category,
            self.lamp,
            self.lat if self.lamp is None else None,
            self.lon if self.lamp is None else None,
            self.place,
            self.description,
            self.email,
            self.request_key,
            self.ticket,
        )


class VerdictIn(BaseModel):
    """What was found of a ticket. `fault` may be left out where nothing was wrong, or the alarms name one fault."""

    model_config = ConfigDict(extra="forbid")

    finding: Finding
    fault: Annotated[FaultClass | None, _Maybe] = None
    words: Annotated[Text, Field(max_length=1000)] = ""

    def as_verdict(self) -> Verdict:
        """Return what the desk takes."""
        return Verdict(self.finding, self.fault, self.words)


class TransitionIn(BaseModel):
    """A crew's decision on a ticket, and what it found."""

    model_config = ConfigDict(extra="forbid")

    to: TicketState
    version: Annotated[int, Field(ge=1, lt=2**31)]
    reason: Annotated[Text, Field(max_length=1000)] = ""
    verdict: VerdictIn | None = None
