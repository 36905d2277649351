"""Accepted means appended: the bridge between real brokers and real logs, while either fails."""

import asyncio
import base64
import threading
from collections import Counter
from dataclasses import replace
from time import monotonic
from typing import Any

import pytest

from city.clock import SystemClock
from city.registry import IngestRegistry, KnownDevice, WireProfile
from city.topics import DEAD_LETTERS, READINGS
from ingest import bridge as bridge_module
from ingest.bridge import Bridge, BridgeOptions
from ingest.bundle import is_bundle, unpack
from ingest.door import Door
from ingest.marks import MarkOptions
from ingest.metrics import IngestMetrics
from ingest.mqtt_session import MqttOptions
from ingest.source import MqttSource
from stream import codec
from stream.codec import DeadLetter, RecordMeta, Tick
from stream.log import EventLog
from stream.logs.postgres import open_postgres_log
from stream.logs.postgres_rows import PostgresLogOptions
from tests.ingest.conftest import OpenSource
from tests.ingest.garbage import payloads
from tests.ingest.world import (
    HeldLog,
    Publisher,
    eventually,
    make_topics,
    port_of,
    reading,
    readings_reach,
    records_of,
    registry,
    running,
)
from tests.support.fix_log import LogEngine
from tests.support.fix_mosquitto import Mosquitto

REGISTRY = registry()
QUICK = BridgeOptions(append_patience_s=1.0, backoff_s_max=0.2, marks=MarkOptions(0.1, 0.1))


async def always() -> bool:
    return True


def bridge(source: object, log: object, options: BridgeOptions = QUICK, *, ticks: bool = False) -> Bridge:
    more = {"may_tick": always} if ticks else {}
    return Bridge(source, log, lambda: REGISTRY, SystemClock(), options, IngestMetrics(), **more)  # type: ignore[arg-type]


def test_what_was_acknowledged_is_on_the_log_and_what_is_on_the_log_is_counted(
    open_source: OpenSource, log_engine: LogEngine
) -> None:
    async def main() -> None:
        async with log_engine.open() as log, open_source() as (source, port):
            await make_topics(log)
            async with running(bridge(source, log), source):
                await eventually(lambda: source.listening)
                async with Publisher(port) as gateway:
                    for number in range(500):
                        gateway.publish(number)
                    await eventually(lambda: len(gateway.acknowledged) == 500)
                    found = await readings_reach(log, set(range(500)))
            metas = [codec.decode(RecordMeta, r.meta) for r in await records_of(log, READINGS) if r.kind == codec.BATCH]
            assert sum(count.count for meta in metas for count in meta.counts) == len(found)
            assert {count.gateway_id for meta in metas for count in meta.counts} == {"G-1"}
            numbers = {n for meta in metas for r in meta.numbers for n in range(r.first, r.last + 1)}
            assert numbers == set(range(500))

    asyncio.run(main())


def test_nothing_is_acknowledged_before_the_append(open_source: OpenSource, database_url: str) -> None:
    async def main() -> None:
        async with open_source() as (source, port):
            log = await open_postgres_log(database_url)
            await make_topics(log)
            held = HeldLog(log)
            held.open.clear()
            moving = bridge(source, held)
            stop, left = asyncio.Event(), asyncio.Event()
            tasks = [asyncio.create_task(moving.run(stop)), asyncio.create_task(source.run(left))]
            await eventually(lambda: source.listening)
            async with Publisher(port) as gateway:
                for number in range(100):
                    gateway.publish(number)
                await asyncio.wait_for(held.waiting.wait(), 10)
                # Killed here: the process ends between taking and appending.
                tasks[0].cancel()
                await asyncio.gather(tasks[0], return_exceptions=True)
                if hasattr(source, "port"):
                    assert gateway.acknowledged == []
                await source.reconnect()
                async with running(bridge(source, log)):
                    await readings_reach(log, set(range(100)))
                    await eventually(lambda: len(gateway.acknowledged) == 100)
            left.set()
            await asyncio.gather(*tasks, return_exceptions=True)
            await log.close()

    asyncio.run(main())


def test_a_log_that_is_killed_and_comes_back_gets_everything(
    open_source: OpenSource, mortal_log_engine: LogEngine
) -> None:
    async def main() -> None:
        async with open_source() as (source, port), mortal_log_engine.open() as log:
            await make_topics(log)
            async with running(bridge(source, log), source):
                await eventually(lambda: source.listening)
                async with Publisher(port) as gateway:
                    for number in range(100):
                        gateway.publish(number)
                    await readings_reach(log, set(range(100)))
                    await asyncio.to_thread(mortal_log_engine.kill)
                    for number in range(100, 300):
                        gateway.publish(number)
                    await asyncio.sleep(2.5)
                    await asyncio.to_thread(mortal_log_engine.start)
                    await readings_reach(log, set(range(300)))
                    await eventually(lambda: set(gateway.acknowledged) == set(range(300)))

    asyncio.run(main())


