"""Reads strings and numbers of plain JSON out of bytes: Numba kernels, each of which ends or gives up (-1).

ASCII without escapes, numbers that a double holds after one rounding: a mantissa up to 2^53 and a power of ten up to
22, Clinger's fast path.
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
from ingest.kernel import kernel
from ingest.words import byte_at

EXACT = 1 << 53
"""Every integer up to this is a double."""

ABSENT = -1


@kernel
def space(data, position, end):
    """Return where the next byte stands that is no white space of JSON."""
    while position < end:
        byte = byte_at(data, position)
        if byte > 32 or not (byte == 32 or byte == 10 or byte == 13 or byte == 9):
            break
        position += 1
    return position


@kernel
def opened(data, position, end, bracket):
    """Return where the first thing after an opening bracket stands, -1 where there is no such bracket."""
    if position < 0:
        return -1
    position = space(data, position, end)
    return position + 1 if position < end and byte_at(data, position) == bracket else -1


@kernel
def separator(data, position, end, bracket):
    """Pass a comma or the closing bracket; return what stands behind it (-1: neither), and whether it has closed."""
    if position < 0:
        return -1, True
    position = space(data, position, end)
    if position < end and byte_at(data, position) == 44:
        return position + 1, False
    if position < end and byte_at(data, position) == bracket:
        return position + 1, True
    return -1, True


@kernel
def text_of(data, position, end):
    """Return where what follows a string stands (-1: given up), and where the string begins and ends."""
    if position < 0:
        return -1, 0, 0
    position = space(data, position, end)
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
def number_of(data, position, end):
    """Read a number; return where it ends (-1: given up), mantissa, exponent, whether it is whole, and negative."""
    negative = position < end and byte_at(data, position) == 45
    if negative:
        position += 1
    mantissa, exponent, digits = 0, 0, 0
    first = position
    while position < end and 48 <= byte_at(data, position) <= 57 and mantissa <= EXACT:
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
        while position < end and 48 <= byte_at(data, position) <= 57 and mantissa <= EXACT:
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
    if mantissa > EXACT or not -22 <= exponent <= 22 or (position < end and 48 <= byte_at(data, position) <= 57):
        return -1, 0, 0, False, False
    return position, mantissa, exponent, whole, negative


@kernel
def integer_of(data, position, end, largest):
    """Read an integer from 0 to `largest`; return where it ends (-1: given up), and it."""
    position, mantissa, _, whole, negative = number_of(data, position, end)
    if position < 0 or not whole or negative or mantissa > largest:
        return -1, ABSENT
    return position, mantissa
