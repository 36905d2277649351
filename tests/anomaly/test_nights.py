"""A night and a dusk of an imperfect city in which nothing is broken: detection says nothing.

Wrong lamp types and feeders, cabinets' clocks minutes off, a tenth of the reports lost, gateways that stall: all that
the simulator knows and the inventory does not.
"""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime

import numpy as np
import pytest

from anomaly.correlate import CorrelateStage
from anomaly.detector import DetectStage
from city import topics
from city.alarm import AlarmEvent, AlarmEventKind, FaultClass
from city.asset import AssetKind
from city.clock import HOUR_US, MINUTE_US, from_datetime
from city.pack import CityPack
from city.profile import parse_pack
from city.reading import ReadingBatch
from city.registry import IngestRegistry, RootDefinition
from sim.city import generate_city
from sim.faults import PlantedFault
from sim.noise import key_of
from sim.realism import REALISMS
from sim.times import parse_time
from sim.world import World
from storage.pool import open_pool, transaction
from stream import codec, installation, registry
from stream.codec import Tick
from stream.log import Record, TopicPartition

PACK = parse_pack(generate_city(33, lamps=400, facilities=4))
START = from_datetime(datetime(2026, 11, 24, 16, 30, tzinfo=UTC))
END = START + 26 * HOUR_US
TICK_US = MINUTE_US


async def register(url: str, pack: CityPack) -> tuple[list[RootDefinition], IngestRegistry]:
    async with await open_pool(url) as pool:
        async with transaction(pool) as connection:
            await installation.ensure_installation(
                connection, city=pack.name, timezone=pack.timezone, simulated=pack.simulated
            )
            await registry.import_pack(connection, pack, 1)
        async with pool.connection() as connection:
            return await registry.load_roots(connection), await registry.load_ingest_registry(connection)


class Detection:
    """Detection and correlation over one partition, without a log in between."""

    def __init__(self, roots: list[RootDefinition]) -> None:
        self._detect, self._correlate = DetectStage(1), CorrelateStage(1, 1)
        self._state = self._detect.open(TopicPartition(topics.READINGS, 0), None)
        self._cases = self._correlate.open(TopicPartition(topics.CANDIDATES, 0), None)
        self._offset = 0
        self._detect.step(self._state, [self._record(codec.REGISTRY, codec.encode(root), START) for root in roots])

    def take(self, batch: ReadingBatch, now_us: int) -> list[AlarmEvent]:
        records = [
            self._record(codec.BATCH, codec.encode_batch(batch), now_us),
            self._record(codec.TICK, codec.encode(Tick(now_us, TICK_US)), now_us),
        ]
        said = [
            Record(topics.CANDIDATES, 0, self._offset, append.kind, append.value, append.at_us)
            for append in self._detect.step(self._state, records).appends
        ]
        return [codec.decode(AlarmEvent, made.value) for made in self._correlate.step(self._cases, said).appends]

    def _record(self, kind: str, value: bytes, at_us: int) -> Record:
        self._offset += 1
        return Record(topics.READINGS, 0, self._offset, kind, value, at_us)


def batch_of(world: World, known: IngestRegistry, done: dict[str, int], now_us: int) -> ReadingBatch:
    """Return what all gateways heard up to now and have sent; one without an uplink sends it afterwards."""
    columns: dict[str, list[float]] = defaultdict(list)
    for gateway in world.gateways:
        silent_us = world.silent_since(gateway, now_us)
        for at_us in world.moments(gateway, done[gateway], now_us if silent_us is None else silent_us - 1):
            done[gateway] = at_us
            for observation in world.observe(gateway, at_us):
                series = known.devices[observation["device"]].targets
                observed_us = from_datetime(parse_time(observation["at"]))
                for metric, target in series.items():
                    if metric in observation:
                        columns["series"].append(target.series_id)
                        columns["gateway"].append(known.gateways[gateway])
                        columns["at"].append(observed_us)
                        columns["value"].append(float(observation[metric]))
    return ReadingBatch(
        np.array(columns["series"], np.int32),
        np.array(columns["gateway"], np.int32),
        np.array(columns["at"], np.int64),
        np.full(len(columns["at"]), now_us, np.int64),
        np.array(columns["value"], np.float64),
        np.zeros(len(columns["at"]), np.uint8),
    )


def live(world: World, known: IngestRegistry, detection: Detection, end_us: int) -> tuple[int, list[AlarmEvent]]:
    """Let detection hear the city tick by tick from START; return how many readings there were, and what it said."""
    done = dict.fromkeys(world.gateways, START - 15 * MINUTE_US)
    events: list[AlarmEvent] = []
    readings = 0
    for now_us in range(START + TICK_US, end_us, TICK_US):
        batch = batch_of(world, known, done, now_us)
        readings += len(batch)
        events += detection.take(batch, now_us)
    return readings, events


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_imperfect_city_without_faults_has_no_alarms(database_url: str) -> None:
    roots, known = asyncio.run(register(database_url, PACK))
    world, detection = World(PACK, key_of("night"), (), REALISMS["real"]), Detection(roots)
    readings, events = live(world, known, detection, END)
    assert readings > 50_000
    assert [(event.kind, event.fault, event.scope.asset_id, event.evidence) for event in events] == []


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("onset_h", [-1.0, 2.25, 13.0])
def test_a_gateway_without_its_uplink_is_one_alarm_of_the_gateway_and_none_of_its_feeders(
    database_url: str, onset_h: float
) -> None:
    roots, known = asyncio.run(register(database_url, PACK))
    gateway = max({d.gateway_id for d in PACK.devices}, key=[d.gateway_id for d in PACK.devices].count)
    onset_us = START + int((1.5 + onset_h) * HOUR_US)
    out = PlantedFault(onset_us, gateway, FaultClass.COMMUNICATION_FAILURE, onset_us + 5 * HOUR_US)
    world, detection = World(PACK, key_of("night"), (out,), REALISMS["real"]), Detection(roots)
    _, events = live(world, known, detection, onset_us + 12 * HOUR_US)
    folded = {event.alarm_id for event in events if event.kind is AlarmEventKind.FOLDED}
    told = [
        (event.kind, event.fault, event.scope.kind, event.scope.asset_id)
        for event in events
        if event.alarm_id not in folded
    ]
    about = (FaultClass.COMMUNICATION_FAILURE, AssetKind.GATEWAY, gateway)
    assert told == [(AlarmEventKind.RAISED, *about), (AlarmEventKind.CLEARED, *about)]
