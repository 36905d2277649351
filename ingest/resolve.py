"""From a parsed message to rows of the log, by the registry and the rules of time. Pure."""

from array import array
from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring_ascii as _quoted
from typing import NamedTuple

import numpy as np

from city.clock import MINUTE_US, SECOND_US
from city.reading import Quality, ReadingBatch
from city.registry import IngestRegistry, KnownDevice, SeriesTarget
from city.units import conversion_of
from ingest.formats.parsed import ParsedMessage, ParsedObject, RawObject, Value

AHEAD_US_MAX = 5 * MINUTE_US
"""A device's time may be this far ahead of receipt, or of its gateway's sending, before it is not believed."""

EARLIEST_US = 978_307_200 * SECOND_US
"""2001-01-01: clocks that were never set start in 1970 or 2000."""

RETAINED = "retained-without-time"
"""Why a reading is set aside that a broker had kept, and that does not say when it was observed."""

UNKNOWN_DEVICE = "unknown-device"
"""Why readings are set aside until somebody claims their device."""

_GOOD, _TIME_OF_RECEIPT = int(Quality.GOOD), int(Quality.TIME_OF_RECEIPT)
_UNSET, _AHEAD, _OUT_OF_STEP = int(Quality.TIME_UNSET), int(Quality.TIME_AHEAD), int(Quality.TIME_OUT_OF_STEP)


_UNKNOWN_BYTES_MAX = 65_536
"""As JSON writes them: a character takes up to 12."""


def unknown_names(message: ParsedMessage, reason: str) -> tuple[str, ...]:
    """Return the devices for which a letter of this reason waits, of very many the first."""
    return some_names(message.unknown) if reason == UNKNOWN_DEVICE else ()


def some_names(devices: Iterable[str]) -> tuple[str, ...]:
    """Return the first devices for which a letter waits, as many as fit into a modest list."""
    names, room = [], _UNKNOWN_BYTES_MAX
    for name in devices:
        room -= len(_quoted(name)) + 1
        if room < 0:
            break
        names.append(name)
    return tuple(names)


class PartitionRows:
    """Readings for one partition of `readings`, growing column by column in the order of receipt.

    Attributes
    ----------
    counts : dict
        Gateway → readings.
    numbers : dict
        (gateway, epoch) → ranges of message numbers, [first, last] both inclusive.
    """

    __slots__ = ("counts", "gateway", "numbers", "observed", "quality", "series", "value")

    def __init__(self) -> None:
        self.series = array("i")
        self.gateway = array("i")
        self.observed = array("q")
        self.value = array("d")
        self.quality = array("B")
        self.counts: dict[str, int] = {}
        self.numbers: dict[tuple[str, str], list[list[int]]] = {}

    def __len__(self) -> int:
        return len(self.series)

    def note_number(self, gateway_id: str, epoch: str, number: int) -> None:
        """Remember a message number; runs of successive numbers are kept as one range."""
        ranges = self.numbers.setdefault((gateway_id, epoch), [])
        if ranges and ranges[-1][1] + 1 == number:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])

    def batch(self, received_at: int) -> ReadingBatch:
        """Return the rows as columns, all received at `received_at` (µs UTC)."""
        return ReadingBatch(
            np.frombuffer(self.series, np.int32),
            np.frombuffer(self.gateway, np.int32),
            np.frombuffer(self.observed, np.int64),
            np.full(len(self.series), received_at, np.int64),
            np.frombuffer(self.value, np.float64),
            np.frombuffer(self.quality, np.uint8),
        )


Rows = dict[int, PartitionRows]
"""Partition → its rows."""


def resolve(
    message: ParsedMessage,
    gateway_id: str,
    registry: IngestRegistry,
    received_at: int,
    rows: Rows,
    *,
    retained: bool = False,
) -> PartitionRows | None:
    """Add a message's readings to `rows`; what cannot be placed goes to ``message.refused``.

    Values that contradict each other (one series, one time, two values) all go to the log in the message's order:
    the store keeps the first and counts the others as conflicting.

    Parameters
    ----------
    received_at : int
        µs UTC, city time.
    rows : dict
        Changed in place.
    retained : bool
        The broker had kept the message: when it was received says nothing about its readings.

    Returns
    -------
    PartitionRows or None
        Where the message's first reading went; None if none went anywhere.
    """
    latest = received_at + AHEAD_US_MAX
    if message.sent_at_us is not None:
        latest = min(latest, message.sent_at_us + AHEAD_US_MAX)
    objects = _timed(message, latest) if retained else message.objects
    number = registry.gateways.get(gateway_id)
    if number is None:
        reason, detail = _why_no_gateway(gateway_id, registry)
        for item in objects:
            _refuse_object(message, reason, detail, item)
        return None
    home: PartitionRows | None = None
    for item in objects:
        known = device_of(item, registry)
        if known is None:
            detail = f"device {_short(item.device)} is not in the registry: add or claim it, then replay"
            _refuse_object(message, UNKNOWN_DEVICE, detail, item)
            message.unknown[item.device] = None
            continue
        if known.gateway_id != gateway_id:
            detail = f"device {_short(item.device)} belongs to another gateway; {gateway_id} may not speak for it"
            _refuse_object(message, "wrong-gateway", detail, item)
            continue
        at_us = item.at_us
        if at_us is None:
            place = Place(gateway_id, number, _counted(received_at, item.since_receipt_us, latest), _TIME_OF_RECEIPT)
        else:
            quality = _judged(at_us, received_at, latest)
            place = Place(gateway_id, number, received_at if quality else at_us, quality)
        landed = _add(message, item, known, place, rows)
        if home is None:
            home = landed
    return home


