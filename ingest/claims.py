"""Claims: what an unknown device has sent, which profile fits it, and its letters' way back once somebody knows it."""

import base64
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from city.errors import DataError
from city.integration import Routes
from ingest.formats import Formats, Unreadable
from ingest.redeliver import Redelivery
from stream.codec import DeadLetter

REPLAY_S = 20.0
"""A claim answers within this time; what still waits then comes back by itself."""


@dataclass(slots=True)
class Seen:
    """What letters tell of a device.

    Attributes
    ----------
    values : dict
        Name on the wire → the newest value, as text.
    units : dict
        Units of those for which the message tells one.
    """

    values: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claimed:
    """What came back: letters read again, readings on their way, letters of which something stays.

    Attributes
    ----------
    complete : bool
        False: more waits than there was time for.
    """

    letters: int = 0
    readings: int = 0
    still_bad: int = 0
    complete: bool = True


def seen_of(name: str, letters: Sequence[DeadLetter], routes: Routes) -> Seen:
    """Read letters, the newest first, for what one device has sent."""
    seen = Seen()
    for letter in letters:
        try:
            message = Formats().parse(routes.origin_of(letter.topic), base64.b64decode(letter.payload))
        except (Unreadable, DataError):
            continue  # Readable when it was set aside; if it is not today, the replay will say so.
        for item in message.objects:
            if item.device == name:
                for key, value in item.readings.items():
                    seen.values.setdefault(key, str(value).lower() if isinstance(value, bool) else str(value))
                for key, unit in item.units.items():
                    seen.units.setdefault(key, unit)
    return seen


def fitting(seen: Seen, profiles: Mapping[str, frozenset[str]]) -> list[tuple[str, int]]:
    """Return profiles with how many of the values they know, the best first.

    Parameters
    ----------
    profiles : mapping
        Profile → names on the wire that it knows.
    """
    known = [(profile, sum(1 for name in seen.values if name in names)) for profile, names in profiles.items()]
    return sorted(known, key=lambda found: (-found[1], len(profiles[found[0]]), found[0]))


async def send_back(redelivery: Redelivery, pages: AsyncIterator[list[str]], actor: str) -> Claimed:
    """Replay letters page by page, as many as one answer has time for."""
    total = Claimed()
    deadline = time.monotonic() + REPLAY_S
    async for page in pages:
        if time.monotonic() > deadline:
            return replace(total, complete=False)
        report = await redelivery.replay(page, actor)
        total = Claimed(
            total.letters + report.letters, total.readings + report.readings, total.still_bad + report.still_bad
        )
    return total
