"""Reads native JSON of registered gateways and devices straight into rows: Numba kernels, sure of themselves or silent.

They take the plain shape that gateways send: ASCII without escapes, known names, numbers that a double holds after one
rounding (a mantissa up to 2^53 and a power of ten up to 22, Clinger's fast path), times from 1970 to 2199. A message
that holds anything else they leave whole to `ingest.formats.native` and `ingest.resolve`, which are their oracle too.
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
import numpy as np

from city.reading import Quality
from ingest.formats.parsed import KEYS_MAX, OBJECTS_MAX, PAYLOAD_BYTES_MAX
from ingest.intake import FLAGS, MARK, PAYLOAD_END, PAYLOAD_START, RETAINED, TOPIC_END, TOPIC_START
from ingest.json_text import ABSENT, EXACT, integer_of, number_of, opened, separator, space, text_of
from ingest.json_time import time_of
from ingest.kernel import kernel
from ingest.names import find
from ingest.resolve import AHEAD_US_MAX, EARLIEST_US
from ingest.words import byte_at

ROW_BYTES_MIN = 5
"""No reading is written shorter than ``"a":1``: so many rows a text can hold at most."""

_DEVICE, _AT, _N, _EPOCH, _SENT_AT, _READINGS, _UNKNOWN = -2, -3, -4, -5, -6, -7, -1
_POWERS = np.array([10.0**power for power in range(23)])
_GOOD, _TIME_OF_RECEIPT, _UNSET = int(Quality.GOOD), int(Quality.TIME_OF_RECEIPT), int(Quality.TIME_UNSET)
_AHEAD, _OUT_OF_STEP = int(Quality.TIME_AHEAD), int(Quality.TIME_OUT_OF_STEP)
_GIVEN_UP = -1


@kernel
def read_messages(data, frames, received_at, tables, notes, rows, heads):
    """Read all messages that can be read for sure.

    Parameters
    ----------
    data, frames
        Of an `ingest.intake.Intake`.
    received_at : int
        City time of the first message, µs UTC; each counts as received a microsecond after the one before it.
    tables : ingest.tables.Tables
    notes, rows, heads : ingest.rows.Notes, Rows, Heads, out
        `rows` with room for ``len(data) // ROW_BYTES_MIN + 1``; `notes.seen` zero.

    Returns
    -------
    int
        Readings written to `rows`.

    References
    ----------
    docs/decisions/0008-fast-door.md; oracle: `ingest.records.Flush`
    """
    row, serial = 0, 0
    for message in range(len(frames)):
        frame = frames[message]
        heads.rows[message] = 0
        start, end = frame[PAYLOAD_START], frame[PAYLOAD_END]
        if frame[FLAGS] & (RETAINED | MARK) or end - start > PAYLOAD_BYTES_MAX:
            continue
        place = find(tables.topics, data, frame[TOPIC_START], frame[TOPIC_END])
        if place < 0:
            continue
        after, serial, sent_at = _read_message(
            data, start, end, place, message, tables, notes, serial, row, rows, heads
        )
        if after == _GIVEN_UP:
            continue
        # Each message has a time of receipt of its own: `ingest.records.Flush` says why.
        receipt = received_at + message
        latest = receipt + AHEAD_US_MAX
        if sent_at != ABSENT:
            latest = min(latest, sent_at + AHEAD_US_MAX)
        for index in range(row, after):
            at = rows.observed[index]
            quality = _judged(at, receipt, latest)
            rows.observed[index] = receipt if quality else at
            rows.quality[index] = quality
        heads.rows[message] = after - row
        row = after
    return row


@kernel
def _judged(at, received_at, latest):
    """Return whether a device's time can be true, or why not (`city.reading.Quality`)."""
    if at == ABSENT:
        return _TIME_OF_RECEIPT
    if at < EARLIEST_US:
        return _UNSET
    if at <= latest:
        return _GOOD
    return _AHEAD if at > received_at + AHEAD_US_MAX else _OUT_OF_STEP