def test_a_full_log_holds_senders_back_and_loses_nothing(open_source: OpenSource, database_url: str) -> None:
    async def main() -> None:
        async with open_source() as (source, port):
            log = await open_postgres_log(database_url, PostgresLogOptions(max_bytes=20_000))
            await make_topics(log)
            metrics = IngestMetrics()
            moving = Bridge(source, log, lambda: REGISTRY, SystemClock(), QUICK, metrics)
            async with running(moving, source):
                await eventually(lambda: source.listening)
                async with Publisher(port) as gateway:
                    for number in range(400):
                        gateway.publish(number)
                        if number % 20 == 0:
                            await asyncio.sleep(0.03)
                    await eventually(lambda: metrics.append_failures._value.get() >= 8)
                    roomy = await open_postgres_log(database_url, PostgresLogOptions(max_bytes=1 << 30))
                    await roomy.close()
                    found = await readings_reach(log, set(range(400)))
                    await eventually(lambda: len(gateway.acknowledged) == 400)
            assert metrics.reconnects._value.get() == 0
            assert Counter(found) == Counter(range(400))
            await log.close()

    asyncio.run(main())


def test_bad_messages_are_set_aside_and_each_is_accounted_for(open_source: OpenSource, database_url: str) -> None:
    async def main() -> None:
        async with open_source() as (source, port):
            log = await open_postgres_log(database_url)
            await make_topics(log)
            async with running(bridge(source, log), source):
                await eventually(lambda: source.listening)
                async with Publisher(port) as gateway:
                    gateway.publish(0)
                    gateway.publish(1, b"garbage")
                    gateway.publish(2, reading(2, device=99))
                    gateway.publish(3, reading(3, device=1))
                    gateway.publish(4, reading(4, active_power_w=9e9, supply_voltage_v=230, dimming_level_pct="x"))
                    gateway.publish(5, topic="citynerve/v1/G-77/readings")
                    await eventually(lambda: len(gateway.acknowledged) == 6)
                    await readings_reach(log, {0, 4})
            letters = [codec.decode(DeadLetter, r.value) for r in await records_of(log, DEAD_LETTERS)]
            await log.close()
        assert Counter((letter.reason, letter.units, letter.only) for letter in letters) == Counter(
            {
                ("not-json", 1, ()): 1,
                ("unknown-device", 1, ()): 1,
                ("wrong-gateway", 1, ()): 1,
                ("value-out-of-range", 1, ((0, "active_power_w"),)): 1,
                ("not-a-number", 1, ((0, "dimming_level_pct"),)): 1,
                ("unknown-gateway", 1, ()): 1,
            }
        )

    asyncio.run(main())


