"""Which readings of a message a replay takes: those that its letter names, or those of some devices. Pure."""

from collections.abc import Collection, Sequence

from city.registry import IngestRegistry
from ingest.formats import ParsedMessage, Refusal
from ingest.formats.parsed import ParsedObject, RawObject, kept_name
from ingest.formats.values import safe
from ingest.resolve import device_of
from stream.ledger import clean

_TOLD_MAX = 5
"""Names in a sentence."""


def leave_others(
    message: ParsedMessage, registry: IngestRegistry, devices: Collection[str]
) -> tuple[tuple[int, str], ...]:
    """Keep the readings of these devices; return the places of all others, and of what the format refused."""

    def theirs(item: ParsedObject | RawObject) -> bool:
        known = device_of(item, registry)
        return known is not None and known.device_id in devices

    others = [(item.position, metric) for item in message.objects if not theirs(item) for metric in item.readings]
    others += [(raw.position, "") for raw in message.raw if not theirs(raw)]
    others += [place for refused in message.refused.values() for place in refused.only]
    message.objects = [item for item in message.objects if theirs(item)]
    message.raw = [raw for raw in message.raw if theirs(raw)]
    message.refused = {}
    return tuple(others)


def only_named(
    message: ParsedMessage, only: Sequence[tuple[int, str]]
) -> tuple[ParsedMessage, tuple[tuple[int, str], ...]]:
    """Keep the readings that the letter set aside, and name those that the message no longer holds.

    The others went to the log when the message came. A place without a metric means all of its object: what it holds
    could not be told then, or nothing of it can be told now.
    """
    wanted = _names_by_position(only)
    nobody: dict[str, str] = {}
    found: set[tuple[int, str]] = set()
    objects = []
    for item in message.objects:
        names = wanted.get(item.position, nobody)
        places = {metric: _place_of(metric, names) for metric in item.readings}
        found.update((item.position, place) for place in places.values() if place is not None)
        readings = {metric: value for metric, value in item.readings.items() if places[metric] is not None}
        if readings:
            objects.append(item if len(readings) == len(item.readings) else item._replace(readings=readings))
    refused = {}
    for reason, refusal in message.refused.items():
        kept: list[tuple[int, str]] = []
        for position, metric in refusal.only:
            names = wanted.get(position, nobody)
            # Of an object that cannot be read at all, whatever of it was set aside stays so.
            places_ = [_place_of(metric, names)] if metric or "" in names else list(names)
            kept += [(position, place or metric) for place in places_ if place is not None]
            found.update((position, place) for place in places_ if place is not None)
        if kept:
            refused[reason] = Refusal(refusal.detail, kept)
    missing = tuple(place for place in only if place not in found)
    return ParsedMessage(objects, message.number, message.epoch, message.sent_at_us, refused), missing


def asked_of(places: Sequence[tuple[int, str]], only: Sequence[tuple[int, str]]) -> tuple[tuple[int, str], ...]:
    """Return which of these readings a letter names, as it names them."""
    wanted = _names_by_position(only)
    found = ((position, _place_of(metric, wanted.get(position, {}))) for position, metric in places)
    return tuple((position, place) for position, place in found if place is not None)


def _names_by_position(only: Sequence[tuple[int, str]]) -> dict[int, dict[str, str]]:
    wanted: dict[int, dict[str, str]] = {}
    for position, metric in only:
        wanted.setdefault(position, {})[metric] = metric
    return wanted


def _place_of(metric: str, names: dict[str, str]) -> str | None:
    """Return the name under which a letter has a metric: as it is, as databases hold it, or as older ones wrote it."""
    for name in (metric, clean(metric), kept_name(metric), safe(metric), ""):
        if name in names:
            return name
    return None


def names_at(message: ParsedMessage, positions: set[int]) -> list[str]:
    """Return some names of what a message holds in these places."""
    names = dict.fromkeys(name for item in message.objects if item.position in positions for name in item.readings)
    return list(names)[:_TOLD_MAX]


def why_missing(missing: Sequence[tuple[int, str]], holds: Sequence[str]) -> str:
    """Say which readings a letter names that are not in its message any more."""
    gone = ", ".join(safe(name) or f"object {position + 1}" for position, name in missing[:_TOLD_MAX])
    now = f"it holds {', '.join(safe(name) for name in holds)}" if holds else "nothing is read in their place"
    return f"no longer found in the message: {gone}; {now}: mend profile, codec or format, or read it anew"
