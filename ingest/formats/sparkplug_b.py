"""Sparkplug B: births, data and deaths of edge nodes and their devices.

Document: Eclipse Sparkplug Specification 3.0, chapters 4 (Topics), 5 (Operational Behavior) and 6 (Payloads). Told to
operators in `docs/formats/sparkplug-b.md`.
"""

from typing import NamedTuple, Protocol

from city.integration import Origin
from city.units import UNIT_CHARACTERS_MAX
from ingest.formats.parsed import KEYS_MAX, NAME_CHARACTERS_MAX, OBJECTS_MAX, ParsedMessage, ParsedObject, Unreadable
from ingest.formats.sparkplug_births import (
    SEQ_COUNT,
    Ambiguous,
    Birth,
    BirthBook,
    BirthTold,
    Definition,
    NodeKey,
    Session,
    Sessions,
    born,
    number_of,
    with_device,
)
from ingest.formats.sparkplug_payload import METRICS_MAX, Metric, Payload, read_payload, rebirth_command
from ingest.formats.sparkplug_values import Told, Unfit, values_of
from ingest.formats.times import MILLISECONDS_MAX
from ingest.formats.values import check_size, is_value_name, safe

GOOD = 192
_NO_MEASUREMENT = frozenset({"bdSeq"})
_CONTROLS = ("Node Control/", "Device Control/")
_TYPES = {
    **dict.fromkeys(("NBIRTH", "NDEATH", "NDATA", "NCMD"), 4),
    **dict.fromkeys(("DBIRTH", "DDEATH", "DDATA", "DCMD"), 5),
}
"""Message type → levels of its topic."""


class Receipt(NamedTuple):
    """How a message came, as far as a format must know it.

    Attributes
    ----------
    at_us : int
        When, µs UTC.
    live : bool
        It came now, from a gateway of the registry, not kept by the broker: it may change what is remembered.
    """

    at_us: int = 0
    live: bool = False


class Place(NamedTuple):
    """What a topic says."""

    kind: str
    node: NodeKey
    device: str

    @property
    def wire_name(self) -> str:
        """What the sender of the metrics is called: the node, or `node/device`."""
        return f"{self.node[1]}/{self.device}" if self.device else self.node[1]


class Memory(Protocol):
    """Where births are known from."""

    def birth_of(self, place: Place, receipt: Receipt) -> Birth | None:
        """Return the birth of whoever sent this.

        Raises
        ------
        Ambiguous
            There are two.
        """


class Replay:
    """Births from a book, for a letter that is read again; `unborn` where it was set aside for want of one."""

    def __init__(self, book: BirthBook, *, unborn: bool) -> None:
        self._book = book
        self._unborn = unborn

    def birth_of(self, place: Place, receipt: Receipt) -> Birth | None:
        return self._book.birth_for(place.node, place.device, receipt.at_us, unborn=self._unborn)


class Live:
    """Births from the sessions of a bridge."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions

    def birth_of(self, place: Place, receipt: Receipt) -> Birth | None:
        session = self.sessions.get(place.node) if receipt.live else None
        return session.births.get(place.device) if session is not None else None


def parse(origin: Origin, payload: bytes, memory: Memory, receipt: Receipt) -> ParsedMessage:
    """Read one message.

    Raises
    ------
    Unreadable
        All of it must be set aside. Nothing else is ever raised, whatever the bytes.
    """
    place = _place(origin.topic)
    message = ParsedMessage([])
    if place is None or place.kind in ("NCMD", "DCMD"):
        return message
    check_size(payload)
    try:
        told = read_payload(payload)
    except ValueError as exc:
        raise Unreadable("not-sparkplug", f"not a Sparkplug B payload: {str(exc)[:200]}") from exc
    if told.body and not told.metrics:
        raise Unreadable("unread-body", "a payload in bytes of its own, such as a compressed one: send metrics")
    sessions = memory.sessions if isinstance(memory, Live) and receipt.live else None
    if sessions is not None and (session := _follow(message, sessions, place, told, receipt)) is not None:
        _number(message, sessions, place, session, told.seq, receipt)
    if sessions is not None and origin.gateway == place.node[1] and place.kind in ("NBIRTH", "NDEATH"):
        message.state = "online" if sessions.get(place.node) is not None else "offline"
    if place.kind in ("NDEATH", "DDEATH"):
        return message
    try:
        birth = _birth(told) if place.kind in ("NBIRTH", "DBIRTH") else memory.birth_of(place, receipt)
    except Ambiguous as exc:
        raise Unreadable("ambiguous-birth", str(exc)) from exc
    _read(message, place, told, birth)
    if sessions is not None and "no-birth" in message.refused:
        _ask(message, sessions, place, receipt)
    return message


def pass_over(topic: str, sessions: Sessions) -> None:
    """Forget the node of a message that is not read."""
    levels = topic.split("/")
    if levels[0] == "spBv1.0" and len(levels) in (4, 5) and sessions.get((levels[1], levels[3])) is not None:
        sessions.end((levels[1], levels[3]))


def _place(topic: str) -> Place | None:
    """Read a topic; None for a host's STATE, which measures nothing."""
    levels = topic.split("/")
    if levels[0] != "spBv1.0":
        raise Unreadable("bad-topic", "Sparkplug B comes on spBv1.0/{group}/{type}/{node}[/{device}]: integrate those")
    if levels[1:2] == ["STATE"] and len(levels) == 3:
        return None
    if len(levels) < 4 or _TYPES.get(levels[2]) != len(levels) or not all(is_value_name(x) for x in levels):
        raise Unreadable("bad-topic", "not spBv1.0/{group}/{type}/{node}[/{device}], the device with D… types alone")
    return Place(levels[2], (levels[1], levels[3]), levels[4] if len(levels) == 5 else "")


