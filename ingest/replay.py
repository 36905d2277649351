"""Dead letters read again with today's formats and registry, for `stream.redelivery.replay`. Pure."""

import base64

from city.errors import DataError
from city.reading import ReadingBatch
from city.registry import IngestRegistry
from ingest.bundle import Bundled, is_bundle, unpack
from ingest.codecs import Codecs, decode_raw
from ingest.fairness import UNKNOWN
from ingest.formats import Formats, ParsedMessage, Receipt, Refusal, Unreadable
from ingest.formats.sparkplug_b import Memory
from ingest.formats.sparkplug_births import BirthBook
from ingest.formats.sparkplug_sessions import Sessions
from ingest.formats.sparkplug_topics import ROOT
from ingest.meta import Numbers, settled
from ingest.resolve import RETAINED, Rows, resolve
from stream.codec import DeadLetter
from stream.redelivery import Resolution

_NAMES_MAX = 200
_IN_ORDER = f"{ROOT}/"
"""How topics begin whose messages are read by those before them."""


def resolve_letter(
    letter: DeadLetter, registry: IngestRegistry, codecs: Codecs | None = None, births: BirthBook | None = None
) -> Resolution:
    """Return what can be placed now, and what of the letter must stay.

    Readings without a time of their own keep the letter's time of receipt.

    Parameters
    ----------
    codecs : Codecs, optional
        Kept by whoever replays many letters, so that each codec is compiled once.
    births : BirthBook, optional
        What Sparkplug's nodes have told.
    """
    payload = base64.b64decode(letter.payload)
    if is_bundle(letter.topic):
        return _resolve_bundle(letter, payload, registry, codecs or Codecs(), births or BirthBook())
    try:
        origin = registry.routes.origin_of(letter.topic)
        formats = Formats(Memory(book=births or BirthBook(), unborn=letter.reason == "no-birth"))
        message = formats.parse(origin, payload, Receipt(letter.received_at))
    except Unreadable as exc:
        return Resolution({}, (), exc.reason, exc.detail)
    except DataError as exc:
        return Resolution({}, (), "bad-topic", str(exc))
    if message.raw:
        decode_raw(message, origin.gateway, registry, codecs or Codecs(), letter.received_at)
    if letter.only:
        message = _only(message, set(letter.only))
    rows: Rows = {}
    # Letters that are on the log since before `retained` tell it by their reason alone.
    retained = letter.retained or letter.reason == RETAINED
    resolve(message, origin.gateway, registry, letter.received_at, rows, retained=retained)
    batches = {partition: part.batch(letter.received_at) for partition, part in rows.items()}
    if not message.refused:
        return Resolution(batches, left_out=message.left_out)
    reason, refusal = next(iter(message.refused.items()))
    names = tuple(message.unknown)[:_NAMES_MAX]
    if not batches and not message.left_out:
        return Resolution({}, (), reason, refusal.detail, names)
    left = tuple(place for refused in message.refused.values() for place in refused.only)
    return Resolution(batches, left, reason, refusal.detail, names, left_out=message.left_out)


def _resolve_bundle(
    letter: DeadLetter, payload: bytes, registry: IngestRegistry, codecs: Codecs, births: BirthBook
) -> Resolution:
    """Read the messages of a bundle each by itself; those of which anything is refused stay, whole."""
    try:
        messages = unpack(payload)
    except ValueError as exc:
        return Resolution({}, (), "isolated", str(exc))
    wanted = {position for position, _ in letter.only} if letter.only else range(len(messages))
    # Sparkplug's births of a bundle count for what follows them in it.
    formats = Formats(Memory(Sessions(), births))
    found: dict[int, list[ReadingBatch]] = {}
    numbers: Numbers = {}
    left: list[tuple[int, str]] = []
    devices: dict[str, None] = {}
    reason = detail = ""
    read = 0
    for position, one in enumerate(messages):
        if position not in wanted and not one.topic.startswith(_IN_ORDER):
            continue
        # Each message of a bundle was received a microsecond after the one before it.
        rows, message, why = _read_one(one, letter, letter.received_at + position, registry, formats, codecs)
        if position not in wanted:
            continue
        if why is not None:
            left.append((position, ""))
            reason, detail = (reason, detail) if reason else why
            devices |= message.unknown if message is not None else {}
            continue
        read += 1
        for partition, part in rows.items():
            found.setdefault(partition, []).append(part.batch(letter.received_at))
        if message is not None and message.number is not None and letter.gateway_id != UNKNOWN:
            numbers.setdefault((letter.gateway_id, message.epoch), []).append([message.number, message.number])
    batches = {partition: ReadingBatch.concatenate(parts) for partition, parts in found.items()}
    told = tuple((epoch, first, last) for (_, epoch), ranges in settled(numbers).items() for first, last in ranges)
    names = tuple(devices)[:_NAMES_MAX]
    return Resolution(batches, tuple(left) if read else (), reason, detail, names, told, messages=read)


def _read_one(
    one: Bundled, letter: DeadLetter, received_at: int, registry: IngestRegistry, formats: Formats, codecs: Codecs
) -> tuple[Rows, ParsedMessage | None, tuple[str, str] | None]:
    """Return a bundled message's rows, or why it must stay."""
    rows: Rows = {}
    try:
        origin = registry.routes.origin_of(one.topic)
        if letter.gateway_id not in (origin.gateway, UNKNOWN):
            return rows, None, ("wrong-gateway", f"a message of {origin.gateway} in a bundle of another gateway")
        live = not one.retained and origin.gateway in registry.gateways
        message = formats.parse(origin, one.payload, Receipt(received_at, live))
    except Unreadable as exc:
        return rows, None, (exc.reason, exc.detail)
    except DataError as exc:
        return rows, None, ("bad-topic", str(exc))
    if message.raw:
        decode_raw(message, origin.gateway, registry, codecs, received_at)
    resolve(message, origin.gateway, registry, received_at, rows, retained=one.retained)
    for reason, refusal in message.refused.items():
        return rows, message, (reason, refusal.detail)
    return rows, message, None


def _only(message: ParsedMessage, wanted: set[tuple[int, str]]) -> ParsedMessage:
    """Keep the readings that the letter set aside: the others went to the log when the message came.

    A place without a metric means all of its object: what it holds could not be told then.
    """
    objects = []
    for item in message.objects:
        if (item.position, "") in wanted:
            objects.append(item)
            continue
        readings = {metric: value for metric, value in item.readings.items() if (item.position, metric) in wanted}
        if readings:
            objects.append(item._replace(readings=readings))
    refused = {}
    for reason, refusal in message.refused.items():
        only = [place for place in refusal.only if place in wanted or (place[0], "") in wanted]
        if only:
            refused[reason] = Refusal(refusal.detail, only)
    return ParsedMessage(objects, message.number, message.epoch, message.sent_at_us, refused)
