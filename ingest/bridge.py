"""The bridge from a source to the log: what is acknowledged has been appended.

Two tasks in a row. The first takes messages, builds the records of a flush and hands it on; the second appends flush
after flush, one at a time, and acknowledges. So reading overlaps with appending, while the order within a partition and
the order of acknowledgements stay those of receipt. Between them waits at most one flush: whoever is slow holds the
senders back.
"""

import asyncio
import logging
from bisect import insort
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from city.clock import Clock
from city.errors import EngineError, LogFullError, RecordTooLargeError
from city.link import GatewayLink
from city.registry import IngestRegistry
from ingest.births import BirthStore
from ingest.codecs import Codecs
from ingest.division import Division
from ingest.fairness import Fairness, FairnessOptions, kept_work_us
from ingest.formats import Formats
from ingest.formats.sparkplug_sessions import Changes
from ingest.intake import Intake, Source
from ingest.isolation import Apart, divide
from ingest.limits import limits_of
from ingest.marks import MarkOptions, Marks
from ingest.meta import FlushOptions
from ingest.metrics import IngestMetrics
from ingest.receipt import Moments
from ingest.shrink import shrunk
from ingest.state import StateStore
from ingest.tasks import pause, together
from stream.log import Append, EventLog

if TYPE_CHECKING:
    from ingest.door import Door, DoorFlush

logger = logging.getLogger(__name__)

_MANY = 2_048
"""So many messages a flush that those to come may wait the longest."""

_MANY_SLOW, _MUCH_SLOW = 200, 20_000
"""Messages, and their bytes, that the slow way reads within about ten milliseconds: more it reads in a thread."""


_DOOR_S = 0.25
"""What comes waits so long for a new registry's tables, which is enough for some ten thousand devices."""

_MANY_APART = 1_000
"""Messages that are set aside within some milliseconds: more are packed in a thread."""


@dataclass(frozen=True, slots=True)
class BridgeOptions:
    """How the bridge paces itself.

    Attributes
    ----------
    flush_s, flush_s_max : float
        Messages are gathered this long: the more came last time the longer, since every flush costs about the same.
    messages_max : int
        In one flush; at most three flushes are in memory.
    append_patience_s : float
        A failing append is tried again this long; then everything unacknowledged is left to the broker.
    backoff_s_max : float
        Between two tries.
    """

    flush_s: float = 0.012
    flush_s_max: float = 0.02
    messages_max: int = 8192
    append_patience_s: float = 10.0
    backoff_s_max: float = 1.0
    marks: MarkOptions = field(default_factory=MarkOptions)
    fairness: FairnessOptions = field(default_factory=FairnessOptions)


@dataclass(slots=True)
class _Work:
    """One flush on its way; `number` is its place in the order of receipt.

    `attempt` grows each time everything in flight is let go.
    """

    number: int
    intake: Intake
    attempt: int
    received_at: int = 0
    appends: list[Append] = field(default_factory=list)
    readings: int = 0
    left_to_others: int = 0
    times_of_receipt: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    commands: list[tuple[str, bytes]] = field(default_factory=list)
    ticks: bool = False
    changes: Changes = field(default_factory=Changes)


def _open_door(registry: IngestRegistry) -> "Door":
    """Build a registry's tables; in a thread. Imports Numba: a process that only names this package needs none."""
    from ingest.door import Door

    return Door(registry)


async def _nobody() -> bool:
    return False


def _unknown() -> None:
    return None


def _no_links(_now_us: int) -> tuple[GatewayLink, ...]:
    return ()


