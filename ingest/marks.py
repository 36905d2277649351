"""When a tick is due: a mark goes through the broker, and comes back behind everything that was received before it."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

from city.clock import SECOND_US, Clock
from city.link import GatewayLink
from ingest.intake import Source
from ingest.records import tick_records
from stream.log import Append

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MarkOptions:
    """How often.

    Attributes
    ----------
    tick_city_s, tick_real_s : float
        A tick is due each `tick_city_s` of city time, but not more often than each `tick_real_s` of the machine's.
    patience_s : float
        A mark that has not come back after this is taken for lost.
    """

    tick_city_s: float = 10.0
    tick_real_s: float = 0.5
    patience_s: float = 15.0


class Marks:
    """Sends marks, knows the one that comes back, and makes ticks of it.

    Parameters
    ----------
    may_tick : coroutine function
        Tells whether this process is the one that ticks.
    outside_c : callable
        Tells how warm it is outside, °C, if anybody measures it.
    links : callable
        City time, µs UTC → what is to be told of gateways' connections.

    Attributes
    ----------
    every_s : float
        How often a mark is due, by the machine's clock.
    """

    def __init__(
        self,
        source: Source,
        clock: Clock,
        options: MarkOptions,
        may_tick: Callable[[], Awaitable[bool]],
        outside_c: Callable[[], float | None],
        links: Callable[[int], tuple[GatewayLink, ...]],
    ) -> None:
        self.every_s = max(options.tick_city_s / clock.speed, options.tick_real_s)
        self._source = source
        self._clock = clock
        self._patience_s = options.patience_s
        self._may_tick = may_tick
        self._outside_c = outside_c
        self._links = links
        self._mark = b""
        self._sent_at = float("-inf")
        self._warned = False

    async def send(self, listening: bool) -> None:
        """Ask the broker for a mark if a tick is due: it comes back once everything before it has come."""
        now = monotonic()
        if not listening:
            self._mark = b""
            self._sent_at = min(self._sent_at, now - self.every_s)
            return
        if self._mark and now - self._sent_at < self._patience_s:
            return
        if now - self._sent_at < self.every_s or not await self._may_tick():
            return
        if self._mark and not self._warned:
            self._warned = True
            logger.warning(
                "a mark did not come back, so there is no tick: let our user write and read citynerve/ingest/#,"
                " or see whether ingest keeps up",
                extra={"after_s": self._patience_s},
            )
        self._mark = b"%d" % self._clock.now_us()
        self._sent_at = now
        self._source.mark(self._mark)

    def returned(self, payload: bytes) -> int | None:
        """Return the city time at which the mark was sent, µs UTC; None if it is not the one we wait for."""
        if not payload or payload != self._mark:
            return None
        self._mark = b""
        self._warned = False
        return int(payload)

    def forget(self) -> None:
        """Wait for no mark: it went with its connection."""
        self._mark = b""

    async def ticks(self, at_us: int, partitions: int) -> list[Append]:
        """Return the ticks of a mark that came back, one for each partition; none where another process ticks."""
        if not await self._may_tick():
            return []
        period_us = int(self.every_s * self._clock.speed * SECOND_US)
        return tick_records(at_us, period_us, partitions, self._outside_c(), self._links(at_us))
