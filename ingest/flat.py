"""Reads native JSON of registered gateways and devices straight into rows: Numba kernels, sure of themselves or silent.

All in one file, because Numba's cache looks at the age of the file of the kernel that is called, and of no other.

They take the plain shape that gateways send: ASCII without escapes, known names, numbers that a double holds after one
rounding (a mantissa up to 2^53 and a power of ten up to 22, Clinger's fast path), times from 1970 to 2199. A message
that holds anything else they leave whole to `ingest.formats.native` and `ingest.resolve`, which are their oracle too.
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
import numpy as np

from city.reading import Quality
from ingest.formats.parsed import KEYS_MAX, OBJECTS_MAX, PAYLOAD_BYTES_MAX
from ingest.formats.times import MILLISECONDS_MAX
from ingest.intake import FLAGS, MARK, PAYLOAD_END, PAYLOAD_START, RETAINED, TOPIC_END, TOPIC_START
from ingest.kernel import kernel
from ingest.resolve import AHEAD_US_MAX, EARLIEST_US
from ingest.words import WORD_BYTES, byte_at, first_bytes, mixed, word_at, word_of

ROW_BYTES_MIN = 5
"""No reading is written shorter than ``"a":1``: so many rows a text can hold at most."""

_DEVICE, _AT, _N, _EPOCH, _SENT_AT, _READINGS, _UNKNOWN = -2, -3, -4, -5, -6, -7, -1
_EXACT = 1 << 53
_POWERS = np.array([10.0**power for power in range(23)])
_MONTH_STARTS = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365])
_ABSENT = -1
_GOOD, _TIME_OF_RECEIPT, _UNSET = int(Quality.GOOD), int(Quality.TIME_OF_RECEIPT), int(Quality.TIME_UNSET)
_AHEAD, _OUT_OF_STEP = int(Quality.TIME_AHEAD), int(Quality.TIME_OUT_OF_STEP)
_GIVEN_UP = -1


@kernel
def hash_of(data, start, end):
    """Return 31 bits that depend on all bytes of a name."""
    value = word_of(end - start)
    while end - start > WORD_BYTES:
        value = mixed(value, word_at(data, start))
        start += WORD_BYTES
    if end > start:
        value = mixed(value, first_bytes(word_at(data, start), end - start))
    return int(value & word_of(0x7FFFFFFF))


@kernel
def same(text, first, data, start, end):
    """Tell whether a name of the same length stands in `text` from `first` on."""
    while end - start > WORD_BYTES:
        if word_at(text, first) != word_at(data, start):
            return False
        first += WORD_BYTES
        start += WORD_BYTES
    return end == start or first_bytes(word_at(text, first) ^ word_at(data, start), end - start) == 0


@kernel
def fill_slots(text, edge, slot):
    """Put each name where `find` will look for it."""
    mask = len(slot) - 1
    for name in range(len(edge) - 1):
        place = hash_of(text, edge[name], edge[name + 1]) & mask
        while slot[place] >= 0:
            place = (place + 1) & mask
        slot[place] = name


@kernel
def find(names, data, start, end):
    """Return the place of a name, -1 if it is not there."""
    mask = len(names.slot) - 1
    slot = hash_of(data, start, end) & mask
    while True:
        name = names.slot[slot]
        if name < 0:
            return -1
        first = names.edge[name]
        if names.edge[name + 1] - first == end - start and same(names.text, first, data, start, end):
            return int(name)
        slot = (slot + 1) & mask


@kernel
def read_messages(data, frames, received_at, tables, notes, rows, heads):
    """Read all messages that can be read for sure.

    Parameters
    ----------
    data, frames
        Of an `ingest.intake.Intake`.
    received_at : int
        City time, µs UTC.
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
        latest = received_at + AHEAD_US_MAX
        if sent_at != _ABSENT:
            latest = min(latest, sent_at + AHEAD_US_MAX)
        for index in range(row, after):
            at = rows.observed[index]
            quality = _judged(at, received_at, latest)
            rows.observed[index] = received_at if quality else at
            rows.quality[index] = quality
        heads.rows[message] = after - row
        row = after
    return row


@kernel
def _judged(at, received_at, latest):
    """Return whether a device's time can be true, or why not (`city.reading.Quality`)."""
    if at == _ABSENT:
        return _TIME_OF_RECEIPT
    if at < EARLIEST_US:
        return _UNSET
    if at <= latest:
        return _GOOD
    return _AHEAD if at > received_at + AHEAD_US_MAX else _OUT_OF_STEP


