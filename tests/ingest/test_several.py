"""A city that several ingest processes read: what each appends when, is chance; what comes of it is not."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from city.alarm import AlarmEvent
from city.clock import MINUTE_US, ManualClock
from city.metric import ACTIVE_POWER, DIMMING_LEVEL
from city.registry import DeviceDefinition, IngestRegistry, KnownDevice, SeriesTarget
from city.topics import READINGS, readings_topic
from ingest.bridge import Bridge, BridgeOptions
from ingest.division import Division, Split
from ingest.marks import MarkOptions
from ingest.mqtt_session import MqttOptions
from ingest.source import MqttSource
from stream import codec
from stream.codec import RecordMeta, Tick
from stream.log import Append, EventLog, Record
from stream.logs.postgres import open_postgres_log
from tests.anomaly.test_detector import behave_badly
from tests.anomaly.world import START, correlate, detect, root
from tests.ingest.world import Publisher, eventually, make_topics, running
from tests.support.fix_mosquitto import Mosquitto

STEP_US = 15 * MINUTE_US
STEPS = 56
CABINETS = (0, 1)
TOWN = behave_badly(3)
DEVICES = [(number, device) for number in CABINETS for device in root(number).devices]


def known() -> IngestRegistry:
    """Return the town's devices, each cabinet in the partition of its number."""
    devices = {
        device.device_id: KnownDevice(
            device.device_id,
            f"G-{number}",
            {series.metric: SeriesTarget(series.series_id, number, -5.0, 5_000.0) for series in device.series},
        )
        for number, device in DEVICES
    }
    return IngestRegistry({f"G-{number}": number for number in CABINETS}, devices, 1)


REGISTRY = known()


class Witness:
    """A real log that remembers what was appended, in the log's order."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.records: list[Append] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, records: Sequence[Append]) -> list[int]:
        offsets = await self._log.append(records)
        self.records += records
        return offsets

    def ticked(self, at: int) -> bool:
        """Tell whether the city's time `at` is on the log."""
        return any(r.kind == codec.TICK and codec.decode(Tick, r.value).at == at for r in self.records[-100:])


async def play(mosquitto: Mosquitto, database_url: str, sources: list[MqttSource]) -> list[Append]:
    """Let the town's night pass, a quarter of an hour at a time; return what came on the log."""
    clock = ManualClock(START)
    clock.speed = STEP_US / 100_000  # type: ignore[misc]
    log = await open_postgres_log(database_url)
    await make_topics(log)
    witness = Witness(log)
    options = BridgeOptions(flush_s=0.005, marks=MarkOptions(STEP_US / 1e6, 0.05))

    def bridge(source: MqttSource, number: int) -> Bridge:
        async def first() -> bool:
            return number == 0

        made = Bridge(source, witness, lambda: REGISTRY, clock, options, may_tick=first)  # type: ignore[arg-type]
        if len(sources) > 1 and not source.shares:
            made.hears(division(number + 1))
        return made

    bridges = [bridge(source, number) for number, source in enumerate(sources)]
    sent = Counter[str]()
    async with running(*bridges, *sources):
        await eventually(lambda: all(source.listening for source in sources))
        async with Publisher(mosquitto.port) as city:
            for step in range(STEPS):
                clock.advance(STEP_US / 1e6)
                await eventually(lambda: witness.ticked(clock.now_us()))
                publish(city, clock.now_us(), sent)
                if step % 7 == 3:
                    # What it has not acknowledged comes again, to whichever process.
                    await sources[-1].reconnect()
                await eventually(lambda: numbers_on(witness.records) == {g: set(range(n)) for g, n in sent.items()})
            clock.advance(STEP_US / 1e6)
            await eventually(lambda: witness.ticked(clock.now_us()))
    await log.close()
    return witness.records


