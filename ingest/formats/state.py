"""Gateways' birth messages and last wills: ``online`` or ``offline``, as plain text or as ``{"state": …}``."""

from pydantic_core import from_json

from city.integration import Origin
from ingest.formats.parsed import ParsedMessage, Unreadable

_STATES = ("online", "offline")
_BYTES_MAX = 1024


def parse(origin: Origin, payload: bytes) -> ParsedMessage:
    """Read one message; an empty one takes back what the broker had kept, and says nothing.

    Raises
    ------
    Unreadable
        It is no state.
    """
    state = read_state(payload) if payload else ""
    if state is None:
        raise Unreadable("not-a-state", 'a state is online or offline, as plain text or as {"state": "online"}')
    return ParsedMessage([], state=state)


def read_state(payload: bytes) -> str | None:
    """Return ``online`` or ``offline``; None if it is neither."""
    if len(payload) > _BYTES_MAX:
        return None
    text: object = payload.decode(errors="replace").strip()
    if payload[:1] == b"{":
        try:
            text = from_json(payload).get("state")
        except ValueError:
            return None
    return text if isinstance(text, str) and text in _STATES else None