def device_of(item: ParsedObject | RawObject, registry: IngestRegistry) -> KnownDevice | None:
    """Return whose readings these are: a part's own where it is registered by itself."""
    part = item.part if isinstance(item, ParsedObject) else ""
    known = registry.devices.get(f"{item.device}/{part}") if part else None
    return known or registry.devices.get(item.device)


def _why_no_gateway(gateway_id: str, registry: IngestRegistry) -> tuple[str, str]:
    """Return reason and detail for what comes from a gateway that may send nothing."""
    if gateway_id in registry.retired:
        return "retired-gateway", f"gateway {gateway_id} was taken out: if it is in use again, restore it, then replay"
    return "unknown-gateway", f"gateway {gateway_id} is not in the registry: add it to the city pack, then replay"


def _judged(at_us: int, received_at: int, latest: int) -> int:
    """Return whether a device's time can be true, or why not."""
    if at_us < EARLIEST_US:
        return _UNSET
    if at_us <= latest:
        return _GOOD
    return _AHEAD if at_us > received_at + AHEAD_US_MAX else _OUT_OF_STEP


def _counted(received_at: int, since_receipt_us: int, latest: int) -> int:
    """Return a time that was told relative to receipt, or receipt itself where it cannot be true."""
    at_us = received_at + since_receipt_us
    return at_us if EARLIEST_US <= at_us <= latest else received_at


def _timed(message: ParsedMessage, latest: int) -> list[ParsedObject]:
    """Return the objects that tell a time of their own; the others are refused."""
    timed = []
    for item in message.objects:
        if item.at_us is not None and EARLIEST_US <= item.at_us <= latest:
            timed.append(item)
        else:
            detail = "a retained message that does not say when: publish readings not retained, or with their time"
            _refuse_object(message, RETAINED, detail, item)
    return timed


class Place(NamedTuple):
    """What all readings of one object share."""

    gateway_id: str
    number: int
    observed_at: int
    quality: int


def _add(
    message: ParsedMessage, item: ParsedObject, device: KnownDevice, place: Place, rows: Rows
) -> PartitionRows | None:
    """Add one object's readings; return where the first went."""
    gateway_id, number, observed_at, quality = place
    targets, units = device.targets, item.units
    part: PartitionRows | None = None
    first: PartitionRows | None = None
    partition = -1
    for name, raw in item.readings.items():
        target = targets.get(name)
        if target is None:
            if device.profile.ignores(name):
                message.left_out += 1
            else:
                message.refuse("unknown-metric", f"{device.device_id} has no metric {name}", item.position, name)
            continue
        if isinstance(raw, str) or units or target.values or target.scale != 1.0 or target.offset:
            word = _meant(raw, item.texts.get(name), target.values) if target.values else None
            value = _converted(raw, target, units.get(name)) if word is None else word
            if value is None:
                message.refuse(*_why(name, raw, target, units), item.position, name)
                continue
        else:
            value = raw
        if not target.low <= value <= target.high:
            detail = f"{name} of {device.device_id} is outside {target.low:g} to {target.high:g}"
            message.refuse("value-out-of-range", detail, item.position, name)
            continue
        if part is None or target.partition != partition:
            partition = target.partition
            part = rows.get(partition)
            if part is None:
                part = rows[partition] = PartitionRows()
            counts = part.counts
            if first is None:
                first = part
        part.series.append(target.series_id)
        part.gateway.append(number)
        part.observed.append(observed_at)
        part.value.append(value)
        part.quality.append(quality)
        counts[gateway_id] = counts.get(gateway_id, 0) + 1
    return first


def _meant(raw: Value, text: str | None, values: Mapping[str, float]) -> float | None:
    """Return what the profile says that a value means, as it came: a word, true or false, or a number's digits."""
    if isinstance(raw, str):
        return values.get(raw)
    words = [] if text is None else [text]
    if isinstance(raw, bool):
        words.append("true" if raw else "false")
    words.append(str(int(raw)) if float(raw).is_integer() else str(raw))
    return next((values[word] for word in words if word in values), None)


def _converted(raw: Value, target: SeriesTarget, unit: str | None) -> float | None:
    """Return a number in its metric's own unit; None if it is none, or there is no way."""
    if isinstance(raw, str):
        return None
    if unit is None:
        return raw * target.scale + target.offset
    told = conversion_of(unit, target.wire_unit, target.unit)
    return None if told is None else raw * told.scale + told.offset


def _why(name: str, raw: Value, target: SeriesTarget, units: dict[str, str]) -> tuple[str, str]:
    """Return reason and detail for a value that is none in its metric's unit."""
    if isinstance(raw, str):
        detail = f"{name} is {_short(raw)}, for which the device profile names no number: add it to the name's values"
        return "unknown-word", detail
    detail = f"{name} comes in {_short(units[name])}, which cannot be turned into {target.unit}: mend sender or profile"
    return "unknown-unit", detail


def _short(text: str) -> str:
    """Return a name from outside as it may stand in a sentence."""
    return text if len(text) <= 64 and text.isprintable() and text.isascii() else ascii(text)[1:61] + "…"


def _refuse_object(message: ParsedMessage, reason: str, detail: str, item: ParsedObject) -> None:
    for metric in item.readings:
        message.refuse(reason, detail, item.position, metric)