def publish(city: Publisher, at: int, sent: Counter[str]) -> None:
    """Send what the town's lamps report at one moment; one message in ten by an older firmware, with escapes."""
    on = root(0).feeders[0].schedule.commanded_on(at)
    for number, device in DEVICES:
        watts = TOWN.behaviour(device.asset.asset_id, at, on)
        if watts is None:
            continue
        gateway = f"G-{number}"
        text = json.dumps(message(device, at, watts, sent[gateway], on=on))
        if sent[gateway] % 10 == 0:
            text = text.replace('"D-', '"D\\u002d')
        city.publish(sent[gateway], text.encode(), topic=readings_topic(gateway))
        sent[gateway] += 1


def message(device: DeviceDefinition, at: int, watts: float, number: int, *, on: bool) -> dict[str, object]:
    return {
        "device": device.device_id,
        "n": number,
        "at": at // 1000,
        ACTIVE_POWER: watts,
        DIMMING_LEVEL: 100 if on else 0,
    }


def numbers_on(records: Sequence[Append]) -> dict[str, set[int]]:
    """Return gateway → numbers of its messages on the log."""
    found: dict[str, set[int]] = {}
    for record in records:
        if record.kind == codec.BATCH:
            for told in codec.decode(RecordMeta, record.meta).numbers:
                found.setdefault(told.gateway_id, set()).update(range(told.first, told.last + 1))
    return found


def decided(records: Sequence[Append]) -> list[AlarmEvent]:
    """Return the alarms to which the records lead."""
    candidates: list[Append] = []
    for partition in CABINETS:
        registry = Record(READINGS, partition, 0, codec.REGISTRY, codec.encode(root(partition)), START)
        mine = [r for r in records if r.topic == READINGS and r.partition == partition]
        log = [Record(READINGS, partition, i, r.kind, r.value, r.at_us, r.meta) for i, r in enumerate(mine, 1)]
        candidates += detect([registry, *log])[1]
    return [codec.decode(AlarmEvent, value) for value in correlate(candidates)[1]]


def balance(records: Sequence[Append]) -> tuple[int, int, dict[tuple[int, int], float]]:
    """Return readings appended as the records' summaries tell, how many rows there are, and the first of each key."""
    counted = rows = 0
    first: dict[tuple[int, int], float] = {}
    for record in records:
        if record.kind == codec.BATCH:
            counted += sum(count.count for count in codec.decode(RecordMeta, record.meta).counts)
            for row in codec.decode_batch(record.value).rows():
                rows += 1
                first.setdefault((row.series_id, row.observed_at), row.value)
    return counted, rows, first


def shared(mosquitto: Mosquitto) -> list[MqttSource]:
    return [
        MqttSource(MqttOptions(mosquitto.url, f"ingest-{n}", share="city", version="5", backoff_s_max=0.2))
        for n in range(3)
    ]


def split(mosquitto: Mosquitto) -> list[MqttSource]:
    sources = [MqttSource(MqttOptions(mosquitto.url, f"ingest-{n}", backoff_s_max=0.2)) for n in range(3)]
    for number, source in enumerate(sources, 1):
        source.listen(*division(number).filters(REGISTRY.gateways, []))
    return sources


def division(number: int) -> Division:
    """G-1 falls to the second of three, all else to the first."""
    made = Division(Split(f"{number}/3"), {"G-1": 2})
    made.present = frozenset({1, 2, 3})
    return made


@pytest.mark.parametrize("several", [shared, split])
def test_a_city_read_by_three_processes_has_the_same_alarms_and_an_exact_ledger(
    several: Any, make_mosquitto: Any, database_url: str
) -> None:
    async def main(sources: list[MqttSource], broker: Mosquitto) -> list[Append]:
        return await play(broker, database_url, sources)

    alone, together = make_mosquitto(), make_mosquitto()
    by_one = asyncio.run(main([MqttSource(MqttOptions(alone.url, backoff_s_max=0.2))], alone))
    by_three = asyncio.run(main(several(together), together))
    alarms = decided(by_one)
    assert len(alarms) > 2
    assert decided(by_three) == alarms
    counted, rows, stored = balance(by_three)
    assert counted == rows
    assert rows >= len(stored)
    assert stored == balance(by_one)[2]
    assert numbers_on(by_three) == numbers_on(by_one)
