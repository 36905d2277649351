"""Finds names in a table of bytes: Numba kernels over the tables of `ingest.tables`."""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
from ingest.kernel import kernel
from ingest.words import WORD_BYTES, first_bytes, mixed, word_at, word_of


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
def find_each(names, data, edges, places):
    """Write the place of each name that stands in `data` between two edges; -1 if it is not there, -2 if it is empty.

    Parameters
    ----------
    edges : int64[n, 2]
    places : int64[n], out
    """
    for index in range(len(edges)):
        start, end = edges[index, 0], edges[index, 1]
        places[index] = find(names, data, start, end) if end > start else -2