async def ticks_and_readings(log: EventLog) -> dict[int, list[tuple[str, int]]]:
    """Return, by partition, what lies on it in order: ("tick", at) and ("reading", number)."""
    found: dict[int, list[tuple[str, int]]] = {}
    for record in await records_of(log, READINGS):
        lane = found.setdefault(record.partition, [])
        if record.kind == codec.TICK:
            lane.append(("tick", codec.decode(Tick, record.value).at))
        else:
            batch = codec.decode_batch(record.value)
            lane += [("reading", int(at // 1_000_000 - 1_790_000_000)) for at in batch.observed_at]
    return found


def test_no_tick_overtakes_a_message_that_the_broker_had_before_it(open_source: OpenSource, database_url: str) -> None:
    async def main() -> None:
        clock = SystemClock()
        accepted: dict[int, int] = {}
        async with open_source() as (source, port):
            log = await open_postgres_log(database_url)
            await make_topics(log)
            slow = HeldLog(log)
            slow.delay_s = 0.02
            async with running(bridge(source, slow, ticks=True), source):
                await eventually(lambda: source.listening)
                async with Publisher(port) as gateway:
                    for number in range(400):
                        gateway.publish(number)
                        await asyncio.sleep(0.003)
                        now = clock.now_us()
                        for known in gateway.acknowledged[len(accepted) :]:
                            accepted[known] = now
                    await readings_reach(log, set(range(400)))
                    await asyncio.sleep(0.3)
            lanes = await ticks_and_readings(log)
            await log.close()
        assert len(lanes) == 12, "every partition has ticks"
        for lane in lanes.values():
            ticks = [at for kind, at in lane if kind == "tick"]
            assert ticks == sorted(ticks)
            assert len(ticks) >= 3
        latest = 0
        for kind, what in lanes[3]:
            latest = max(latest, what) if kind == "tick" else latest
            assert kind == "tick" or accepted.get(what, latest) >= latest

    asyncio.run(main())


def test_no_tick_while_ingest_catches_up(mosquitto: Mosquitto, database_url: str) -> None:
    async def main() -> None:
        log = await open_postgres_log(database_url)
        await make_topics(log)
        first = MqttSource(MqttOptions(mosquitto.url))
        async with running(bridge(first, log), first):
            await eventually(lambda: first.listening)
        async with Publisher(mosquitto.port) as gateway:
            for number in range(3000):
                gateway.publish(number)
            await eventually(lambda: len(gateway.acknowledged) == 3000)
        slow = HeldLog(log)
        slow.delay_s = 0.15
        second = MqttSource(MqttOptions(mosquitto.url))
        options = BridgeOptions(messages_max=200, marks=MarkOptions(0.1, 0.1))
        async with running(bridge(second, slow, options, ticks=True), second):
            await readings_reach(log, set(range(3000)))
            await asyncio.sleep(0.6)
        lane = (await ticks_and_readings(log))[3]
        await log.close()
        kinds = [kind for kind, _ in lane]
        assert "tick" in kinds
        assert kinds.index("tick") >= 3000

    asyncio.run(main())


def test_mosquitto_killed_and_started_again_ingest_goes_on(mosquitto: Mosquitto, database_url: str) -> None:
    async def main() -> None:
        log = await open_postgres_log(database_url)
        await make_topics(log)
        source = MqttSource(MqttOptions(mosquitto.url, backoff_s_max=0.5))
        async with running(bridge(source, log, ticks=True), source):
            await eventually(lambda: source.listening)
            async with Publisher(mosquitto.port) as gateway:
                for number in range(100):
                    gateway.publish(number)
                await readings_reach(log, set(range(100)))
                await asyncio.to_thread(mosquitto.kill)
                await eventually(lambda: not source.listening)
                await asyncio.to_thread(mosquitto.start)
                await eventually(lambda: source.listening)
                for number in range(100, 200):
                    gateway.publish(number)
                await readings_reach(log, set(range(200)))
        await log.close()

    asyncio.run(main())


def payloads_of(letter: DeadLetter) -> list[bytes]:
    """Return the messages of a letter; of an isolated gateway's there are many."""
    payload = base64.b64decode(letter.payload)
    return [one.payload for one in unpack(payload)] if is_bundle(letter.topic) else [payload]


def test_a_storm_of_garbage_is_accounted_for_to_the_last_message(open_source: OpenSource, database_url: str) -> None:
    async def main() -> None:
        storm = payloads(10_000, seed=7)
        async with open_source() as (source, port):
            log = await open_postgres_log(database_url)
            await make_topics(log)
            async with running(bridge(source, log), source):
                await eventually(lambda: source.listening)
                async with Publisher(port) as gateway, Publisher(port, "G-2") as other:
                    for number, payload in enumerate(storm):
                        gateway.publish(number, payload)
                        if number % 500 == 0:
                            await asyncio.sleep(0.01)
                    await eventually(lambda: len(gateway.acknowledged) == len(storm), timeout_s=90)
                    other.publish(1, reading(77, 1))
                    await readings_reach(log, {77})
            letters = [codec.decode(DeadLetter, r.value) for r in await records_of(log, DEAD_LETTERS)]
            metas = [codec.decode(RecordMeta, r.meta) for r in await records_of(log, DEAD_LETTERS)]
            await log.close()
        # How many came in the flush that used the burst up is the broker's pace: perhaps all, and none is isolated.
        assert {letter.gateway_id for letter in letters if letter.reason == "isolated"} <= {"G-1"}
        kept = Counter(one for letter in letters for one in payloads_of(letter))
        assert sum(kept.values()) >= len(storm)
        assert sum(c.count for meta in metas for c in meta.counts) == sum(letter.units for letter in letters)
        assert set(storm) <= set(kept)

    asyncio.run(main())


STUCK = "function Decoder(bytes) { return { i: 'x'.repeat(1e6).indexOf('x'.repeat(5e5) + 'y') }; }"


def test_a_codec_that_hangs_does_not_stop_the_loop(open_source: OpenSource, database_url: str) -> None:
    """The engine cannot be interrupted within one call: pings, acknowledgements and HTTPS must go on meanwhile."""
    known = replace(
        REGISTRY, devices={**REGISTRY.devices, "01": KnownDevice("L-1", "G-1", {}, WireProfile("", codec=STUCK))}
    )
    gaps = [0.0]

    async def beat() -> None:
        while True:
            before = monotonic()
            await asyncio.sleep(0.01)
            gaps.append(monotonic() - before)

    async def main() -> None:
        async with open_source() as (source, port):
            log = await open_postgres_log(database_url)
            await make_topics(log)
            moving = Bridge(source, log, lambda: known, SystemClock(), QUICK, IngestMetrics())
            async with running(moving, source):
                await eventually(lambda: source.listening)
                async with Publisher(port) as gateway:
                    gateway.publish(0)
                    await readings_reach(log, {0})  # Everything is compiled now.
                    beating = asyncio.create_task(beat())
                    uplink = b'{"deviceInfo":{"devEui":"01"},"data":"AQ=="}'
                    gateway.publish(1, uplink, topic="citynerve/v1/G-1/chirpstack")
                    gateway.publish(2)
                    await readings_reach(log, {0, 2})
                    await eventually(lambda: len(gateway.acknowledged) == 3)
                    beating.cancel()
            [letter] = [codec.decode(DeadLetter, r.value) for r in await records_of(log, DEAD_LETTERS)]
            assert letter.reason == "codec-timeout"
            assert max(gaps) < 0.4, "the codec held its process for half a second"
            await log.close()

    asyncio.run(main())


def test_messages_are_read_on_while_a_large_registrys_tables_are_built(
    mosquitto: Mosquitto, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = threading.Event()
    known = REGISTRY

    def open_slowly(registry: IngestRegistry) -> Any:
        if registry is not REGISTRY:
            assert built.wait(60)
        return Door(registry)

    monkeypatch.setattr(bridge_module, "_open_door", open_slowly)

    async def main() -> None:
        nonlocal known
        log = await open_postgres_log(database_url)
        await make_topics(log)
        source = MqttSource(MqttOptions(mosquitto.url, backoff_s_max=0.2))
        moving = Bridge(source, log, lambda: known, SystemClock(), QUICK, IngestMetrics())
        async with running(moving, source):
            await eventually(lambda: source.listening)
            async with Publisher(port_of(mosquitto.url)) as gateway:
                gateway.publish(0)
                await readings_reach(log, {0})
                more = KnownDevice("D-99", "G-1", REGISTRY.devices["D-0"].targets)
                known = replace(REGISTRY, devices={**REGISTRY.devices, "D-99": more}, version=2)
                gateway.publish(1)
                await readings_reach(log, {0, 1}, 10)
                assert await records_of(log, DEAD_LETTERS) == []
                built.set()
                await asyncio.sleep(0.5)
                gateway.publish(2, reading(2, 99))
                await readings_reach(log, {0, 1, 2}, 10)
        assert await records_of(log, DEAD_LETTERS) == []
        await log.close()

    try:
        asyncio.run(main())
    finally:
        built.set()


@pytest.mark.parametrize("qos", [0, 1])
def test_what_was_read_before_its_connection_was_let_go_does_not_overtake_what_comes_again(
    mosquitto: Mosquitto, database_url: str, qos: int
) -> None:
    """The second message is still being gathered when the append of the first is given up."""
    options = replace(QUICK, flush_s=1.5, flush_s_max=1.5, append_patience_s=0.5)

    async def main() -> None:
        log = await open_postgres_log(database_url)
        await make_topics(log)
        held = HeldLog(log)
        held.fail = True
        source = MqttSource(MqttOptions(mosquitto.url, backoff_s_max=0.2))
        async with running(bridge(source, held, options), source):
            await eventually(lambda: source.listening)
            async with Publisher(port_of(mosquitto.url)) as gateway:
                gateway.publish(0, qos=qos)
                await asyncio.wait_for(held.waiting.wait(), 10)
                gateway.publish(1, qos=qos)
                connection = source.generation
                await eventually(lambda: source.generation > connection)
                held.fail = False
                await readings_reach(log, {0, 1})
        records = [record for record in await records_of(log, READINGS) if record.kind == codec.BATCH]
        values = [value for record in records for value in codec.decode_batch(record.value).value.tolist()]
        assert values == [0.0, 1.0]
        await log.close()

    asyncio.run(main())
