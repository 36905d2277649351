"""Parameters that many routes share."""

import unicodedata
from datetime import datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime

from city import topics
from portals_api.paging import LIMIT_DEFAULT, LIMIT_MAX


def _name(text: str | None) -> str | None:
    if text is None or text == "":  # an empty field of a form is no filter
        return None
    if not topics.is_name(text):
        raise ValueError("that is no id: letters, digits and . _ : - only, 64 at most")
    return text


def printable(text: str | None) -> str | None:
    """Refuse control characters in what is searched for: no database takes a NUL, and nobody types the others."""
    if text is not None and any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        raise ValueError("it holds a control character")
    return text


def _in_reach(at: datetime | None) -> datetime | None:
    if at is not None and not 1900 <= at.year <= 2200:
        raise ValueError("that time is out of reach")
    return at


Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description=f"Items per page, {LIMIT_DEFAULT} unless given")]
Next = Annotated[str | None, Query(alias="next", max_length=2048, description="`next` of the page before")]
NameQuery = Annotated[str | None, Query(max_length=64), AfterValidator(_name)]
Id = Annotated[str, Path(max_length=200)]
TicketId = Annotated[int, Path(ge=1, lt=2**63)]
Since = Annotated[
    AwareDatetime | None,
    Query(alias="from", description="RFC 3339 with a zone, inclusive"),
    AfterValidator(_in_reach),
]
Until = Annotated[
    AwareDatetime | None,
    Query(alias="to", description="RFC 3339 with a zone, exclusive"),
    AfterValidator(_in_reach),
]

__all__ = ["LIMIT_DEFAULT", "Id", "Limit", "NameQuery", "Next", "Since", "TicketId", "Until"]