def _follow(
    message: ParsedMessage, sessions: Sessions, place: Place, told: Payload, receipt: Receipt
) -> Session | None:
    """Take births and deaths into the sessions; return the session that the message belongs to and is numbered in."""
    session = sessions.get(place.node)
    if place.kind == "NBIRTH":
        birth = _birth(told)
        session = born(place.node, _bd_seq(told), told.timestamp_ms, (told.seq or 0) % SEQ_COUNT, birth)
        sessions.put(place.node, session)
        sessions.keep(BirthTold(place.node, "", birth, receipt.at_us, receipt.at_us))
    elif place.kind == "NDEATH":
        # A will may come late, when the node is born again: only its own session ends.
        if session is None or session.bd_seq in (_bd_seq(told), -1):
            sessions.end(place.node)
        return None
    elif session is None:
        _ask(message, sessions, place, receipt)
    elif place.kind == "DBIRTH":
        birth = _birth(told)
        session = with_device(session, place.device, birth)
        sessions.put(place.node, session)
        sessions.keep(BirthTold(place.node, place.device, birth, receipt.at_us, receipt.at_us))
    elif place.kind == "DDEATH":
        left = {name: birth for name, birth in session.births.items() if name != place.device}
        session = session._replace(births=left, size=sum(len(one.definitions) for one in left.values()))
        sessions.put(place.node, session)
    return session


def _number(
    message: ParsedMessage, sessions: Sessions, place: Place, session: Session, seq: int | None, receipt: Receipt
) -> None:
    """Give the message its number within the session; a gap asks for births: what was lost may have been one."""
    if seq is None or not 0 <= seq < SEQ_COUNT:
        return
    number = number_of(session, seq)
    if number < 0:
        return
    message.number, message.epoch = number, session.epoch
    if number > session.number:
        sessions.put(place.node, session._replace(number=number))
    if number > session.number + 1:
        _ask(message, sessions, place, receipt)