@kernel
def _read_message(data, start, end, place, message, tables, notes, serial, row, rows, heads):
    """Return the row after the message's last (or -1), the number of the last object, and when it was sent."""
    number, sent_at, listed = _ABSENT, _ABSENT, False
    epoch_start, epoch_end, epochs = start, start, 0
    device_start, device_end, at, keys, count = _ABSENT, 0, _ABSENT, 0, 0
    serial += 1
    position = _opened(data, start, end, 123)
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
            if number != _ABSENT:
                return _GIVEN_UP, serial, sent_at
            position, number = _integer(data, position, end, _EXACT - 1)
        elif kind == _SENT_AT:
            if sent_at != _ABSENT:
                return _GIVEN_UP, serial, sent_at
            position, sent_at = _time(data, position, end)
        elif kind == _EPOCH:
            position, epoch_start, epoch_end = _text(data, position, end)
            epochs += 1
            if epochs > 1 or not _is_epoch(data, epoch_start, epoch_end):
                return _GIVEN_UP, serial, sent_at
        elif listed:
            return _GIVEN_UP, serial, sent_at
        elif kind == _DEVICE:
            if device_start != _ABSENT:
                return _GIVEN_UP, serial, sent_at
            position, device_start, device_end = _text(data, position, end)
            keys += 1
        elif kind == _AT:
            if at != _ABSENT:
                return _GIVEN_UP, serial, sent_at
            position, at = _time(data, position, end)
            keys += 1
        else:
            position = _value(data, position, end, kind, notes, serial, count)
            count += 1
            keys += 1
        position, closed = _next(data, position, end, 125)
        if closed:
            if position < 0 or _space(data, position, end) != end:
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
    position = _opened(data, position, end, 91)
    objects = 0
    while position >= 0:
        objects += 1
        if objects > OBJECTS_MAX:
            return -1, row, serial
        serial += 1
        position, row = _read_object(data, position, end, place, message, tables, notes, serial, row, rows)
        if row < 0:
            return -1, row, serial
        position, closed = _next(data, position, end, 93)
        if closed:
            return position, row, serial
    return -1, row, serial


@kernel
def _read_object(data, position, end, place, message, tables, notes, serial, row, rows):
    """Read one object of a list; return where it ends and the next row, both -1 if it was given up."""
    device_start, device_end, at, keys, count = _ABSENT, 0, _ABSENT, 0, 0
    position = _opened(data, position, end, 123)
    while position >= 0:
        kind, position = _key(data, position, end, tables.metrics, False)
        if position < 0:
            break
        keys += 1
        if keys > KEYS_MAX:
            break
        if kind == _DEVICE:
            if device_start != _ABSENT:
                break
            position, device_start, device_end = _text(data, position, end)
        elif kind == _AT:
            if at != _ABSENT:
                break
            position, at = _time(data, position, end)
        else:
            position = _value(data, position, end, kind, notes, serial, count)
            count += 1
        position, closed = _next(data, position, end, 125)
        if closed:
            device = _device(data, device_start, device_end, place, tables)
            row = _place(device, at, count, place, message, tables, notes, row, rows)
            return (position, row) if row >= 0 else (-1, -1)
    return -1, -1


@kernel
def _device(data, start, end, place, tables):
    """Return the place of a device that this gateway may speak for, else -1."""
    if start == _ABSENT:
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
    position, mantissa, exponent, whole, negative = _number(data, position, end)
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
def _space(data, position, end):
    """Return where the next byte stands that is no white space of JSON."""
    while position < end:
        byte = byte_at(data, position)
        if byte > 32 or not (byte == 32 or byte == 10 or byte == 13 or byte == 9):
            break
        position += 1
    return position


@kernel
def _opened(data, position, end, bracket):
    """Return where the first thing after an opening bracket stands, -1 where there is no such bracket."""
    if position < 0:
        return -1
    position = _space(data, position, end)
    return position + 1 if position < end and byte_at(data, position) == bracket else -1


@kernel
def _next(data, position, end, bracket):
    """Pass a comma or the closing bracket; return what stands behind it (-1: neither), and whether it has closed."""
    if position < 0:
        return -1, True
    position = _space(data, position, end)
    if position < end and byte_at(data, position) == 44:
        return position + 1, False
    if position < end and byte_at(data, position) == bracket:
        return position + 1, True
    return -1, True


@kernel
def _text(data, position, end):
    """Return where what follows a string stands (-1: given up), and where the string begins and ends."""
    if position < 0:
        return -1, 0, 0
    position = _space(data, position, end)
    if position >= end or byte_at(data, position) != 34:
        return -1, 0, 0
    start = position + 1
    position = start
    while position < end and byte_at(data, position) != 34:
        if not 32 <= byte_at(data, position) <= 126 or byte_at(data, position) == 92:
            return -1, 0, 0
        position += 1
    return (position + 1, start, position) if position < end else (-1, 0, 0)


@kernel
def _key(data, position, end, metrics, top):
    """Read a key and its colon; return what it is (a metric's place, _DEVICE …) and where the value stands, or -1."""
    position, start, stop = _text(data, position, end)
    if position < 0:
        return _UNKNOWN, -1
    position = _space(data, position, end)
    if position >= end or byte_at(data, position) != 58:
        return _UNKNOWN, -1
    position = _space(data, position + 1, end)
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


