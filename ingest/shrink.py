"""The last net: records that the log finds too large are made smaller: one message stops nobody else's. Pure."""

import base64
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from city.reading import ReadingBatch
from ingest.meta import OVERHEAD_BYTES
from stream import codec
from stream.codec import BATCH, DEAD_LETTER, GatewayCount, RecordMeta
from stream.letter_form import decode_letter, letters_within
from stream.log import Append
from stream.pieces import pieces


def shrunk(records: Sequence[Append], limit: int) -> tuple[list[Append], int]:
    """Return the records of an append, each of at most `limit` bytes where that can be, and how many were larger."""
    found: list[Append] = []
    larger = 0
    for record in records:
        if len(record.value) <= limit:
            found.append(record)
            continue
        larger += 1
        found += _smaller(record, limit)
    return found, larger


def _smaller(record: Append, limit: int) -> Iterator[Append]:
    meta = codec.decode(RecordMeta, record.meta)
    if record.kind == DEAD_LETTER:
        letter = decode_letter(record.value)
        for part, value in letters_within(letter, base64.b64decode(letter.payload), limit - OVERHEAD_BYTES):
            counts = tuple(replace(count, count=part.units) for count in meta.counts)
            yield replace(record, value=value, meta=codec.encode(replace(meta, counts=counts)))
            meta = replace(meta, numbers=())
    elif record.kind == BATCH:
        # Each piece counts itself: of an append that fails, any of its records may be on the log.
        batch = codec.decode_batch(record.value)
        names = _gateways(batch, meta)
        for piece, value in pieces(batch, limit):
            found = Counter(piece.gateway_id.tolist())
            counts = tuple(replace(count, count=found[number]) for number, count in names.items() if number in found)
            yield replace(record, value=value, meta=codec.encode(replace(meta, counts=counts)))
            meta = replace(meta, numbers=())
    else:
        yield record


def _gateways(batch: ReadingBatch, meta: RecordMeta) -> dict[int, GatewayCount]:
    """Return, by gateway number, what the record counts: both stand in the order in which each first appears."""
    numbers = dict.fromkeys(batch.gateway_id.tolist())
    return dict(zip(numbers, meta.counts, strict=True))
