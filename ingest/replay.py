"""Dead letters read again with today's formats and registry, for `stream.redelivery.replay`. Pure."""

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from city.errors import DataError
from city.reading import ReadingBatch
from city.registry import IngestRegistry
from ingest.bundle import ISOLATED, Bundled, is_bundle, unpack
from ingest.chosen import asked_of, leave_others, names_at, only_named, why_missing
from ingest.codecs import Codecs, decode_raw
from ingest.fairness import UNKNOWN
from ingest.formats import Formats, ParsedMessage, Receipt, Unreadable
from ingest.formats.sparkplug_b import Memory
from ingest.formats.sparkplug_births import BirthBook
from ingest.formats.sparkplug_sessions import Sessions
from ingest.formats.sparkplug_topics import ROOT
from ingest.meta import Numbers, settled
from ingest.resolve import RETAINED, Rows, resolve, some_names
from stream.codec import DeadLetter
from stream.redelivery import Resolution

KNOWN_BUT = "; of what became known since, some cannot be placed: "
"""Stands in the detail of a bundle, before what is wrong with readings of those for whom it was opened."""
_IN_ORDER = f"{ROOT}/"
"""How topics begin whose messages are read by those before them."""


def resolve_letter(
    letter: DeadLetter,
    registry: IngestRegistry,
    codecs: Codecs | None = None,
    births: BirthBook | None = None,
    newcomers: Collection[str] | None = None,
) -> Resolution:
    """Return what can be placed now, and what of the letter must stay.

    Readings without a time of their own keep the letter's time of receipt.

    Parameters
    ----------
    codecs : Codecs, optional
        Kept by whoever replays many letters, so that each codec is compiled once.
    births : BirthBook, optional
        What Sparkplug's nodes have told.
    newcomers : collection of str, optional
        Devices: of a bundle only what is theirs goes, and the rest stays as it is.
    """
    payload = base64.b64decode(letter.payload)
    if is_bundle(letter.topic):
        return _resolve_bundle(letter, payload, registry, codecs or Codecs(), births or BirthBook(), newcomers)
    try:
        origin = registry.routes.origin_of(letter.topic)
        formats = Formats(Memory(book=births or BirthBook(), unborn=letter.reason == "no-birth"))
        message = formats.parse(origin, payload, Receipt(letter.received_at))
    except Unreadable as exc:
        return Resolution({}, (), exc.reason, exc.detail, numbers=_told(exc, letter))
    except DataError as exc:
        return Resolution({}, (), "bad-topic", str(exc))
    told = _told(message, letter)
    if message.raw:
        decode_raw(message, origin.gateway, registry, codecs or Codecs(), letter.received_at)
    missing: tuple[tuple[int, str], ...] = ()
    holds: list[str] = []
    if letter.only:
        holds = names_at(message, {position for position, _ in letter.only})
        message, missing = only_named(message, letter.only)
    rows: Rows = {}
    # Letters that are on the log since before `retained` tell it by their reason alone.
    retained = letter.retained or letter.reason == RETAINED
    resolve(message, origin.gateway, registry, letter.received_at, rows, retained=retained)
    batches = {partition: part.batch(letter.received_at) for partition, part in rows.items()}
    if not message.refused and not missing:
        return Resolution(batches, numbers=told, left_out=message.left_out)
    reason, detail = letter.reason, why_missing(missing, holds)
    if message.refused:
        reason, refusal = next(iter(message.refused.items()))
        detail = refusal.detail
    names = some_names(message.unknown)
    if not batches and not message.left_out:
        return Resolution({}, (), reason, detail, names, told)
    left = tuple(place for refused in message.refused.values() for place in refused.only) + missing
    return Resolution(batches, left, reason, detail, names, told, left_out=message.left_out)


def _told(message: ParsedMessage | Unreadable, letter: DeadLetter) -> tuple[tuple[str, int, int], ...]:
    """Return the message's number, if it has any: who set it aside may not have read it."""
    if message.number is None or letter.gateway_id == UNKNOWN:
        return ()
    return ((message.epoch, message.number, message.number),)


def anew(letter: DeadLetter) -> DeadLetter:
    """Return a letter that wants all of the objects of which it holds something, whatever their values are called now.

    What of them is stored already counts as a duplicate.
    """
    if not letter.only:
        return letter
    if is_bundle(letter.topic):
        whole = dict.fromkeys((place, name and f"{name.split(' ', 1)[0]} ") for place, name in letter.only)
        return replace(letter, only=tuple(whole))
    return replace(letter, only=tuple((position, "") for position in sorted({place for place, _ in letter.only})))


