"""The worker loop: poll → step → append → write → checkpoint. Its order is the delivery guarantee."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from city.errors import CityNerveError, EngineError, FencedError
from storage.pool import Connection, Pool, transaction
from stream import checkpoint as checkpoints
from stream.checkpoint import Checkpoint
from stream.lag import Position
from stream.log import Append, Consumer, EventLog, Poll, TopicPartition
from stream.metrics import WorkerMetrics
from stream.saving import Rounds, Saved
from stream.stage import Freezing, Outcome, Stage

__all__ = ["Outcome", "Stage", "Worker", "WorkerOptions"]

logger = logging.getLogger(__name__)

S = TypeVar("S")

STEP_RECORDS = 16
"""Records stepped at once, so that a large city's worker is heard of on a machine that is slow or busy."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker paces itself.

    Attributes
    ----------
    checkpoint_share : float
        Making and writing checkpoints may take this share of the time: large states are saved less often.
    append_records_max, append_bytes_max : int
        One poll may lead to more than its own size many times over (a city falls dark): it is appended in shares.
    """

    checkpoint_every_s: float = 2.0
    checkpoint_share: float = 0.2
    max_records: int = 500
    poll_timeout_s: float = 0.25
    backoff_s_max: float = 5.0
    append_records_max: int = 1_000
    append_bytes_max: int = 16 << 20


@dataclass(slots=True)
class _Owned(Generic[S]):
    state: S
    generation: int
    next_offset: int
    saved_offset: int
    at_us: int = 0
    unsaved_since: float | None = None
    """When the first record came that no checkpoint has; beside it, the first since the state was last copied."""
    uncopied_since: float | None = None


@dataclass(frozen=True, slots=True)
class _Copy:
    """The state of a partition as it was between two steps, on its way to its checkpoint."""

    generation: int
    next_offset: int
    pack: Callable[[], bytes | None]


class Worker(Generic[S]):
    """Runs one stage as one member of its group, until told to stop."""

    def __init__(
        self,
        stage: Stage[S],
        log: EventLog,
        pool: Pool,
        options: WorkerOptions | None = None,
        metrics: WorkerMetrics | None = None,
    ) -> None:
        self._stage = stage
        self._log = log
        self._pool = pool
        self._options = options or WorkerOptions()
        self._metrics = metrics or WorkerMetrics()
        self._owned: dict[TopicPartition, _Owned[S]] = {}
        self.ready = asyncio.Event()
        """Set once the group has given this member its partitions and their states stand."""

    @property
    def group(self) -> str:
        """The stage's group."""
        return self._stage.group

    def positions(self) -> dict[TopicPartition, Position]:
        """Return where this member stands in each partition that it owns."""
        return {s: Position(o.next_offset, o.at_us, o.unsaved_since) for s, o in self._owned.items()}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; on failure throw the states away and begin again at the last checkpoints.

        Raises
        ------
        CityNerveError
            Not retriable: settings, an offset outside the log, a record that our own code cannot read.
        """
        backoff_s = 0.1
        while not stop.is_set():
            try:
                await self._run_as_member(stop)
                return
            except FencedError as exc:
                logger.info("fenced, joining again", extra={"group": self._stage.group, "reason": str(exc)})
                backoff_s = 0.1
            except EngineError as exc:
                logger.warning("engine failed, trying again", extra={"group": self._stage.group, "reason": str(exc)})
            self._metrics.restarts.labels(self._stage.group).inc()
            if self.ready.is_set():
                backoff_s = 0.1
            self.ready.clear()
            try:
                await asyncio.wait_for(stop.wait(), backoff_s)
            except TimeoutError:
                backoff_s = min(backoff_s * 2, self._options.backoff_s_max)

    async def _run_as_member(self, stop: asyncio.Event) -> None:
        consumer = await self._log.consumer(self._stage.group, self._stage.topics)
        rounds = Rounds(self._options.checkpoint_every_s, self._options.checkpoint_share)
        try:
            while not stop.is_set():
                poll = await consumer.poll(
                    max_records=self._options.max_records, timeout_s=self._options.poll_timeout_s
                )
                await self._follow_assignment(consumer, poll)
                self.ready.set()
                moved = await self._move(consumer, poll)
                if self._stage.transactional:
                    if moved:
                        await consumer.commit({source: self._owned[source].next_offset for source in moved})
                    continue
                await self._commit(consumer, rounds.ended())
                source = rounds.next(self._unsaved)
                if source in self._owned:
                    # All that the state has led to is on the log now, and only now.
                    rounds.begin(self._checkpoint({source: self._copy(self._owned[source])}))
            if not self._stage.transactional:
                await self._commit(consumer, await rounds.end())
                await self._commit(
                    consumer, await self._checkpoint({s: self._copy(self._owned[s]) for s in self._unsaved()})
                )
        finally:
            await rounds.drop()
            self._owned.clear()
            await _leave(consumer)

    async def _follow_assignment(self, consumer: Consumer, poll: Poll) -> None:
        """Drop what went to others, claim what is new and seek to its checkpoint."""
        for source in self._owned.keys() - poll.assignment:
            del self._owned[source]
        claimable = sorted(poll.assignment - self._owned.keys())
        begins = await self._first_offsets(consumer, claimable) if claimable else {}
        for source in claimable:
            async with transaction(self._pool) as connection:
                claimed = await checkpoints.claim(
                    connection,
                    self._stage.group,
                    source,
                    first_offset=begins[source],
                    log_identity=self._log.identity,
                    code_version=self._stage.code_version,
                )
            state = self._stage.open(source, claimed.state)
            self._owned[source] = _Owned(state, claimed.generation, claimed.next_offset, claimed.next_offset)
            await consumer.seek(source, claimed.next_offset)
        self._metrics.partitions.labels(self._stage.group).set(len(self._owned))

    async def _first_offsets(
        self, consumer: Consumer, claimable: Sequence[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """Return where the log begins, for a group that has no checkpoint.

        Retention waits for groups that have committed. One that begins says so before it reads where the log begins:
        its first step may take longer than the log keeps records.
        """
        async with transaction(self._pool) as connection:
            beginners = await checkpoints.without(connection, self._stage.group, claimable)
        await consumer.commit(await self._begins(beginners))
        return await self._begins(claimable)

    async def _begins(self, sources: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the first offset that the log still has of each partition."""
        bounds = {topic: await self._log.bounds(topic) for topic in sorted({source.topic for source in sources})}
        return {source: bounds[source.topic][source.partition].begin for source in sources}

    async def _move(self, consumer: Consumer, poll: Poll) -> list[TopicPartition]:
        """Take one poll's records through the stage; return the partitions that moved."""
        effects: dict[TopicPartition, Any] = {}
        appends: list[Append] = []
        moved: list[TopicPartition] = []
        started = time.monotonic()
        for source, records in poll.records.items():
            owned = self._owned.get(source)
            if owned is None:
                continue
            fresh = [record for record in records if record.offset >= owned.next_offset]
            if not fresh:
                continue
            if fresh[0].offset > owned.next_offset:
                await consumer.seek(source, owned.next_offset)
                continue
            if owned.unsaved_since is None:
                owned.unsaved_since = started
            if owned.uncopied_since is None:
                owned.uncopied_since = started
            # One transaction takes a poll's effects whole; of states, it does not matter where a poll is cut.
            count = len(fresh) if self._stage.transactional else STEP_RECORDS
            for part in (fresh[start : start + count] for start in range(0, len(fresh), count)):
                outcome = self._stage.step(owned.state, part)
                owned.next_offset, owned.at_us = part[-1].offset + 1, part[-1].at_us
                appends.extend(outcome.appends)
                if outcome.effects is not None:
                    effects[source] = outcome.effects
                # Heartbeats go out meanwhile: who has much to catch up with would lose its partitions otherwise, and
                # have more to catch up with each time.
                await asyncio.sleep(0)
            moved.append(source)
            self._metrics.records.labels(self._stage.group).inc(len(fresh))
        for some in _shares(appends, self._options.append_records_max, self._options.append_bytes_max):
            await self._log.append(some)
        if moved and self._stage.transactional:
            await self._save(moved, effects)
        if moved:
            self._metrics.poll_seconds.labels(self._stage.group).observe(time.monotonic() - started)
        return moved

    async def _save(self, sources: Sequence[TopicPartition], effects: Mapping[TopicPartition, Any]) -> None:
        """Write effects and checkpoints in one transaction; the checkpoint's row is locked first, which fences."""
        copies = {source: self._copy(self._owned[source]) for source in sources}
        async with transaction(self._pool) as connection:
            for source, copy in sorted(copies.items()):
                await self._save_one(connection, source, copy, copy.pack())
            if effects:
                await self._stage.write(connection, effects)
        self._note_saved(copies)

    async def _save_one(self, connection: Connection, source: TopicPartition, copy: _Copy, state: bytes | None) -> None:
        await checkpoints.save(
            connection,
            self._stage.group,
            source,
            Checkpoint(copy.generation, copy.next_offset, state),
            log_identity=self._log.identity,
            code_version=self._stage.code_version,
        )

    def _copy(self, owned: _Owned[S]) -> _Copy:
        owned.uncopied_since = None
        if isinstance(self._stage, Freezing):
            return _Copy(owned.generation, owned.next_offset, self._stage.freeze(owned.state))
        state = self._stage.snapshot(owned.state)
        return _Copy(owned.generation, owned.next_offset, lambda: state)

    def _unsaved(self) -> list[TopicPartition]:
        return [source for source, owned in self._owned.items() if owned.next_offset > owned.saved_offset]

    def _note_saved(self, copies: Mapping[TopicPartition, _Copy]) -> None:
        for source, copy in copies.items():
            owned = self._owned.get(source)
            if owned is not None and owned.generation == copy.generation:
                owned.saved_offset = copy.next_offset
                owned.unsaved_since = owned.uncopied_since

    async def _checkpoint(self, copies: Mapping[TopicPartition, _Copy]) -> Saved:
        """Save copies, each as soon as it is packed, while their partitions go on.

        A partition that went to another member meanwhile is that one's: what it does not know of is refused here, and
        computed again there.
        """
        saved: Saved = {}
        for source, copy in sorted(copies.items()):
            state = await asyncio.to_thread(copy.pack)
            try:
                async with transaction(self._pool) as connection:
                    await self._save_one(connection, source, copy, state)
            except FencedError:
                owned = self._owned.get(source)
                if owned is not None and owned.generation == copy.generation:
                    raise
            else:
                self._note_saved({source: copy})
                saved[source] = copy.next_offset
        return saved

    async def _commit(self, consumer: Consumer, saved: Saved) -> None:
        """Show the log how far partitions are that are still ours."""
        ours = {source: offset for source, offset in saved.items() if source in self._owned}
        if ours:
            await consumer.commit(ours)


def _shares(appends: Sequence[Append], records_max: int, bytes_max: int) -> Iterator[list[Append]]:
    """Divide appends, in their order, into shares that a log takes at once."""
    share: list[Append] = []
    size = 0
    for append in appends:
        if share and (len(share) >= records_max or size + len(append.value) > bytes_max):
            yield share
            share, size = [], 0
        share.append(append)
        size += len(append.value)
    if share:
        yield share


async def _leave(consumer: Consumer) -> None:
    """Close a consumer whose server may be gone: the lease runs out by itself then."""
    try:
        await consumer.close()
    except CityNerveError as exc:
        logger.info("left without goodbye", extra={"reason": str(exc)})
