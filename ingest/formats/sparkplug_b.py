"""Sparkplug B: births, data and deaths of edge nodes and their devices.

Document: Eclipse Sparkplug Specification 3.0, chapters 4 (Topics), 5 (Operational Behavior) and 6 (Payloads). Told to
operators in `docs/formats/sparkplug-b.md`.
"""

from dataclasses import dataclass
from typing import NamedTuple

from city.integration import Origin
from ingest.formats.parsed import NAME_CHARACTERS_MAX, ParsedMessage, Unreadable
from ingest.formats.sparkplug_births import Ambiguous, BirthBook, birth_in
from ingest.formats.sparkplug_follow import ask, follow
from ingest.formats.sparkplug_metrics import read_metrics
from ingest.formats.sparkplug_payload import read_payload
from ingest.formats.sparkplug_sessions import Sessions
from ingest.formats.sparkplug_topics import read_topic
from ingest.formats.values import check_size, is_value_name


class Receipt(NamedTuple):
    """How a message came, as far as a format must know it.

    Attributes
    ----------
    at_us : int
        When, µs UTC.
    live : bool
        It came from a gateway of the registry, not kept by the broker: it may change what is remembered.
    """

    at_us: int = 0
    live: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """Where births are known from.

    Attributes
    ----------
    sessions : Sessions or None
        Follow the messages in the order of receipt; None: each message stands for itself.
    book : BirthBook
        Births by their times, where the sessions know none.
    unborn : bool
        As for `BirthBook.birth_for`.
    """

    sessions: Sessions | None = None
    book: BirthBook = BirthBook()  # noqa: RUF009 - empty, and never changed
    unborn: bool = True


def parse(origin: Origin, payload: bytes, memory: Memory, receipt: Receipt) -> ParsedMessage:
    """Read one message.

    Raises
    ------
    Unreadable
        All of it must be set aside. Nothing else is ever raised, whatever the bytes.
    """
    place = read_topic(origin.topic)
    message = ParsedMessage([])
    if place is None or place.kind in ("NCMD", "DCMD"):
        return message
    check_size(payload)
    try:
        told = read_payload(payload)
    except ValueError as exc:
        raise Unreadable("not-sparkplug", f"not a Sparkplug B payload: {str(exc)[:200]}") from exc
    if not is_value_name(place.wire_name):
        raise Unreadable("bad-device", f"node and device together have over {NAME_CHARACTERS_MAX} characters")
    sessions = memory.sessions if receipt.live else None
    birth = birth_in(told) if place.kind in ("NBIRTH", "DBIRTH") else None
    if sessions is not None:
        birth = follow(message, sessions, place, told, receipt.at_us)
        if origin.gateway == place.node[1] and place.kind in ("NBIRTH", "NDEATH"):
            message.state = "online" if sessions.get(place.node) is not None else "offline"
    if told.body and not told.metrics:
        detail = "a payload in bytes of its own, such as a compressed one: send metrics"
        message.refuse("unread-body", detail, 0, "")
    if place.kind in ("NDEATH", "DDEATH"):
        return message
    try:
        birth = birth or memory.book.birth_for(place.node, place.device, receipt.at_us, unborn=memory.unborn)
    except Ambiguous as exc:
        raise Unreadable("ambiguous-birth", str(exc)) from exc
    read_metrics(message, place.wire_name, told, birth)
    if sessions is not None and "no-birth" in message.refused:
        ask(message, sessions, place, receipt.at_us)
    return message