def _resolve_bundle(
    letter: DeadLetter,
    payload: bytes,
    registry: IngestRegistry,
    codecs: Codecs,
    births: BirthBook,
    newcomers: Collection[str] | None,
) -> Resolution:
    """Read the messages of a bundle each by itself; of each goes what can be placed, and stays what is refused."""
    try:
        messages = unpack(payload)
    except ValueError as exc:
        return Resolution({}, (), ISOLATED, str(exc))
    asked = _asked(letter.only, len(messages))
    # Sparkplug's births of a bundle count for what follows them in it.
    reader = _Reader(letter, registry, Formats(Memory(Sessions(), births)), codecs, newcomers)
    found: dict[int, list[ReadingBatch]] = {}
    numbers: Numbers = {}
    left: list[tuple[int, str]] = []
    devices: dict[str, None] = {}
    reason = detail = theirs = ""
    read = 0
    for position, one in enumerate(messages):
        if position not in asked and not one.topic.startswith(_IN_ORDER):
            continue
        # Each message of a bundle was received a microsecond after the one before it.
        was = reader.read(one, letter.received_at + position, asked.get(position, ()))
        if position not in asked:
            continue
        for epoch, first, last in was.numbers:
            numbers.setdefault((letter.gateway_id, epoch), []).append([first, last])
        for partition, part in was.rows.items():
            found.setdefault(partition, []).append(part.batch(letter.received_at))
        if was.reason:
            reason, detail = (reason, detail) if reason else (was.reason, was.detail)
            devices |= was.unknown
            theirs = theirs or was.theirs
            left += [(position, f"{place} {metric}") for place, metric in was.left] or [(position, "")]
        else:
            read += 1
    batches = {partition: ReadingBatch.concatenate(parts) for partition, parts in found.items()}
    told = tuple((epoch, first, last) for (_, epoch), ranges in settled(numbers).items() for first, last in ranges)
    stays = tuple(left) if read or batches else ()
    if newcomers is not None:
        detail = letter.detail.partition(KNOWN_BUT)[0] + (theirs and f"{KNOWN_BUT}{theirs}")
        return Resolution(batches, stays, reason and letter.reason, detail, None, told, messages=read)
    return Resolution(batches, stays, reason, detail, some_names(devices), told, messages=read)


def _asked(only: Sequence[tuple[int, str]], count: int) -> dict[int, list[tuple[int, str]]]:
    """Return what is wanted of each message of a bundle: object and metric of readings; empty: all of it.

    A letter names them as ``object metric``, both in one.
    """
    asked: dict[int, list[tuple[int, str]]] = {}
    for position, name in only:
        places = asked.setdefault(position, [])
        if name:
            place, metric = name.split(" ", 1)
            places.append((int(place), metric))
    return asked or {position: [] for position in range(count)}


@dataclass(frozen=True, slots=True)
class _Was:
    """What was made of one message of a bundle.

    Attributes
    ----------
    left : sequence of (int, str)
        Object and metric of the readings that stay; empty: all of the message, where there is a reason.
    theirs : str
        What is wrong with readings of newcomers.
    """

    rows: Rows = field(default_factory=dict)
    left: Sequence[tuple[int, str]] = ()
    reason: str = ""
    detail: str = ""
    numbers: tuple[tuple[str, int, int], ...] = ()
    unknown: dict[str, None] = field(default_factory=dict)
    theirs: str = ""


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the messages of one bundle."""

    letter: DeadLetter
    registry: IngestRegistry
    formats: Formats
    codecs: Codecs
    newcomers: Collection[str] | None = None

    def read(self, one: Bundled, received_at: int, wanted: Sequence[tuple[int, str]]) -> _Was:
        """Read one message, or what is wanted of it."""
        letter, registry = self.letter, self.registry
        try:
            origin = registry.routes.origin_of(one.topic)
            if letter.gateway_id not in (origin.gateway, UNKNOWN):
                detail = f"a message of {origin.gateway} in a bundle of another gateway"
                return _Was(left=wanted, reason="wrong-gateway", detail=detail)
            live = not one.retained and origin.gateway in registry.gateways
            message = self.formats.parse(origin, one.payload, Receipt(received_at, live))
        except Unreadable as exc:
            return _Was(left=wanted, reason=exc.reason, detail=exc.detail, numbers=_told(exc, letter))
        except DataError as exc:
            return _Was(left=wanted, reason="bad-topic", detail=str(exc))
        numbers = _told(message, letter)
        others: Sequence[tuple[int, str]] = ()
        if self.newcomers is not None:
            others = leave_others(message, registry, self.newcomers)
            if not message.objects and not message.raw:
                return _Was(left=wanted, reason=letter.reason)
        if message.raw:
            decode_raw(message, origin.gateway, registry, self.codecs, received_at)
        missing: tuple[tuple[int, str], ...] = ()
        holds: list[str] = []
        if wanted:
            holds = names_at(message, {position for position, _ in wanted})
            message, missing = only_named(message, wanted)
            others = asked_of(others, wanted)
        rows: Rows = {}
        resolve(message, origin.gateway, registry, received_at, rows, retained=one.retained)
        refused = (place for refusal in message.refused.values() for place in refusal.only)
        left = list(dict.fromkeys((*others, *refused, *missing)))
        if not left:
            return _Was(rows, numbers=numbers)
        reason, detail = letter.reason, why_missing(missing, holds)
        if message.refused:
            reason, refusal = next(iter(message.refused.items()))
            detail = refusal.detail
        theirs = detail if message.refused and self.newcomers is not None else ""
        return _Was(rows, left if rows or wanted else (), reason, detail, numbers, message.unknown, theirs)
