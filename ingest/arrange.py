"""From rows in the order of receipt to the log's records, column by column: Numba kernels."""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
from ingest.kernel import kernel


@kernel
def plan(partition, n_rows, head_words, counts, starts):
    """Count each partition's rows, and say where its record begins.

    Parameters
    ----------
    partition : int32[:]
        Of each row.
    n_rows : int
    head_words : int
        Words of eight bytes that stand before a record's columns.
    counts : int64[n_partitions], out
    starts : int64[n_partitions + 1], out
        In words of eight bytes; a partition without rows takes none.
    """
    counts[:] = 0
    for row in range(n_rows):
        counts[partition[row]] += 1
    place = 0
    for number in range(len(counts)):
        starts[number] = place
        count = counts[number]
        if count:
            place += head_words + 2 * ((count * 4 + 7) // 8) + 3 * count + (count + 7) // 8 + 1
    starts[len(counts)] = place


@kernel
def write_records(rows, n_rows, gateway, received_at, form, end, counts, starts, fill, words, ints, floats, bytes_):
    """Write the Arrow stream of every partition.

    Parameters
    ----------
    rows : ingest.rows.Rows
    gateway : int32[:]
        Number of the gateway at each place.
    received_at : int
        µs UTC.
    form : stream.batch_form.BatchForm
    end : int
        The word that closes a stream.
    counts, starts
        From `plan`.
    fill : int64[n_partitions], scratch
    words, ints, floats, bytes_ : int64[:], int32[:], float64[:], uint8[:], out
        The same memory, zero.

    References
    ----------
    Oracle: `stream.codec.encode_batch`
    """
    head_words = form.base.shape[1]
    for number in range(len(counts)):
        fill[number] = 0
        count = counts[number]
        if count:
            for word in range(head_words):
                words[starts[number] + word] = form.base[count % 8, word] + form.slope[count % 8, word] * count
            words[starts[number + 1] - 1] = end
    for row in range(n_rows):
        number = rows.partition[row]
        count, index = counts[number], fill[number]
        fill[number] = index + 1
        place = starts[number] + head_words
        narrow = (count * 4 + 7) // 8
        ints[2 * place + index] = rows.series[row]
        place += narrow
        ints[2 * place + index] = gateway[rows.place[row]]
        place += narrow
        words[place + index] = rows.observed[row]
        place += count
        words[place + index] = received_at
        place += count
        floats[place + index] = rows.value[row]
        place += count
        bytes_[8 * place + index] = rows.quality[row]


@kernel
def tally(partition, place, n_rows, n_places, grid, keys, counts):
    """Count the rows of each gateway in each partition.

    Parameters
    ----------
    partition, place : int32[:]
    n_rows, n_places : int
    grid : int32[n_partitions * n_places], scratch
        Zero before and after.
    keys, counts : int64[:], out
        ``partition * n_places + place`` in the order in which each first appears, and its rows.

    Returns
    -------
    int
        How many there are.
    """
    found = 0
    for row in range(n_rows):
        key = int(partition[row]) * n_places + int(place[row])
        if grid[key] == 0:
            found += 1
            grid[key] = found
            keys[found - 1] = key
            counts[found - 1] = 0
        counts[grid[key] - 1] += 1
    for index in range(found):
        grid[keys[index]] = 0
    return found


@kernel
def note_numbers(data, heads, first_row, rows, slot, entry, ranges):
    """Gather messages' numbers into ranges, for each partition, gateway and epoch.

    Parameters
    ----------
    data : uint8[:]
    heads : ingest.rows.Heads
    first_row : int64[n_messages]
        A message's first row tells where its number goes.
    rows : ingest.rows.Rows
    slot : int32[2^k], scratch
        -1 everywhere, at least twice as many as messages.
    entry : int64[n_messages, 6], out
        Partition, place of the gateway, start and end of the epoch, first message, last range.
    ranges : int64[n_messages, 3], out
        Entry, first, last (inclusive), in the order of receipt.

    Returns
    -------
    tuple of int
        Entries and ranges in use.
    """
    n_entries, n_ranges = 0, 0
    mask = len(slot) - 1
    for message in range(len(heads.rows)):
        number = heads.number[message]
        if not heads.rows[message] or number < 0:
            continue
        row = first_row[message]
        partition, place = int(rows.partition[row]), int(rows.place[row])
        start, end = heads.epoch[message, 0], heads.epoch[message, 1]
        hashed = (place * 31 + partition) & 0xFFFFFFFF
        for index in range(start, end):
            hashed = ((hashed ^ int(data[index])) * 16777619) & 0xFFFFFFFF
        at = (hashed ^ (hashed >> 15)) & mask
        while slot[at] >= 0 and not _same_entry(entry[slot[at]], data, partition, place, start, end):
            at = (at + 1) & mask
        if slot[at] < 0:
            slot[at] = n_entries
            entry[n_entries, 0], entry[n_entries, 1] = partition, place
            entry[n_entries, 2], entry[n_entries, 3] = start, end
            entry[n_entries, 4], entry[n_entries, 5] = message, -1
            n_entries += 1
        known = entry[slot[at]]
        if known[5] >= 0 and ranges[known[5], 2] + 1 == number:
            ranges[known[5], 2] = number
            continue
        known[5] = n_ranges
        ranges[n_ranges, 0], ranges[n_ranges, 1], ranges[n_ranges, 2] = slot[at], number, number
        n_ranges += 1
    return n_entries, n_ranges


@kernel
def _same_entry(known, data, partition, place, start, end):
    if known[0] != partition or known[1] != place or known[3] - known[2] != end - start:
        return False
    index = 0
    while index < end - start and data[known[2] + index] == data[start + index]:
        index += 1
    return index == end - start