@kernel
def _read_message(data, start, end, place, message, tables, notes, serial, row, rows, heads):
    """Return the row after the message's last (or -1), the number of the last object, and when it was sent."""
    number, sent_at, listed = ABSENT, ABSENT, False
    epoch_start, epoch_end, epochs = start, start, 0
    device_start, device_end, at, keys, count = ABSENT, 0, ABSENT, 0, 0
    serial += 1
    position = opened(data, start, end, 123)
    while position >= 0:
        kind, position = _key(data, position, end, tables.metrics, True)
        if position < 0:
            break
        if kind == _READINGS:
            if listed or keys:
                return _GIVEN_UP, serial, sent_at
            position, row, serial = _read_list(data, position, end, place, message, tables, notes, serial, row, rows)
            listed = True
        elif kind == _N:
            if number != ABSENT:
                return _GIVEN_UP, serial, sent_at
            position, number = integer_of(data, position, end, EXACT - 1)
        elif kind == _SENT_AT:
            if sent_at != ABSENT:
                return _GIVEN_UP, serial, sent_at
            position, sent_at = time_of(data, position, end)
        elif kind == _EPOCH:
            position, epoch_start, epoch_end = text_of(data, position, end)
            epochs += 1
            if epochs > 1 or not _is_epoch(data, epoch_start, epoch_end):
                return _GIVEN_UP, serial, sent_at
        elif listed:
            return _GIVEN_UP, serial, sent_at
        elif kind == _DEVICE:
            if device_start != ABSENT:
                return _GIVEN_UP, serial, sent_at
            position, device_start, device_end = text_of(data, position, end)
            keys += 1
        elif kind == _AT:
            if at != ABSENT:
                return _GIVEN_UP, serial, sent_at
            position, at = time_of(data, position, end)
            keys += 1
        else:
            position = _value(data, position, end, kind, notes, serial, count)
            count += 1
            keys += 1
        position, closed = separator(data, position, end, 125)
        if closed:
            if position < 0 or space(data, position, end) != end:
                return _GIVEN_UP, serial, sent_at
            if keys > KEYS_MAX:
                return _GIVEN_UP, serial, sent_at
            if not listed:
                device = _device(data, device_start, device_end, place, tables)
                row = _place(device, at, count, place, message, tables, notes, row, rows)
            heads.number[message] = number
            heads.epoch[message, 0] = epoch_start
            heads.epoch[message, 1] = epoch_end
            return row, serial, sent_at
    return _GIVEN_UP, serial, sent_at


@kernel
def _read_list(data, position, end, place, message, tables, notes, serial, row, rows):
    """Read the objects of ``"readings": […]``; return where they end (-1: given up), the next row, the last object."""
    position = opened(data, position, end, 91)
    objects = 0
    while position >= 0:
        objects += 1
        if objects > OBJECTS_MAX:
            return -1, row, serial
        serial += 1
        position, row = _read_object(data, position, end, place, message, tables, notes, serial, row, rows)
        if row < 0:
            return -1, row, serial
        position, closed = separator(data, position, end, 93)
        if closed:
            return position, row, serial
    return -1, row, serial


@kernel
def _read_object(data, position, end, place, message, tables, notes, serial, row, rows):
    """Read one object of a list; return where it ends and the next row, both -1 if it was given up."""
    device_start, device_end, at, keys, count = ABSENT, 0, ABSENT, 0, 0
    position = opened(data, position, end, 123)
    while position >= 0:
        kind, position = _key(data, position, end, tables.metrics, False)
        if position < 0:
            break
        keys += 1
        if keys > KEYS_MAX:
            break
        if kind == _DEVICE:
            if device_start != ABSENT:
                break
            position, device_start, device_end = text_of(data, position, end)
        elif kind == _AT:
            if at != ABSENT:
                break
            position, at = time_of(data, position, end)
        else:
            position = _value(data, position, end, kind, notes, serial, count)
            count += 1
        position, closed = separator(data, position, end, 125)
        if closed:
            device = _device(data, device_start, device_end, place, tables)
            row = _place(device, at, count, place, message, tables, notes, row, rows)
            return (position, row) if row >= 0 else (-1, -1)
    return -1, -1


