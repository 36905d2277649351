"""Sends back, by itself, letters whose device, gateway or birth has become known since they were set aside."""

import asyncio
import logging
from time import monotonic

from city.clock import Clock
from city.errors import CityNerveError
from ingest.claims import open_bundles
from ingest.redeliver import Redelivery
from ingest.registry import RegistryFollower
from ingest.tasks import pause
from storage.pool import Pool
from stream.letters import Key
from stream.log import EventLog
from stream.unknown import known_now

logger = logging.getLogger(__name__)

ACTOR = "system"
_A_TIME = 200
"""Letters that are replayed together: about a second's work."""
_TRIED_MAX = 100_000
_BUNDLES_S = 10.0
"""Bundles are opened for so long a look."""


class Latecomers:
    """Looks through the open letters, a slice each `every_s`, the newest first and then from the top again.

    A claim and an import answer without waiting for what is still on its way: letters that were set aside before
    ingest had heard of the change, that the log had not handed on yet, or that were too many for one answer. All of
    them come here, and so do those that wait for what a Sparkplug node says of itself, which ingest has asked it for.
    """

    def __init__(self, pool: Pool, log: EventLog, clock: Clock, *, every_s: float = 30.0) -> None:
        self._pool = pool
        self._log = log
        self._clock = clock
        self._every_s = every_s
        self._place: Key | None = None
        self._tried: set[str] = set()
        self._version = -1

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop` is set."""
        while not stop.is_set():
            try:
                await self.look(stop)
            except CityNerveError as exc:
                # Whoever else works in this process must not end with it.
                logger.warning("letters wait whose device, gateway or birth is known", extra={"reason": str(exc)[:300]})
            await pause(stop, self._every_s)

    async def look(self, stop: asyncio.Event | None = None) -> int:
        """Look through one slice, and open some bundles; return how many letters were read again.

        Raises
        ------
        EngineError
            Database or log did not answer: the same slice is looked at again.
        """
        # The registry is large, and seldom needed here: it is read once something is found.
        follower = RegistryFollower(self._pool)
        redelivery = Redelivery(self._pool, self._log, self._clock, follower)
        done = await self._look_through(redelivery, stop)
        done += (await open_bundles(redelivery, ACTOR, monotonic() + _BUNDLES_S, stop=stop)).letters
        if done:
            logger.info("letters read again whose device, gateway or birth is known", extra={"letters": done})
        return done

    async def _look_through(self, redelivery: Redelivery, stop: asyncio.Event | None) -> int:
        found, place = await known_now(self._pool, self._place)
        done = 0
        if found:
            await redelivery.registry.refresh()
            fresh = self._untried(found, redelivery.registry.current().version)
            for start in range(0, len(fresh), _A_TIME):
                if stop is not None and stop.is_set():
                    return done
                done += (await redelivery.replay(fresh[start : start + _A_TIME], ACTOR)).letters
        self._place = place
        return done

    def _untried(self, found: list[str], version: int) -> list[str]:
        """Return those that this registry was not tried on yet: one that stays would be tried for ever."""
        if version != self._version or len(self._tried) > _TRIED_MAX:
            self._tried.clear()
        self._version = version
        fresh = [letter_id for letter_id in found if letter_id not in self._tried]
        self._tried.update(fresh)
        return fresh
