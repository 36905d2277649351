"""What a Sparkplug message does to the session of its node, and by which birth its metrics are read."""

from collections.abc import Iterable

from ingest.formats.parsed import ParsedMessage
from ingest.formats.sparkplug_births import Birth, BirthTold, birth_in
from ingest.formats.sparkplug_payload import Payload, read_payload, rebirth_command
from ingest.formats.sparkplug_sessions import SEQ_COUNT, Session, Sessions, born, number_of, with_device, without_device
from ingest.formats.sparkplug_topics import Place, place_of

PASSED_BYTES_MAX = 64 * 1024
"""Of births that are read out of messages that are set aside unread, each time: their sender sends too much."""


def follow(message: ParsedMessage, sessions: Sessions, place: Place, told: Payload, at_us: int) -> Birth | None:
    """Take a message that was received at `at_us` (µs UTC) into the sessions; return the birth that it is read by.

    A gap in the sequence ends what is known of the node and all its devices until their next births, for which they are
    asked: what was lost may have been one, and the aliases of another birth give values the names of other metrics.
    """
    session = sessions.get(place.node)
    if place.kind == "NBIRTH":
        return _begin(message, sessions, place, told, at_us)
    if place.kind == "NDEATH":
        # A will may come late, when the node is born again: only its own session ends.
        if session is None or session.bd_seq in (bd_seq_in(told), -1):
            sessions.end(place.node)
        return None
    own = birth_in(told) if place.kind == "DBIRTH" else None
    now, number = (None, None) if session is None else _numbered(session, told)
    if session is not None and number is not None:
        if number < 0:
            return own  # It is older than the node's birth.
        message.number, message.epoch = number, session.epoch
        if number <= session.number:
            return own or session.births.get(place.device)  # It comes late, or again: what it changes, it has changed.
    if session is None or (number is not None and number > session.number + 1):
        ask(message, sessions, place, at_us)
    if own is not None:
        sessions.keep(BirthTold(place.node, place.device, own, at_us, at_us))
    if now is None:
        return own
    if own is not None:
        now = with_device(now, place.device, own)
    elif place.kind == "DDEATH":
        now = without_device(now, place.device)
    sessions.put(place.node, now)
    return now.births.get(place.device)


def _begin(message: ParsedMessage, sessions: Sessions, place: Place, told: Payload, at_us: int) -> Birth:
    birth = birth_in(told)
    session = born(place.node, bd_seq_in(told), told.timestamp_ms, (told.seq or 0) % SEQ_COUNT, birth)
    sessions.put(place.node, session)
    sessions.keep(BirthTold(place.node, "", birth, at_us, at_us))
    message.number, message.epoch = session.number, session.epoch
    return birth


def _numbered(session: Session, told: Payload) -> tuple[Session, int | None]:
    """Return the session behind a message, without births where messages are missing, and the message's number."""
    if told.seq is None or not 0 <= told.seq < SEQ_COUNT:
        return session, None
    number = number_of(session, told.seq, told.timestamp_ms)
    if number <= session.number:
        return session, number
    now = session._replace(number=number, at_ms=max(session.at_ms, told.timestamp_ms or 0))
    return (now if number == session.number + 1 else now._replace(births={}, size=0)), number


def ask(message: ParsedMessage, sessions: Sessions, place: Place, at_us: int) -> None:
    """Ask the node for its births, once a minute at most."""
    if sessions.may_ask(place.node, at_us):
        group, edge = place.node
        message.commands.append((f"spBv1.0/{group}/NCMD/{edge}", rebirth_command(at_us // 1000)))


def bd_seq_in(told: Payload) -> int:
    """Return the number of the session that a birth or death is of, -1 for none."""
    for metric in told.metrics:
        if metric.name == "bdSeq" and isinstance(metric.value, int):
            return metric.value if 0 <= metric.value < SEQ_COUNT else -1
    return -1


def pass_over(sessions: Sessions, messages: Iterable[tuple[str, bytes]], at_us: int) -> None:
    """Note that these messages (topic and payload, in the order of receipt) are set aside unread at `at_us` (µs UTC).

    Their nodes are forgotten: births may have been among them. Of those the newest of each node and device are kept
    all the same, as far as they are not too many: their letters, and later ones, are read by them once replayed.
    """
    births: dict[Place, bytes] = {}
    for topic, payload in messages:
        place = place_of(topic)
        if place is None or place.kind in ("NCMD", "DCMD"):
            continue
        if sessions.get(place.node) is not None:
            sessions.end(place.node)
        if place.kind in ("NBIRTH", "DBIRTH"):
            births.pop(place, None)
            births[place] = payload
    room = PASSED_BYTES_MAX
    for place, payload in births.items():
        room -= len(payload)
        if room < 0:
            return
        try:
            birth = birth_in(read_payload(payload))
        except ValueError:
            continue  # Replay says so: it reads the message itself.
        sessions.keep(BirthTold(place.node, place.device, birth, at_us, at_us))