class Bridge:
    """Moves messages from `source` to `log` until told to stop.

    Parameters
    ----------
    registry : callable
        Returns the newest registry; asked once a flush.
    may_tick : coroutine function
        Tells whether this process is the one that ticks; without it there are no ticks.
    outside_c : callable
        Tells how warm it is outside, °C, for the ticks.
    links : callable
        Tells what ticks have to say of gateways' connections.
    states : StateStore, optional
        Takes gateways' birth messages and last wills.
    births : BirthStore, optional
        Keeps what Sparkplug's nodes tell of their metrics.
    """

    def __init__(
        self,
        source: Source,
        log: EventLog,
        registry: Callable[[], IngestRegistry],
        clock: Clock,
        options: BridgeOptions | None = None,
        metrics: IngestMetrics | None = None,
        *,
        may_tick: Callable[[], Awaitable[bool]] = _nobody,
        outside_c: Callable[[], float | None] = _unknown,
        links: Callable[[int], tuple[GatewayLink, ...]] = _no_links,
        states: StateStore | None = None,
        births: BirthStore | None = None,
    ) -> None:
        self._source = source
        self._log = log
        self._registry = registry
        self._moments = Moments(clock)
        self._options = options or BridgeOptions()
        self._metrics = metrics or IngestMetrics()
        self._states = states
        self._births = births
        self._division: Division | None = None
        self._marks = Marks(source, clock, self._options.marks, may_tick, outside_c, links)
        self._formats = Formats()
        self._fairness = Fairness(self._options.fairness)
        self._codecs = Codecs(metrics=self._metrics)
        self._reading = asyncio.Lock()
        self._left_over: list[tuple[int, Intake]] = []
        self._taken = 0
        self._last_messages = 0
        self._ended = -1
        self._door: Door | None = None
        self._next_door: asyncio.Task[Door] | None = None
        self._in_flight = 0
        self._attempt = 0

    def hears(self, division: Division) -> None:
        """Take from now on what falls to this process; the first of several hears the others' messages as well."""
        self._division = division

    async def forget_nodes(self) -> None:
        """Forget what Sparkplug's nodes told: from now on another process hears them."""
        async with self._reading:
            self._formats.sessions.forget()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; what was taken by then is still appended, if the log answers.

        Raises
        ------
        CityNerveError
            Not retriable: the log's topics are missing, or a record that our own code made too large.
        """
        limits = await limits_of(self._log, stop)
        if limits is None:
            return
        queue: asyncio.Queue[_Work | None] = asyncio.Queue(maxsize=1)
        try:
            await together(self._take(stop, limits, queue), self._append(stop, queue))
        finally:
            self._codecs.close()
            if self._next_door is not None:
                await asyncio.wait([self._next_door])
        left = sum(len(intake) for _, intake in self._left_over)
        if left:
            logger.warning("stopped with messages of QoS 0 that the log did not take", extra={"messages": left})

    async def _take(self, stop: asyncio.Event, limits: FlushOptions, queue: "asyncio.Queue[_Work | None]") -> None:
        while not stop.is_set():
            listening = self._source.listening
            self._metrics.listening.set(listening)
            await self._marks.send(listening)
            await self._newest_door()
            number, intake = await self._next()
            if len(intake):
                self._in_flight += len(intake)
                self._metrics.in_flight.set(self._in_flight)
                await queue.put(await self._build(number, intake, limits))
        await queue.put(None)

    async def _next(self) -> tuple[int, Intake]:
        """Return what goes to the log next, and its place in the order of receipt: what was let go comes first."""
        if not self._left_over:
            intake = await self._source.take(
                max_messages=self._options.messages_max,
                wait_s=min(0.25, self._marks.every_s),
                gather_s=self._gather_s(),
            )
            self._taken += 1
            self._last_messages = intake.messages
            self._metrics.received.inc(intake.messages)
            if intake.generation <= self._ended:
                # Read before its connection was let go: the broker brings it again, but for what nobody repeats.
                intake = intake.unrepeatable
            if not self._left_over:
                return self._taken, intake
            self._keep(self._taken, intake)
        return self._left_over.pop(0)

    def _keep(self, number: int, intake: Intake) -> None:
        insort(self._left_over, (number, intake), key=lambda kept: kept[0])

    def _gather_s(self) -> float:
        """Return how long to gather."""
        options = self._options
        longer = (options.flush_s_max - options.flush_s) * min(1.0, self._last_messages / _MANY)
        return options.flush_s + max(0.0, longer)

    async def _newest_door(self) -> "Door":
        """Return the door of the newest registry: who was claimed a moment ago is known from the next message on.

        Its tables are built in another thread. In a large city that takes a second or more: meanwhile the door before
        it reads on, and what it sets aside of those who have just become known comes back by itself.
        """
        known = self._registry()
        if self._door is None:
            self._door = await asyncio.to_thread(_open_door, known)
        elif self._next_door is None and known is not self._door.registry:
            self._next_door = asyncio.create_task(asyncio.to_thread(_open_door, known))
            await asyncio.wait([self._next_door], timeout=_DOOR_S)
        if self._next_door is not None and self._next_door.done():
            built, self._next_door = self._next_door, None
            self._door = built.result()
        return self._door

    async def _build(self, number: int, intake: Intake, limits: FlushOptions) -> _Work:
        """Turn messages into records; a mark that came back becomes ticks, behind everything received before it."""
        work = _Work(number, intake, self._attempt)
        door = await self._newest_door()
        apart: Apart = {}
        if self._division is not None:
            intake = self._division.ours(intake)
            work.left_to_others = len(work.intake) - len(intake)
        if self._fairness.isolated:
            intake, apart = divide(intake, door, self._fairness.isolated)
        work.received_at, passed = self._moments.take(len(work.intake))
        flush = door.read(intake, work.received_at, limits, self._formats, self._codecs, passed)
        tick_at: int | None = None
        slow: list[int] = []
        for index in flush.left:
            topic = intake.topic(index)
            if not topic:
                tick_at = self._marks.returned(intake.payload(index)) or tick_at
            else:
                slow.append(index)
        async with self._reading:
            if slow and (door.has_codecs or len(slow) > _MANY_SLOW or intake.bytes_of(slow) > _MUCH_SLOW):
                # This may take a while: acknowledgements, pings and commands go on meanwhile.
                await asyncio.to_thread(flush.add_all, slow)
            else:
                flush.add_all(slow)
        self._charge(flush, apart, door.registry)
        if apart:
            await self._isolate(flush, apart)
        work.appends = flush.records()
        work.states = flush.states
        work.commands = flush.commands
        work.changes = self._formats.sessions.take_changes()
        work.readings, work.times_of_receipt, work.quarantined = (
            flush.readings,
            flush.times_of_receipt,
            flush.quarantined,
        )
        if tick_at is not None:
            ticks = await self._marks.ticks(tick_at, limits.readings_partitions)
            work.appends += ticks
            work.ticks = bool(ticks)
        return work

    def _charge(self, flush: "DoorFlush", apart: Apart, known: IngestRegistry) -> None:
        """Let gateways pay for a flush, and say who is isolated from now on."""
        readings, refusals, work_us = flush.by_gateway(), dict(flush.refusals), flush.work_us()
        for gateway, messages in apart.items():
            readings[gateway] = readings.get(gateway, 0) + len(messages)
            spent = kept_work_us(sum(len(message.payload) for message in messages))
            work_us[gateway] = work_us.get(gateway, 0.0) + spent
            self._metrics.isolated.inc(len(messages))
        before = self._fairness.isolated
        self._fairness.charge(readings, refusals, work_us, known.gateways, monotonic())
        after = self._fairness.isolated
        if after == before:
            return
        self._metrics.isolated_gateways.set(len(after))
        for gateway in sorted(after - before):
            logger.warning(
                "a gateway sends more than its share or nothing that is understood: set aside until it is calm",
                extra={"gateway_id": gateway[:64]},
            )
        for gateway in sorted(before - after):
            logger.info("a gateway is calm again and is read", extra={"gateway_id": gateway[:64]})

    async def _isolate(self, flush: "DoorFlush", apart: Apart) -> None:
        """Set aside what the isolated sent."""

        def isolate() -> None:
            for gateway, messages in apart.items():
                flush.isolate(gateway, messages)

        async with self._reading:
            if sum(len(messages) for messages in apart.values()) > _MANY_APART:
                # Packing takes a while: acknowledgements, pings and commands go on meanwhile.
                await asyncio.to_thread(isolate)
            else:
                isolate()

    async def _append(self, stop: asyncio.Event, queue: "asyncio.Queue[_Work | None]") -> None:
        while (work := await queue.get()) is not None:
            if work.attempt != self._attempt:
                self._abandon(work)
            elif await self._append_with_patience(work, stop):
                await self._finish(work)
            else:
                # Flushes behind this one go the same way: their ticks would overtake what comes again.
                self._attempt += 1
                self._ended = self._source.generation
                async with self._reading:
                    self._formats.sessions.roll_back()
                self._abandon(work)
                self._marks.forget()
                await self._source.reconnect()

    async def _append_with_patience(self, work: _Work, stop: asyncio.Event) -> bool:
        """Append one flush, trying again in the same order; False if the log would not have it."""
        started = monotonic()
        backoff_s = 0.05
        while work.appends:
            try:
                await self._log.append(work.appends)
                self._metrics.append_seconds.observe(monotonic() - started)
                return True
            except RecordTooLargeError as exc:
                # One message must not stop the others: it would come again and again.
                work.appends, larger = shrunk(work.appends, self._log.max_record_bytes)
                if not larger or max(len(one.value) for one in work.appends) > self._log.max_record_bytes:
                    raise
                self._metrics.too_large.inc(larger)
                logger.error("records too large for the log were divided", extra={"reason": str(exc)[:300]})
                continue
            except EngineError as exc:
                self._metrics.append_failures.inc()
                full = isinstance(exc, LogFullError)
                logger.warning(
                    "the log is full, senders are held back" if full else "the log did not take a flush, trying again",
                    extra={"reason": str(exc)[:300], "records": len(work.appends)},
                )
                waited = monotonic() - started
                # A full log answers: the broker could do nothing that waiting does not do as well.
                if stop.is_set() or (waited > self._options.append_patience_s and not full):
                    return False
            await pause(stop, backoff_s)
            backoff_s = min(backoff_s * 2, self._options.backoff_s_max)
        return True

    async def _finish(self, work: _Work) -> None:
        """Write states and acknowledge: the log has the flush."""
        if self._states is not None and (work.states or self._states.waiting):
            await self._states.write(work.states, work.received_at)
        self._formats.sessions.commit(work.changes)
        if self._births is not None and (work.changes.births or self._births.waiting):
            await self._births.write(work.changes.births)
        self._source.acknowledge(work.intake)
        for topic, payload in work.commands:
            self._source.send(topic, payload)
        self._count(work)
        self._release(work)

    def _abandon(self, work: _Work) -> None:
        """Leave a flush to the broker, which redelivers after a reconnect; keep what it would not."""
        kept = work.intake.unrepeatable
        if len(kept):
            self._keep(work.number, kept)
        self._release(work)

    def _release(self, work: _Work) -> None:
        self._in_flight -= len(work.intake)
        self._metrics.in_flight.set(self._in_flight)

    def _count(self, work: _Work) -> None:
        messages = work.intake.messages - work.left_to_others
        if work.left_to_others:
            self._metrics.left_to_others.inc(work.left_to_others)
        if messages:
            self._metrics.messages.inc(messages)
            self._metrics.flush_messages.observe(messages)
        self._metrics.readings.inc(work.readings)
        for cause, readings in work.times_of_receipt.items():
            self._metrics.times_of_receipt.labels(cause).inc(readings)
        for reason, units in work.quarantined.items():
            self._metrics.quarantined.labels(reason).inc(units)
        if work.ticks:
            self._metrics.ticks.inc()
