"""Detection as a stage: readings in their order of event time → what each device is suspected of, tick by tick."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anomaly import gaps, kernels, networks, ordering, suspicions
from anomaly.copies import Copies
from anomaly.family import Rows
from anomaly.layout import EVENT
from anomaly.metrics import DetectMetrics
from anomaly.schedules import BurningPeriods
from anomaly.state import DetectorState
from city import topics
from city.alarm import CandidateBatch, Census, Suspicion
from city.asset import correlation_partition
from city.clock import HOUR_US, MINUTE_US, isoformat
from city.reading import ReadingBatch
from city.registry import RootDefinition
from storage.pool import Connection
from stream import codec
from stream.codec import Tick
from stream.log import Append, Record, TopicPartition
from stream.worker import Outcome

logger = logging.getLogger(__name__)

SET_BACK_US = MINUTE_US
"""Clocks of two ingest processes may differ by less; a tick that lies further back means that a clock was set."""
CENSUS_EVERY_US = MINUTE_US
"""Feeders are counted once a minute: at every tick it would be most of what detection says."""
EVENTS_AT_ONCE = 1024
"""Events that a kernel writes before they are put into words."""
PART_ITEMS = 400
"""Suspicions, and feeders counted, in one record at most: with names of full length it stays below the log's limit."""