@kernel
def _number(data, position, end):
    """Read a number; return where it ends (-1: given up), mantissa, exponent, whether it is whole, and negative."""
    negative = position < end and byte_at(data, position) == 45
    if negative:
        position += 1
    mantissa, exponent, digits = 0, 0, 0
    first = position
    while position < end and 48 <= byte_at(data, position) <= 57 and mantissa <= _EXACT:
        mantissa = mantissa * 10 + byte_at(data, position) - 48
        position += 1
    digits = position - first
    if not digits or (digits > 1 and byte_at(data, first) == 48):
        return -1, 0, 0, False, False
    whole = True
    if position < end and byte_at(data, position) == 46:
        whole = False
        position += 1
        first = position
        while position < end and 48 <= byte_at(data, position) <= 57 and mantissa <= _EXACT:
            mantissa = mantissa * 10 + byte_at(data, position) - 48
            position += 1
        exponent = first - position
        if not exponent:
            return -1, 0, 0, False, False
    if position < end and (byte_at(data, position) == 101 or byte_at(data, position) == 69):
        whole = False
        position += 1
        sign = 1
        if position < end and (byte_at(data, position) == 43 or byte_at(data, position) == 45):
            sign = 44 - byte_at(data, position)
            position += 1
        first, power = position, 0
        while position < end and 48 <= byte_at(data, position) <= 57 and power < 1000:
            power = power * 10 + byte_at(data, position) - 48
            position += 1
        if position == first:
            return -1, 0, 0, False, False
        exponent += sign * power
    if mantissa > _EXACT or not -22 <= exponent <= 22 or (position < end and 48 <= byte_at(data, position) <= 57):
        return -1, 0, 0, False, False
    return position, mantissa, exponent, whole, negative


@kernel
def _integer(data, position, end, largest):
    """Read an integer from 0 to `largest`; return where it ends (-1: given up), and it."""
    position, mantissa, _, whole, negative = _number(data, position, end)
    if position < 0 or not whole or negative or mantissa > largest:
        return -1, _ABSENT
    return position, mantissa


@kernel
def _time(data, position, end):
    """Read a time; return where it ends (-1: given up), and µs UTC."""
    if position < end and byte_at(data, position) != 34:
        position, milliseconds = _integer(data, position, end, MILLISECONDS_MAX)
        return position, milliseconds * 1000
    position, start, stop = _text(data, position, end)
    if position < 0:
        return -1, _ABSENT
    at = _rfc3339(data, start, stop)
    return (position, at) if at >= 0 else (-1, _ABSENT)


@kernel
def _digits(data, position, count):
    """Return the number that `count` digits write, -1 if they are none."""
    number = 0
    for index in range(position, position + count):
        if not 48 <= byte_at(data, index) <= 57:
            return -1
        number = number * 10 + byte_at(data, index) - 48
    return number


@kernel
def _rfc3339(data, start, end):
    """Return µs UTC of ``2026-11-23T18:00:00.123+01:00``; -1 for what is not, or is before 1970 or after 2199."""
    if (
        not 20 <= end - start <= 35
        or byte_at(data, start + 10) != 84
        or byte_at(data, start + 4) != 45
        or byte_at(data, start + 7) != 45
    ):
        return -1
    if byte_at(data, start + 13) != 58 or byte_at(data, start + 16) != 58:
        return -1
    year, month, day = _digits(data, start, 4), _digits(data, start + 5, 2), _digits(data, start + 8, 2)
    hour, minute, second = (
        _digits(data, start + 11, 2),
        _digits(data, start + 14, 2),
        _digits(data, start + 17, 2),
    )
    if not 1970 <= year <= 2199 or not 1 <= month <= 12 or not 0 <= hour <= 23:
        return -1
    leap = 1 if (year % 4 == 0 and year % 100 != 0) or year % 400 == 0 else 0
    length = _MONTH_STARTS[month] - _MONTH_STARTS[month - 1] + (leap if month == 2 else 0)
    if not 1 <= day <= length or not 0 <= minute <= 59 or not 0 <= second <= 59:
        return -1
    position, micros = start + 19, 0
    if byte_at(data, position) == 46:
        position += 1
        unit, first = 100_000, position
        while position < end and 48 <= byte_at(data, position) <= 57:
            micros += (byte_at(data, position) - 48) * unit
            unit //= 10
            position += 1
        if not 1 <= position - first <= 9:
            return -1
    shift = _zone(data, position, end)
    if shift <= -100_000:
        return -1
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400 - 719_162
    days += _MONTH_STARTS[month - 1] + (leap if month > 2 else 0) + day - 1
    at = (days * 86_400 + hour * 3_600 + minute * 60 + second - shift) * 1_000_000 + micros
    return at if at >= 0 else -1


@kernel
def _zone(data, position, end):
    """Return how many seconds a zone is ahead of UTC; -100,000 for what is no zone."""
    if end - position == 1 and byte_at(data, position) == 90:
        return 0
    if (
        end - position != 6
        or byte_at(data, position + 3) != 58
        or (byte_at(data, position) != 43 and byte_at(data, position) != 45)
    ):
        return -100_000
    hours, minutes = _digits(data, position + 1, 2), _digits(data, position + 4, 2)
    if not 0 <= hours <= 23 or not 0 <= minutes <= 59:
        return -100_000
    seconds = hours * 3_600 + minutes * 60
    return seconds if byte_at(data, position) == 43 else -seconds
