"""Whether gateways are connected, for the ticks: detection decides by nothing but what stands on the log."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from city.clock import HOUR_US, MINUTE_US, Clock, from_datetime
from city.link import GatewayLink
from ingest.tasks import pause
from storage import queries
from storage.pool import Pool, engine_errors
from stream.looking import look_until

_SQL = queries.load(Path(__file__).with_suffix(".sql"))
EVERY_CITY_S = 60.0
EVERY_S_MIN = 1.0
TIMES = 3
"""What has changed is told in so many ticks: one of them may go down with a connection."""
AGAIN_US = HOUR_US
"""What has not changed is told as often as this, for partitions that are read from the middle of the log."""
LINKS_MAX = 2_000
"""In one tick, so that it fits into a record; the rest has its turn a minute later."""


@dataclass(slots=True)
class _Told:
    link: GatewayLink
    times: int = 0
    at_us: int = 0


class LinkWatch:
    """What the broker saw of every gateway, as the registry keeps it, dealt out to ticks.

    Parameters
    ----------
    may_tick : coroutine function
        Only who ticks has to know.
    """

    def __init__(self, pool: Pool, clock: Clock, may_tick: Callable[[], Awaitable[bool]]) -> None:
        self._pool = pool
        self._clock = clock
        self._may_tick = may_tick
        self._known: dict[str, _Told] = {}
        self._minute = 0

    def due(self, now_us: int) -> tuple[GatewayLink, ...]:
        """Return what the tick at `now_us`, city time, has to say, once a minute: what has changed goes first."""
        if now_us // MINUTE_US == self._minute:
            return ()
        self._minute = now_us // MINUTE_US
        waiting = [one for one in self._known.values() if one.times < TIMES or now_us - one.at_us >= AGAIN_US]
        waiting.sort(key=lambda one: (one.times, one.at_us, one.link.gateway_id))
        chosen = waiting[:LINKS_MAX]
        for one in chosen:
            one.times, one.at_us = one.times + 1, now_us
        return tuple(sorted((one.link for one in chosen), key=lambda link: link.gateway_id))

    def see(self, links: Iterable[GatewayLink]) -> None:
        """Take what is known now of all gateways; those of which nothing is known any more are forgotten."""
        before, self._known = self._known, {}
        for link in links:
            told = before.get(link.gateway_id)
            same = told is not None and told.link.online == link.online
            # A state that is said again is no new one: since when it lasts is what was heard first.
            self._known[link.gateway_id] = told if told is not None and same else _Told(link)

    async def run(self, stop: asyncio.Event) -> None:
        """Ask every minute of the city's time until `stop` is set."""
        # Whoever has just come up gets the lock a moment later.
        await pause(stop, EVERY_S_MIN)
        every_s = max(EVERY_CITY_S / self._clock.speed, EVERY_S_MIN)
        await look_until(stop, self.look, every_s, "which gateways are connected")

    async def look(self) -> None:
        """Ask once.

        Raises
        ------
        EngineError
            The database did not answer.
        """
        if not await self._may_tick():
            # Whoever ticks after another has told nothing yet.
            self._known = {}
            return
        with engine_errors():
            async with self._pool.connection() as connection:
                rows = await (await connection.execute(_SQL.links)).fetchall()
        self.see(GatewayLink(name, bool(online), from_datetime(at)) for name, online, at in rows)
