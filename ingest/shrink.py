"""The last net: records that the log finds too large are made smaller: one message stops nobody else's. Pure."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ingest.meta import OVERHEAD_BYTES
from stream import codec
from stream.codec import BATCH, DEAD_LETTER, RecordMeta
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
        # What the whole record counts goes with the first piece; the others follow in the same append.
        for _, value in pieces(codec.decode_batch(record.value), limit):
            yield replace(record, value=value, meta=codec.encode(meta))
            meta = RecordMeta()
    else:
        yield record
