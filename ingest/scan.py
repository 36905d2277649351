"""Cuts PUBLISH frames out of a stream of bytes, in place: a Numba kernel. Pure."""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"

from ingest.formats.parsed import PAYLOAD_BYTES_MAX
from ingest.intake import (
    FLAGS,
    MARK,
    PAYLOAD_END,
    PAYLOAD_START,
    QOS,
    RETAINED,
    SYSTEM,
    TOKEN,
    TOPIC_END,
    TOPIC_START,
)
from ingest.kernel import kernel

FRAME_BYTES_MAX = 512 * 1024
"""Of a longer PUBLISH only the beginning is kept: enough to be refused as too large, and still acknowledged."""

KEPT_BYTES = 2 * 65536 + PAYLOAD_BYTES_MAX

HUNGRY, LIMIT, OTHER, MALFORMED, TOO_LONG, CUT = range(6)
"""Why the scan stopped: no more bytes; as many frames as may be; a frame of another type; not MQTT; one of another type
that is too long for any; a PUBLISH of which only the beginning is kept."""


@kernel
def scan_frames(data, start, end, mqtt5, mark, system, frames, count, limit):
    """Find whole PUBLISH frames from `start` on.

    Parameters
    ----------
    data : uint8[:]
    start, end : int
        The bytes to look at.
    mqtt5 : bool
        Frames carry properties, which are passed over.
    mark, system : uint8[:]
        The topic that is flagged MARK, and how those begin that are flagged SYSTEM; empty: none.
    frames : int64[:, COLUMNS], out
    count, limit : int
        Rows of `frames` in use, and how many may be.

    Returns
    -------
    tuple of int
        Where it stopped, rows in use, why (HUNGRY …), and for OTHER where that frame ends, for CUT how many bytes of it
        are yet to come.

    References
    ----------
    Oracle: `tests.ingest.test_frames`, on streams of frames in any division.
    """
    position = start
    while end - position >= 2:
        if count >= limit:
            return position, count, LIMIT, 0
        head = int(data[position])
        length, body = _remaining_length(data, position + 1, end)
        if length == -1:
            break
        if length == -2:
            return position, count, MALFORMED, 0
        after = body + length
        if head & 0xF0 != 0x30:
            if after > end:
                return position, count, TOO_LONG if length > FRAME_BYTES_MAX else HUNGRY, 0
            return position, count, OTHER, after
        last = after
        if after > end:
            if length <= FRAME_BYTES_MAX or end - body < KEPT_BYTES:
                break
            last = end
        name_end = body + 2 + (int(data[body]) << 8 | int(data[body + 1])) if length >= 2 else after + 1
        qos = head >> 1 & 3
        payload = name_end + 2 if qos else name_end
        if payload > after or qos > 1 or name_end == body + 2:
            return position, count, MALFORMED, 0
        if mqtt5:
            properties, payload = _remaining_length(data, payload, last)
            payload += properties
            if properties < 0 or payload > after:
                return position, count, MALFORMED, 0
            payload = min(payload, last)
        row = frames[count]
        row[TOPIC_START] = body + 2
        row[TOPIC_END] = name_end
        row[PAYLOAD_START] = payload
        row[PAYLOAD_END] = last
        row[TOKEN] = int(data[name_end]) << 8 | int(data[name_end + 1]) if qos else 0
        row[FLAGS] = head & (RETAINED | QOS)
        if name_end - body - 2 == len(mark) and _begins(data, body + 2, name_end, mark):
            row[FLAGS] |= MARK
        elif len(system) and _begins(data, body + 2, name_end, system):
            row[FLAGS] |= SYSTEM
        count += 1
        if after > end:
            return end, count, CUT, after - end
        position = after
    return position, count, HUNGRY, 0


@kernel
def _remaining_length(data, position, end):
    """Return a length and where what follows it begins; -1: not all of it has come; -2: over four bytes."""
    length = 0
    for index in range(4):
        if position + index >= end:
            return -1, position
        byte = int(data[position + index])
        length |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return length, position + index + 1
    return -2, position


@kernel
def _begins(data, start, end, text):
    index = 0
    while index < len(text) and index < end - start and data[start + index] == text[index]:
        index += 1
    return index == len(text)