class DetectStage:
    """Group `detect`: `readings` → `candidates`. State of a partition is `DetectorState`."""

    group = "detect"
    topics = (topics.READINGS,)
    code_version = "detect-17"
    transactional = False

    def __init__(self, candidate_partitions: int, metrics: DetectMetrics | None = None) -> None:
        self._candidate_partitions = candidate_partitions
        self._set_back: set[int] = set()
        self._copies = Copies()
        self._metrics = metrics or DetectMetrics()

    def open(self, source: TopicPartition, snapshot: bytes | None) -> DetectorState:
        state = DetectorState(source.partition) if snapshot is None else DetectorState.restore(snapshot)
        self._copies.reserve(state.copy_bytes())
        return state

    def snapshot(self, state: DetectorState) -> bytes:
        return state.snapshot()

    def freeze(self, state: DetectorState) -> Callable[[], bytes]:
        return state.freeze(self._copies)

    async def write(self, connection: Connection, effects: object) -> None:
        """Write nothing: all that detection says goes to the log."""

    def step(self, state: DetectorState, records: Sequence[Record]) -> Outcome:
        """Judge record by record, so that it does not matter where a poll cut."""
        outcome = Outcome()
        for record in records:
            if record.kind == codec.BATCH:
                self._settle(state)
                state.hear_readings()
                readings = codec.decode_batch(record.value)
                self._metrics.readings.inc(len(readings))
                state.pending.extend(_judge(state, state.buffer.push(readings)))
            elif record.kind == codec.REGISTRY:
                state.install(codec.decode(RootDefinition, record.value), record.value)
            elif record.kind == codec.TICK:
                tick = codec.decode(Tick, record.value)
                if tick.at > state.tick_at:
                    self._set_back.discard(state.partition)
                    self._settle(state)
                    outcome.appends.extend(self._take_tick(state, tick, record.offset))
                elif tick.at < state.tick_at - SET_BACK_US:
                    self._tell_set_back(state, tick.at)
        return outcome

    def _settle(self, state: DetectorState) -> None:
        """Lay out what has arrived, and have the memory at hand that a copy of it takes."""
        if state.arrived:
            state.settle()
            self._copies.reserve(state.copy_bytes())

    def _tell_set_back(self, state: DetectorState, at: int) -> None:
        """Say once that time stands still here: a clock that ran ahead would silence detection without a word."""
        if state.partition not in self._set_back:
            self._set_back.add(state.partition)
            logger.error(
                "the city's clock was set back, so nothing is judged until it has caught up: see the clock of the"
                " machine that ingest runs on",
                extra={"partition": state.partition, "judged_to": isoformat(state.tick_at), "clock": isoformat(at)},
            )

    def _take_tick(self, state: DetectorState, tick: Tick, offset: int) -> list[Append]:
        """Let time pass, judge what it makes due, look for the silent, count the feeders, and say all of it."""
        before = state.tick_at
        count = tick.at // CENSUS_EVERY_US > before // CENSUS_EVERY_US
        state.hear_tick(tick.at, tick.period_us, tick.outside_c)
        state.hear_links(tick.links)
        found = [*state.pending, *_judge(state, state.buffer.pass_time(tick.at))]
        every_us = networks.EVERY_US
        count_gateways = count and tick.at // every_us > before // every_us
        if count:
            _reckon_gaps(state, tick.at, anew=tick.at // HOUR_US > before // HOUR_US)
        silent, census = _judge_tick(state, tick.at, count=count)
        gateways = tuple(networks.counts_of(state.gateways(), census)) if count_gateways else None
        state.pending = []
        found = sorted([*found, *silent], key=lambda s: (s.since, s.scope.asset_id, s.fault, s.at, s.kind))
        self._metrics.ticks.inc()
        for (kind, fault), said_so in Counter((s.kind, s.fault) for s in found).items():
            self._metrics.suspicions.labels(kind, fault).inc(said_so)
        state.unlearn(tick.at)
        windows = state.windows(tick.at)
        self._metrics.devices.labels(str(state.partition)).set(len(state.devices))
        appends: list[Append] = []
        for partition in range(self._candidate_partitions):
            said = [s for s in found if self._partition(s.scope.group) == partition]
            counted = [c for c in census if self._partition(c.feeder.group) == partition]
            parts = max(1, -(-max(len(said), len(counted)) // PART_ITEMS))
            for part in range(parts):
                some = slice(part * PART_ITEMS, (part + 1) * PART_ITEMS)
                batch = CandidateBatch(
                    source_partition=state.partition,
                    source_offset=offset,
                    at=tick.at,
                    suspicions=tuple(said[some]),
                    census=tuple(counted[some]),
                    part=part,
                    parts=parts,
                    windows=() if part else tuple(windows),
                    gateways=None if part else gateways,
                )
                appends.append(Append(topics.CANDIDATES, partition, codec.CANDIDATES, codec.encode(batch), tick.at))
        return appends

    def _partition(self, group: str) -> int:
        return correlation_partition(group, self._candidate_partitions)


def _judge(state: DetectorState, rows: ReadingBatch) -> list[Suspicion]:
    device, series, observed_at, received_at, channel, value = ordering.by_device(
        rows.series_id, rows.observed_at, rows.received_at, rows.value,
        state.device_of, state.channel_of, len(state.devices),
    )  # fmt: skip
    if not len(device):
        return []
    context = state.context(int(observed_at.min()), int(observed_at.max()))
    events = np.zeros(EVENTS_AT_ONCE, EVENT)
    found: list[Suspicion] = []
    row = 0
    while row < len(device):
        n_events, _late, row = kernels.judge_rows(
            row,
            device,
            observed_at,
            received_at,
            channel,
            value,
            state.devices,
            state.rules,
            state.states,
            state.lamps,
            state.gaps,
            *_arrays(context.periods),
            state.deaf,
            events,
        )
        found += [_suspicion(state, event) for event in events[:n_events]]
    sorted_rows = Rows(device, series, observed_at, received_at, value)
    for family in state.families:
        found.extend(family.judge(sorted_rows, context))
    return found


def _judge_tick(state: DetectorState, now: int, *, count: bool) -> tuple[list[Suspicion], list[Census]]:
    if len(state.devices) == 0:
        return [], []
    context = state.context(now, now)
    events = np.zeros(len(state.devices), EVENT)
    n_events = kernels.judge_tick(
        now, state.devices, state.states, state.gaps, *_arrays(context.periods), state.deaf, events
    )
    found = [_suspicion(state, event) for event in events[:n_events]]
    census: list[Census] = []
    for family in state.families:
        found.extend(family.tick(now, context))
        if count:
            census.extend(family.census(now, context))
    return found, census if count else []


def _reckon_gaps(state: DetectorState, now: int, *, anew: bool) -> None:
    """Learn from gaps, and, `anew`, how long everybody is waited for from now on."""
    gaps.learn(now, state.devices, state.states, state.gaps, state.by_gateway, state.first_of)
    if anew:
        gaps.reckon(now, state.devices, state.states, state.gaps, len(state.first_of) - 1)


def _arrays(periods: BurningPeriods) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    return periods.first, periods.on, periods.off


def _suspicion(state: DetectorState, event: NDArray[np.void]) -> Suspicion:
    device = int(event["device"])
    interval_us = int(state.devices["interval_us"][device])
    return replace(suspicions.of_event(event, state.device_ids[device], state.scopes[device]), interval_us=interval_us)