@kernel
def _device(data, start, end, place, tables):
    """Return the place of a device that this gateway may speak for, else -1."""
    if start == ABSENT:
        return -1
    device = find(tables.devices, data, start, end)
    if device < 0 or tables.speaker[device] != place:
        return -1
    return device


@kernel
def _place(device, at, count, place, message, tables, notes, row, rows):
    """Write one object's readings; return the next row, -1 where one of them has no place."""
    if device < 0 or not count:
        return -1
    first, last = tables.first[device], tables.first[device + 1]
    guess = first
    for index in range(count):
        metric = notes.metric[index]
        if guess >= last or tables.metric[guess] != metric:
            guess = first
            while guess < last and tables.metric[guess] != metric:
                guess += 1
            if guess >= last:
                return -1
        rule = tables.rule[guess]
        value = notes.value[index]
        if tables.scale[rule] != 1.0 or tables.offset[rule] != 0.0:
            value = value * tables.scale[rule] + tables.offset[rule]
        if not tables.low[rule] <= value <= tables.high[rule]:
            return -1
        rows.message[row] = message
        rows.partition[row] = tables.partition[guess]
        rows.place[row] = place
        rows.series[row] = tables.series[guess]
        rows.observed[row] = at
        rows.value[row] = value
        row += 1
        guess += 1
    return row


@kernel
def _value(data, position, end, metric, notes, serial, count):
    """Read a metric's value; return where it ends, -1: given up."""
    if notes.seen[metric] == serial or count >= KEYS_MAX:
        return -1
    notes.seen[metric] = serial
    position, mantissa, exponent, whole, negative = number_of(data, position, end)
    if position < 0:
        return -1
    value = float(mantissa)
    if exponent > 0:
        value *= _POWERS[exponent]
    elif exponent < 0:
        value /= _POWERS[-exponent]
    if negative and not (whole and mantissa == 0):
        value = -value
    notes.metric[count] = metric
    notes.value[count] = value
    return position


@kernel
def _key(data, position, end, metrics, top):
    """Read a key and its colon; return what it is (a metric's place, _DEVICE …) and where the value stands, or -1."""
    position, start, stop = text_of(data, position, end)
    if position < 0:
        return _UNKNOWN, -1
    position = space(data, position, end)
    if position >= end or byte_at(data, position) != 58:
        return _UNKNOWN, -1
    position = space(data, position + 1, end)
    length = stop - start
    if length <= 8:
        word = 0
        for index in range(length):
            word |= byte_at(data, start + index) << (8 * index)
        if word == 0x656369766564:  # device
            return _DEVICE, position
        if word == 0x7461:  # at
            return _AT, position
        if top and word == 0x6E:  # n
            return _N, position
        if top and word == 0x68636F7065:  # epoch
            return _EPOCH, position
        if top and word == 0x74615F746E6573:  # sent_at
            return _SENT_AT, position
        if top and word == 0x73676E6964616572:  # readings
            return _READINGS, position
    metric = find(metrics, data, start, stop)
    return (metric, position) if metric >= 0 else (_UNKNOWN, -1)


@kernel
def _is_epoch(data, start, end):
    """Tell whether an epoch is one: up to 64 letters, digits, '.', '_', ':' or '-'."""
    if end - start > 64:
        return False
    for index in range(start, end):
        byte = byte_at(data, index)
        letter = 65 <= byte <= 90 or 97 <= byte <= 122
        if not (letter or 48 <= byte <= 58 or byte == 45 or byte == 46 or byte == 95):
            return False
    return True
