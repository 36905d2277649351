"""Dead letters read again with today's formats and registry, for `stream.redelivery.replay`. Pure."""

import base64

from city.errors import DataError
from city.registry import IngestRegistry
from ingest.codecs import Codecs, decode_raw
from ingest.formats import Formats, ParsedMessage, Receipt, Refusal, Unreadable
from ingest.formats.sparkplug_b import Replay
from ingest.formats.sparkplug_births import BirthBook
from ingest.resolve import RETAINED, Rows, resolve, unknown_names
from stream.codec import DeadLetter
from stream.redelivery import Resolution


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
    try:
        origin = registry.routes.origin_of(letter.topic)
        formats = Formats(Replay(births or BirthBook(), unborn=letter.reason == "no-birth"))
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
    retained = letter.reason == RETAINED
    resolve(message, origin.gateway, registry, letter.received_at, rows, retained=retained)
    batches = {partition: part.batch(letter.received_at) for partition, part in rows.items()}
    if not message.refused:
        return Resolution(batches)
    reason, refusal = next(iter(message.refused.items()))
    if not batches:
        return Resolution({}, (), reason, refusal.detail, unknown_names(message, reason))
    left = tuple(place for refused in message.refused.values() for place in refused.only)
    return Resolution(batches, left, reason, refusal.detail, unknown_names(message, reason))


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
