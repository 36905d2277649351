"""The very stages that production runs, fed from memory: readings in the order of receipt, ticks in between."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anomaly.backtest.figures import Tally, count
from anomaly.backtest.fleet import Fleet
from anomaly.backtest.labels import Label, in_order
from anomaly.backtest.matching import Verdict, match
from anomaly.backtest.shows import showing
from anomaly.backtest.tickets import TicketBook
from anomaly.backtest.watch import Watch
from anomaly.rerun import Correlation, Detection
from city import topics
from city.alarm import AlarmEvent
from city.clock import MINUTE_US
from city.link import GatewayLink
from city.outside import OutsideAir
from city.reading import ReadingBatch
from city.registry import RootDefinition
from stream import codec
from stream.codec import Tick
from stream.log import Record

ROWS_MAX = 50_000
"""Of one record: far below what the reorder buffer holds."""
TICK_US_MIN, TICK_US_MAX = MINUTE_US, 15 * MINUTE_US


@dataclass(frozen=True, slots=True)
class Scored:
    """What a run came to."""

    verdict: Verdict
    tally: Tally
    book: TicketBook
    fleet: Fleet
    first_us: int
    last_us: int
    readings: int


def tick_for(roots: Iterable[RootDefinition]) -> int:
    """Return how often time passes in a run: a third of the shortest interval, between a minute and a quarter hour.

    Production ticks each ten seconds; decisions then come up to a tick earlier, and so do the ends of outages, which
    are counted at ticks. They are the same otherwise.
    """
    shortest = min((d.report_interval_s for root in roots for d in root.devices), default=900)
    tick_us = shortest * 1_000_000 // 3
    return min(max(tick_us - tick_us % MINUTE_US, TICK_US_MIN), TICK_US_MAX)


class OfflineRun:
    """One fleet through detection and correlation.

    Parameters
    ----------
    roots : sequence of RootDefinition
    tick_us : int or None
        `tick_for` unless given.
    see : callable or None
        Is shown every batch, as `watch.Watch.see`.
    links : iterable of GatewayLink
        How gateways' connections changed, where that is known.
    """

    def __init__(
        self,
        roots: Sequence[RootDefinition],
        tick_us: int | None = None,
        see: Callable[[ReadingBatch], None] | None = None,
        links: Iterable[GatewayLink] = (),
    ) -> None:
        self._tick_us = tick_us or tick_for(roots)
        self._see = see
        self._detection = Detection(0, 1)
        self._correlation = Correlation(1, 1)
        self._offset = 0
        self._tick_at = 0
        self._outside = OutsideAir(roots)
        self._links = sorted(links, key=lambda link: (link.since, link.gateway_id), reverse=True)
        self.book = TicketBook()
        self.readings = 0
        self.first_us = 0
        self._put(codec.REGISTRY, [codec.encode(root) for root in roots], 0)

    def take(self, batch: ReadingBatch) -> None:
        """Take readings in the order of receipt, none of them received before what was taken already."""
        if not len(batch):
            return
        received = batch.received_at
        assert received[0] >= self._tick_at - self._tick_us, "readings come in the order of receipt"
        if not self._tick_at:
            self._begin(int(received[0]))
        ticks = -(-received // self._tick_us) * self._tick_us
        cuts = np.flatnonzero(np.diff(ticks)) + 1
        for low, high in zip([0, *cuts.tolist()], [*cuts.tolist(), len(batch)], strict=True):
            self.advance(int(ticks[low]) - self._tick_us)
            for start in range(low, high, ROWS_MAX):
                self._put_batch(batch, slice(start, min(start + ROWS_MAX, high)))

    def advance(self, until_us: int) -> None:
        """Let time pass, tick by tick, up to `until_us`."""
        while self._tick_at and self._tick_at < until_us:
            self._tick_at += self._tick_us
            self._put_tick()

    @property
    def now_us(self) -> int:
        """The last tick, µs UTC; 0 before the first reading."""
        return self._tick_at

    def _begin(self, at_us: int) -> None:
        self._tick_at = at_us // self._tick_us * self._tick_us
        self.first_us = at_us
        self._put_tick()

    def _put_tick(self) -> None:
        links = []
        while self._links and self._links[-1].since <= self._tick_at:
            links.append(self._links.pop())
        tick = Tick(self._tick_at, self._tick_us, self._outside.at(self._tick_at), tuple(links))
        self._put(codec.TICK, [codec.encode(tick)], self._tick_at)

    def _put_batch(self, batch: ReadingBatch, rows: slice) -> None:
        part = ReadingBatch(*(getattr(batch, name)[rows] for name in ReadingBatch.__slots__))
        self.readings += len(part)
        self._outside.see(part)
        if self._see is not None:
            self._see(part)
        self._put(codec.BATCH, [codec.encode_batch(part)], int(part.received_at[-1]))

    def _put(self, kind: str, values: Sequence[bytes], at_us: int) -> None:
        records = []
        for value in values:
            records.append(Record(topics.READINGS, 0, self._offset, kind, value, at_us))
            self._offset += 1
        for made in self._correlation.hear(self._detection.take(records)):
            self.book.hear(codec.decode(AlarmEvent, made.value))


def backtest(
    roots: Sequence[RootDefinition],
    labels: Sequence[Label],
    batches: Iterable[ReadingBatch],
    *,
    end_us: int,
    tick_us: int | None = None,
    not_before: Mapping[Label, int] | None = None,
    links: Iterable[GatewayLink] = (),
) -> Scored:
    """Run a fleet's readings through detection and score it.

    Parameters
    ----------
    batches : iterable of ReadingBatch
        In the order of receipt; each is let go before the next is asked for.
    end_us : int
        Until when the data reach, µs UTC: what could show only later is not observable.
    not_before : mapping or None
        Label → when it can show at the soonest, µs UTC, where somebody knows more than `shows.showing`.
    links : iterable of GatewayLink
        How gateways' connections changed, as a broker would have told.
    """
    fleet = Fleet(roots)
    known = in_order(labels)
    later = not_before or {}
    watch = Watch(fleet, known, [showing(label, fleet, end_us).after(later.get(label, 0)) for label in known])
    run = OfflineRun(roots, tick_us, watch.see, links)
    for batch in batches:
        run.take(batch)
    run.advance(end_us)
    first = {label: watch.first(label) for label in known}
    verdict = match(known, run.book.alarms, first, fleet)
    span_us = max(end_us - run.first_us, 0) if run.readings else 0
    tally = count(verdict, fleet, span_us, run.book.alarms.values())
    return Scored(verdict, tally, run.book, fleet, run.first_us, end_us, run.readings)
