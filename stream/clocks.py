"""Keeps what live traffic tells of gateways' clocks in a table, and the gauges over all of them."""

import asyncio
from pathlib import Path
from typing import NamedTuple

from city.clock import DAY_US, HOUR_US, Clock, from_datetime, hour_of, to_datetime
from storage import queries
from storage.pool import Connection, Pool, fetch_all, transaction
from stream import timing
from stream.looking import look_until
from stream.metrics import StoreMetrics
from stream.timing import Timing

_SQL = queries.load(Path(__file__).with_name("clocks.sql"))
EVERY_S = 10.0
OFF_S = 60.0
"""A clock that is a minute off is told; detection's rules count in quarters of an hour."""
_KEPT_US = 2 * DAY_US


class GatewayClock(NamedTuple):
    """A gateway's clock and the hour (µs UTC) of the newest reading that tells of it."""

    hour: int
    clock: timing.Clock


class ClockKeeper:
    """Writes down what a store noted, every few seconds; what it had not written when it was killed comes again."""

    def __init__(self, pool: Pool, clock: Clock, noted: Timing, metrics: StoreMetrics) -> None:
        self._pool = pool
        self._clock = clock
        self._noted = noted
        self._metrics = metrics

    async def run(self, stop: asyncio.Event, every_s: float = EVERY_S) -> None:
        """Write until `stop` is set; a database that is away is written to later."""
        await look_until(stop, self.look, every_s, "gateways' clocks")

    async def look(self) -> None:
        """Write what was noted, and set the gauges.

        Raises
        ------
        EngineError
            The database did not answer.
        """
        now_us = self._clock.now_us()
        found = self._noted.drain()
        if found:
            async with transaction(self._pool) as connection:
                what = {
                    "numbers": [number for number, _ in found],
                    "hours": [to_datetime(hour) for _, hour in found],
                    "ages": list(found.values()),
                }
                await connection.execute(_SQL.fold, what)
                await connection.execute(_SQL.forget, {"before": to_datetime(now_us - _KEPT_US)})
        rows = await fetch_all(self._pool, _SQL.clocks, {"since": to_datetime(hour_of(now_us) - HOUR_US)})
        self._metrics.tell_clocks([timing.Clock.of(int(age)) for _, age in rows], OFF_S)


async def read_clock(connection: Connection, gateway_id: str) -> GatewayClock | None:
    """Return a gateway's clock; None where it was not heard live of late."""
    rows = await (await connection.execute(_SQL.clock, {"gateway_id": gateway_id})).fetchall()
    if not rows:
        return None
    newest = from_datetime(rows[0][0])
    ages = [int(age) for hour, age in rows if from_datetime(hour) >= newest - HOUR_US]
    return GatewayClock(newest, timing.Clock.of(min(ages)))
