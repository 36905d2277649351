"""Claims: what an unknown device has sent, which profile fits it, and its letters' way back once somebody knows it."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from city.errors import DataError
from city.integration import Routes
from ingest.formats import Formats, Unreadable
from ingest.redeliver import Redelivery
from ingest.replay import KNOWN_BUT
from stream import newcomers
from stream.codec import DeadLetter

REPLAY_S = 20.0
"""A claim answers within this time; what still waits then comes back by itself."""
_BUNDLES_A_TIME = 10
"""Full ones take between one and three seconds together, the longest where they hold the smallest messages."""


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


async def send_back(
    redelivery: Redelivery, pages: AsyncIterator[list[str]], gateways: Sequence[str], actor: str
) -> Claimed:
    """Replay letters page by page, and open bundles for these gateways, as many as one answer has time for."""
    total = Claimed()
    deadline = time.monotonic() + REPLAY_S
    async for page in pages:
        if time.monotonic() > deadline:
            return replace(total, complete=False)
        report = await redelivery.replay(page, actor)
        total = Claimed(
            total.letters + report.letters, total.readings + report.readings, total.still_bad + report.still_bad
        )
    bundled = await open_bundles(redelivery, actor, deadline, gateways)
    return Claimed(
        total.letters + bundled.letters,
        total.readings + bundled.readings,
        total.still_bad + bundled.still_bad,
        bundled.complete,
    )


async def open_bundles(
    redelivery: Redelivery,
    actor: str,
    deadline: float,
    gateways: Sequence[str] | None = None,
    stop: asyncio.Event | None = None,
) -> Claimed:
    """Open bundles of isolated gateways for those who became known after them, until `deadline` (monotonic, s).

    Only those bundles are told of which something came, or should have come.
    """
    total = Claimed()
    while bundles := await newcomers.due(redelivery.pool, gateways, limit=_BUNDLES_A_TIME):
        if time.monotonic() > deadline or (stop is not None and stop.is_set()):
            return replace(total, complete=False)
        report = await redelivery.open_bundles(bundles, actor)
        bad = [one.letter_id for one in report.results if KNOWN_BUT in one.detail]
        came = [one.letter_id for one in report.results if one.readings]
        total = Claimed(
            total.letters + len({*came, *bad}), total.readings + report.readings, total.still_bad + len(bad)
        )
    return total
