"""The way of a message that came over HTTPS to the log: gathered with others for a moment, appended, then answered."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple

from city.clock import Clock
from city.errors import EngineError, OverShareError, RecordTooLargeError
from city.registry import IngestRegistry
from ingest.codecs import Codecs
from ingest.fairness import UNKNOWN, Fairness, FairnessOptions
from ingest.formats import Formats
from ingest.limits import limits_of
from ingest.meta import FlushOptions
from ingest.receipt import Moments
from ingest.records import Flush
from ingest.shrink import shrunk
from ingest.state import StateStore
from ingest.tasks import pause
from ingest.web.metrics import WebMetrics
from stream.log import EventLog

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DoorOptions:
    """How much waits, and how long.

    Attributes
    ----------
    gather_s : float
        Messages are gathered this long into one append.
    messages_max, bytes_max : int
        Not yet appended; who comes then is sent away.
    of_a_gateway_max, bytes_of_a_gateway_max : int
        Of one gateway, so that it leaves room for the others.
    append_patience_s : float
        A failing append is tried again this long; then the senders are told to come again.
    """

    gather_s: float = 0.015
    messages_max: int = 1024
    bytes_max: int = 32 << 20
    of_a_gateway_max: int = 128
    bytes_of_a_gateway_max: int = 4 << 20
    append_patience_s: float = 5.0
    backoff_s: float = 0.2
    fairness: FairnessOptions = field(default_factory=FairnessOptions)


class Receipt(NamedTuple):
    """What became of a message: how many readings were appended, and how many were set aside for which reason."""

    readings: int
    set_aside: dict[str, int]


class _Waiting(NamedTuple):
    gateway: str
    topic: str
    payload: bytes
    answer: "asyncio.Future[Receipt]"


class Door:
    """Takes messages; each is answered once it has been appended.

    Parameters
    ----------
    registry : callable
        Returns the newest registry; before one was read (its version is below 0) nobody is let in.
    states : StateStore, optional
        Takes what formats tell of gateways' states.
    """

    def __init__(
        self,
        log: EventLog,
        registry: Callable[[], IngestRegistry],
        clock: Clock,
        options: DoorOptions | None = None,
        metrics: WebMetrics | None = None,
        states: StateStore | None = None,
    ) -> None:
        self._log = log
        self._registry = registry
        self._moments = Moments(clock)
        self._options = options or DoorOptions()
        self._metrics = metrics or WebMetrics()
        self._states = states
        self._formats = Formats()
        self._codecs = Codecs()
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._fairness = Fairness(self._options.fairness)
        self._of: Counter[str] = Counter()
        self._bytes_of: Counter[str] = Counter()
        self._messages = 0
        self._bytes = 0
        self._open = False

    @contextmanager
    def room(self, gateway: str, size: int) -> Iterator[None]:
        """Keep room for a message of `size` bytes at most, from before it is read until it has been appended.

        Raises
        ------
        OverShareError
            The gateway has more under way than its share, or is isolated.
        EngineError
            There is no room, or nothing is taken yet or any more: send it again later.
        """
        self._demand_room(gateway, size)
        self._count(gateway, 1, size)
        try:
            yield
        finally:
            self._count(gateway, -1, -size)

    async def take(self, gateway: str, topic: str, payload: bytes) -> Receipt:
        """Wait until a message for which there is room has been appended; what was set aside of it is kept as well.

        Raises
        ------
        EngineError
            The log did not take it, or nothing is taken any more: send it again later.
        """
        if not self._open:
            raise EngineError("messages are not taken at this moment: send it again")
        answer: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(_Waiting(gateway, topic, payload, answer))
        return await answer

    def _demand_room(self, gateway: str, size: int) -> None:
        options = self._options
        if not self._open or self._registry().version < 0:
            raise EngineError("messages are not taken at this moment: send it again")
        if self._messages >= options.messages_max or self._bytes + size > options.bytes_max:
            self._metrics.refused.inc()
            raise EngineError("too many messages wait already: send it again later")
        much = self._bytes_of[gateway] + size > options.bytes_of_a_gateway_max
        if much or self._of[gateway] >= options.of_a_gateway_max:
            self._metrics.refused.inc()
            raise OverShareError("too many messages of the gateway wait already: send it again later")
        if self._fairness.isolated:
            # Who is sent away brings nothing that would let it be seen calm.
            self._fairness.charge({}, {}, {}, self._registry().gateways, monotonic())
        if (gateway if gateway in self._registry().gateways else UNKNOWN) in self._fairness.isolated:
            # A sender over HTTPS keeps what is not taken: it need not be set aside.
            self._metrics.refused.inc()
            raise OverShareError("the gateway sends more than its share, or nothing that is understood: send it later")

    def _count(self, gateway: str, messages: int, size: int) -> None:
        self._messages += messages
        self._bytes += size
        self._of[gateway] += messages
        self._bytes_of[gateway] += size
        if self._of[gateway] <= 0:
            del self._of[gateway], self._bytes_of[gateway]
        self._metrics.waiting.set(self._messages)

    async def run(self, stop: asyncio.Event) -> None:
        """Append until `stop` is set, then what had been taken by then."""
        limits = await limits_of(self._log, stop)
        if limits is None:
            return
        self._open = True
        try:
            while not stop.is_set():
                await self._round(stop, limits)
            self._open = False
            while not self._queue.empty():
                await self._round(stop, limits)
        finally:
            self._open = False
            self._send_away(self._taken())
            self._codecs.close()

    async def _round(self, stop: asyncio.Event, limits: FlushOptions) -> None:
        try:
            async with asyncio.timeout(0.25):
                first = await self._queue.get()
        except TimeoutError:
            return
        await pause(stop, self._options.gather_s)
        messages = [first, *self._taken()]
        # Parsing thousands of readings takes a while: pages are served meanwhile.
        flush, receipts = await asyncio.to_thread(self._build, messages, limits)
        brought: Counter[str] = Counter()
        for message, receipt in zip(messages, receipts, strict=True):
            brought[message.gateway] += receipt.readings
        self._fairness.charge(brought, flush.refusals, flush.work_us, flush.registry.gateways, monotonic())
        if not await self._append(flush, stop):
            self._send_away(messages)
            return
        if self._states is not None and (flush.states or self._states.waiting):
            await self._states.write(flush.states, flush.received_at)
        self._metrics.messages.inc(len(messages))
        self._metrics.readings.inc(flush.readings)
        for reason, units in flush.quarantined.items():
            self._metrics.quarantined.labels(reason).inc(units)
        for message, receipt in zip(messages, receipts, strict=True):
            if not message.answer.done():
                message.answer.set_result(receipt)

    def _taken(self) -> list[_Waiting]:
        """Take what waits now, at most `messages_max`: also messages whose senders have gone, for they may not know."""
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]

    def _build(self, messages: list[_Waiting], limits: FlushOptions) -> tuple[Flush, list[Receipt]]:
        now, passed = self._moments.take(len(messages))
        flush = Flush(self._registry(), now, limits, self._formats, self._codecs, passed=passed)
        receipts = []
        for message in messages:
            readings, before = flush.readings, dict(flush.quarantined)
            flush.add(message.topic, message.payload)
            aside = {reason: units - before.get(reason, 0) for reason, units in flush.quarantined.items()}
            receipts.append(
                Receipt(flush.readings - readings, {reason: units for reason, units in aside.items() if units})
            )
        return flush, receipts

    async def _append(self, flush: Flush, stop: asyncio.Event) -> bool:
        """Append one flush, trying again for a while; False if the log would not have it."""
        records = flush.records()
        started = monotonic()
        while records:
            try:
                await self._log.append(records)
                return True
            except RecordTooLargeError as exc:
                # One message must not shut the door for the others.
                records, larger = shrunk(records, self._log.max_record_bytes)
                if not larger or max(len(one.value) for one in records) > self._log.max_record_bytes:
                    raise
                self._metrics.too_large.inc(larger)
                logger.error("records too large for the log were divided", extra={"reason": str(exc)[:300]})
                continue
            except EngineError as exc:
                self._metrics.append_failures.inc()
                logger.warning("the log did not take messages of HTTPS", extra={"reason": str(exc)[:300]})
                if stop.is_set() or monotonic() - started > self._options.append_patience_s:
                    return False
            await pause(stop, self._options.backoff_s)
        return True

    def _send_away(self, messages: list[_Waiting]) -> None:
        for message in messages:
            if not message.answer.done():
                message.answer.set_exception(EngineError("the log did not take the message: send it again"))