def _ask(message: ParsedMessage, sessions: Sessions, place: Place, receipt: Receipt) -> None:
    if sessions.may_ask(place.node, receipt.at_us):
        group, edge = place.node
        message.commands.append((f"spBv1.0/{group}/NCMD/{edge}", rebirth_command(receipt.at_us // 1000)))


def _bd_seq(told: Payload) -> int:
    for metric in told.metrics:
        if metric.name == "bdSeq" and isinstance(metric.value, int):
            return metric.value if 0 <= metric.value < SEQ_COUNT else -1
    return -1


def _birth(told: Payload) -> Birth:
    definitions: dict[str, Definition] = {}
    aliases: dict[int, str] = {}
    for metric in told.metrics:
        if metric.name is not None and is_value_name(metric.name) and not _is_control(metric.name):
            definitions[metric.name] = Definition(metric.datatype, _unit(metric.unit))
            if metric.alias is not None:
                aliases[metric.alias] = metric.name
    return Birth(definitions, aliases)


def _unit(told: str) -> str:
    return safe(told)[:UNIT_CHARACTERS_MAX] if not told.isprintable() else told[:UNIT_CHARACTERS_MAX]


def _is_control(name: str) -> bool:
    return name in _NO_MEASUREMENT or name.startswith(_CONTROLS)


class _Groups:
    """Readings by their times: those of one time are one object, or several where they are many."""

    def __init__(self, message: ParsedMessage, device: str) -> None:
        self._message = message
        self._device = device
        self._places: dict[int | None, int] = {}
        self._open: dict[int | None, ParsedObject] = {}

    def position(self, at_us: int | None) -> int:
        """Return the place of a time among those of the message: a replay counts the same."""
        return self._places.setdefault(at_us, len(self._places))

    def add(self, at_us: int | None, told: Told, unit: str) -> None:
        item = self._open.get(at_us)
        if item is None or len(item.readings) >= KEYS_MAX or told.name in item.readings:
            item = ParsedObject(self.position(at_us), self._device, at_us, {}, {})
            if len(self._message.objects) >= OBJECTS_MAX:
                raise Unfit("too-many-objects", f"values of over {OBJECTS_MAX} times: send several messages")
            self._open[at_us] = item
            self._message.objects.append(item)
        item.readings[told.name] = told.value
        if unit:
            item.units[told.name] = unit


def _read(message: ParsedMessage, place: Place, told: Payload, birth: Birth | None) -> None:
    """Read a message's metrics with what the birth says of them."""
    if told.timestamp_ms is not None and told.timestamp_ms <= MILLISECONDS_MAX:
        message.sent_at_us = told.timestamp_ms * 1000
    if not is_value_name(place.wire_name):
        raise Unreadable("bad-device", f"node and device together have over {NAME_CHARACTERS_MAX} characters")
    groups = _Groups(message, place.wire_name)
    count = 0
    for metric in told.metrics:
        at_us = message.sent_at_us
        bad_time = metric.timestamp_ms is not None and metric.timestamp_ms > MILLISECONDS_MAX
        if metric.timestamp_ms is not None and not bad_time:
            at_us = metric.timestamp_ms * 1000
        position = groups.position(at_us)
        name = metric.name or (birth.aliases.get(metric.alias) if birth and metric.alias is not None else None)
        if metric.is_null or metric.is_transient or (name is not None and _is_control(name)):
            continue
        try:
            if bad_time:
                raise Unfit("bad-time", "not milliseconds since 1970")
            for value, unit in _values(metric, name, birth):
                count += 1
                if count > METRICS_MAX:
                    raise Unfit("too-many-keys", f"over {METRICS_MAX} values in one message: divide it")
                groups.add(at_us, value, unit)
        except Unfit as exc:
            _refuse(message, position, name, metric, exc)


def _values(metric: Metric, name: str | None, birth: Birth | None) -> list[tuple[Told, str]]:
    """Return the values of one metric with their units.

    Raises
    ------
    Unfit
    """
    if name is None and metric.alias is None:
        raise Unfit("bad-metric-name", "a metric with neither name nor alias")
    if name is None:
        raise Unfit("no-birth", f"alias {metric.alias} of no birth that is known: it was asked for, then replay")
    if metric.quality not in (None, GOOD):
        raise Unfit("bad-quality", f"of quality {metric.quality}: its sender does not vouch for it")
    known = birth.definitions.get(name) if birth is not None else None
    datatype = metric.datatype
    if datatype is None and known is not None:
        datatype = known.datatype
    own = _unit(metric.unit) or (known.unit if known is not None else "")
    told = values_of(name, metric, datatype)
    if not all(is_value_name(one.name) for one in told):
        raise Unfit("bad-metric-name", f"a metric is called by 1 to {NAME_CHARACTERS_MAX} printable characters")
    return [(one, own or one.unit) for one in told]


def _refuse(message: ParsedMessage, position: int, name: str | None, metric: Metric, why: Unfit) -> None:
    """Set one metric aside; where only a birth can say what it is, all of its time stands for it."""
    whole = why.reason == "no-birth"
    called = safe(name) if name is not None else f"alias {metric.alias}"
    message.refuse(why.reason, f"{called}: {why}", position, "" if whole else safe(name or ""))


def explain(payload: bytes, characters_max: int = 20_000) -> str:
    """Return what a payload holds, for people; what cannot be read says so."""
    try:
        told = read_payload(payload)
    except ValueError as exc:
        return f"not a Sparkplug B payload: {exc}"
    lines = [f"timestamp {told.timestamp_ms} ms, seq {told.seq}, {len(told.metrics)} metrics"]
    size = len(lines[0])
    for metric in told.metrics:
        line = _shown(metric)
        size += len(line) + 1
        if size > characters_max:
            lines.append("…")
            break
        lines.append(line)
    return "\n".join(lines)


def _shown(metric: Metric) -> str:
    value = f"{len(metric.value)} bytes" if isinstance(metric.value, bytes) else ascii(metric.value)[:200]
    parts = [
        safe(metric.name) if metric.name is not None else "",
        f"alias {metric.alias}" if metric.alias is not None else "",
        f"type {metric.datatype}" if metric.datatype is not None else "",
        f"at {metric.timestamp_ms} ms" if metric.timestamp_ms is not None else "",
        "null" if metric.is_null or not metric.held else f"= {value}",
        safe(metric.unit),
        "historical" if metric.is_historical else "",
        "transient" if metric.is_transient else "",
        f"quality {metric.quality}" if metric.quality is not None else "",
    ]
    return "  " + ", ".join(part for part in parts if part)
