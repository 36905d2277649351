"""Sparkplug nodes at a real broker: asked for births, their letters replayed, and heard by one process alone."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import paho.mqtt.client as mqtt
import psycopg
import pytest

from city.clock import SystemClock
from city.errors import EngineError
from city.integration import Integration, Routes
from city.registry import IngestRegistry, KnownDevice, SeriesTarget
from city.topics import DEAD_LETTERS, READINGS
from ingest.births import BirthStore, load_book
from ingest.bridge import Bridge, BridgeOptions
from ingest.bundle import Bundled, bundle_topic, pack
from ingest.division import Split
from ingest.formats import Formats
from ingest.formats.sparkplug_births import Birth, BirthTold, Definition
from ingest.latecomers import Latecomers
from ingest.message import OWN_FILTERS
from ingest.metrics import IngestMetrics
from ingest.mqtt_session import MqttOptions
from ingest.records import Flush, FlushOptions
from ingest.redeliver import Redelivery
from ingest.registry import RegistryFollower
from ingest.service import Ingest, IngestOptions
from ingest.source import MqttSource
from stream import codec
from stream.deadletter import DeadLetterStage
from stream.log import Append, EventLog
from stream.logs.postgres import open_postgres_log
from tests.ingest.conftest import OpenSource, listening
from tests.ingest.formats.packs import example, payload_of
from tests.ingest.formats.sparkplug_encoder import AT_MS, Payload, bd_seq, payload
from tests.ingest.formats.test_through_the_broker import register
from tests.ingest.test_service import pool_of
from tests.ingest.world import HeldLog, Publisher, eventually, make_topics, port_of, records_of, running, take_all
from tests.stream.harness import drive, rows
from tests.support.fix_mosquitto import Mosquitto

EXAMPLE = example("sparkplug-b")
BIRTHS = [(message["topic"], payload_of(message)) for message in EXAMPLE["messages"][:2]]
NDATA, DDATA = "spBv1.0/city/NDATA/EDGE-1", "spBv1.0/city/DDATA/EDGE-1/meter"
LETTER = """
INSERT INTO dead_letters
    (letter_id, reason, detail, topic, payload, gateway_id, received_at, hour, units, only_readings)
VALUES ('x', 'no-birth', '', 'spBv1.0/g/DDATA/e/d', '', '', now(), now(), 1, '[]')
"""
BUNDLE = """
INSERT INTO dead_letters
    (letter_id, reason, detail, topic, payload, gateway_id, received_at, hour, units, only_readings)
VALUES (%s, 'isolated', '', %s, %s, 'G-1', now(), now(), 2, '[]')
"""
FILTERS_OF_PACK = ["spBv1.0/{group}/{type}/{edge}", "spBv1.0/{group}/{type}/{edge}/{device}"]
FILTERS = ["spBv1.0/+/+/+", "spBv1.0/+/+/+/+"]


class EdgeNode:
    """A node that answers the host's requests with its births."""

    def __init__(self, port: int, *, answers: bool) -> None:
        self.asked: list[bytes] = []
        self._answers = answers
        self._ready = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "edge-1")
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("spBv1.0/city/NCMD/EDGE-1", 1)
        self._client.loop_start()
        assert self._ready.wait(10)

    def send(self, topic: str, body: bytes) -> None:
        self._client.publish(topic, body, qos=0)

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.asked.append(message.payload)
        if self._answers:
            for topic, body in BIRTHS:
                self.send(topic, body)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


async def values_on(log: EventLog) -> list[float]:
    found: list[float] = []
    for record in await records_of(log, READINGS):
        if record.kind == codec.BATCH:
            found += codec.decode_batch(record.value).value.tolist()
    return found


async def until(log: EventLog, count: int) -> None:
    """Wait until so many readings are on the log."""
    async with asyncio.timeout(20):
        while len(await values_on(log)) < count:  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.05)


def test_a_node_whose_birth_is_unknown_is_asked_and_what_it_had_said_comes_back(
    open_source: OpenSource, database_url: str
) -> None:
    async def main() -> None:
        async with open_source() as (source, port), pool_of(database_url) as pool:
            await register(pool, EXAMPLE)
            log = await open_postgres_log(pool)
            await make_topics(log)
            async with running(Ingest(source, log, pool, SystemClock(), IngestOptions(database_url, 0.1))):
                await eventually(lambda: source.listening)
                await asyncio.sleep(0.5)
                node = await asyncio.to_thread(EdgeNode, port, answers=True)
                node.send(DDATA, payload({"alias": 3, "double_value": 0.25, "timestamp": AT_MS - 7000}, seq=9))
                await eventually(lambda: len(node.asked) == 1)
                await until(log, 4)
                await asyncio.to_thread(node.close)
            [metric] = Payload.FromString(node.asked[0]).metrics
            assert (metric.name, metric.boolean_value) == ("Node Control/Rebirth", True)
            letters = await records_of(log, DEAD_LETTERS)
            assert [codec.decode(codec.DeadLetter, r.value).reason for r in letters] == ["no-birth"]
            await drive(pool, DeadLetterStage(log.identity), *letters)
            [(letter_id,)] = await rows(pool, "SELECT letter_id FROM dead_letters")
            again = Redelivery(pool, log, SystemClock(), RegistryFollower(pool))
            report = await again.replay([letter_id], "operator")
            assert (report.readings, report.still_bad) == (1, 0)
            assert 250.0 in await values_on(log), "0.25 kW by the unit of the birth"
            await log.close()

    asyncio.run(main())


class BrokenLog(HeldLog):
    """A real log that takes nothing while the test says so."""

    broken = False

    async def append(self, records: Sequence[Append]) -> list[int]:
        if self.broken:
            raise EngineError("broken by the test")
        return await super().append(records)


def test_after_an_append_that_failed_data_are_read_by_the_birth_that_they_followed(
    open_source: OpenSource, database_url: str
) -> None:
    targets = {name: SeriesTarget(number, 0, -1e9, 1e9) for number, name in enumerate(("volts", "other"))}
    routes = Routes((Integration("plant", "sparkplug-b", tuple(FILTERS_OF_PACK), "{edge}"),))
    known = IngestRegistry({"EDGE-1": 1}, {"EDGE-1": KnownDevice("D", "EDGE-1", targets)}, 1, routes)

    def birth(name: str, number: int) -> bytes:
        metric = {"name": name, "alias": 1, "datatype": 9, "float_value": number * 1.0, "timestamp": AT_MS + number}
        return payload(bd_seq(number), metric, timestamp=AT_MS + number)

    def data(value: float) -> bytes:
        return payload({"alias": 1, "float_value": value, "timestamp": AT_MS + int(value)}, seq=1)

    async def main() -> None:
        async with open_source() as (source, port), pool_of(database_url) as pool:
            log = BrokenLog(await open_postgres_log(pool))
            await make_topics(log)  # type: ignore[arg-type]
            source.listen([*OWN_FILTERS, *FILTERS], [], FILTERS)
            quick = BridgeOptions(append_patience_s=0.5, backoff_s_max=0.1)
            bridge = Bridge(source, log, lambda: known, SystemClock(), quick, IngestMetrics())  # type: ignore[arg-type]
            async with running(bridge, source):
                await eventually(lambda: source.listening)
                await asyncio.sleep(0.3)
                async with Publisher(port) as node:
                    node.publish(1, birth("volts", 1), topic="spBv1.0/city/NBIRTH/EDGE-1")
                    await until(log, 1)  # type: ignore[arg-type]
                    log.broken = True
                    node.publish(2, data(20), topic=NDATA)
                    await asyncio.sleep(0.1)
                    node.publish(3, birth("other", 3), topic="spBv1.0/city/NBIRTH/EDGE-1")
                    node.publish(4, data(40), topic=NDATA)
                    await asyncio.sleep(1.5)
                    log.broken = False
                    await until(log, 4)  # type: ignore[arg-type]
            batches = [codec.decode_batch(r.value) for r in await records_of(log, READINGS)]  # type: ignore[arg-type]
            found = {
                (series, value) for b in batches for series, value in zip(b.series_id.tolist(), b.value, strict=True)
            }
            assert found == {(0, 1.0), (0, 20.0), (1, 3.0), (1, 40.0)}
            assert await records_of(log, DEAD_LETTERS) == []  # type: ignore[arg-type]

    asyncio.run(main())


def test_births_are_kept_once_for_as_long_as_they_say_the_same(database_url: str) -> None:
    def told(name: str, at: int) -> BirthTold:
        return BirthTold(("g", "e"), "d", Birth({name: Definition(9, "V")}, {2**64 - 1: name}), at, at)

    async def main() -> None:
        async with pool_of(database_url) as pool:
            store = BirthStore(pool)
            second = 1_000_000
            start = AT_MS * 1000
            for number, name in enumerate(["a", "a", "b", "b", "a", *(f"c{n}" for n in range(30))]):
                await store.write([told(name, start + number * second)])
            kept = await rows(pool, "SELECT count(*) FROM sparkplug_births")
            assert kept == [(20,)]
            with psycopg.connect(database_url, autocommit=True) as connection:
                connection.execute("TRUNCATE sparkplug_births")
            await store.write([told("a", start)])
            await store.write([told("a", start + second)])
            spans = await rows(pool, "SELECT extract(epoch FROM last_at - first_at)::int FROM sparkplug_births")
            assert spans == [(1,)]
            with psycopg.connect(database_url, autocommit=True) as connection:
                connection.execute(LETTER)
            async with pool.connection() as connection:
                book = await load_book(connection, ["x", "y"])
            found = book.birth_for(("g", "e"), "d", start + second // 2, unborn=True)
            assert found == told("a", 0).birth

    asyncio.run(main())


def test_births_of_nodes_whose_messages_lie_in_a_bundle_are_found(database_url: str) -> None:
    data = payload({"alias": 1, "float_value": 2.0}, seq=7)
    messages = [Bundled("citynerve/v1/G-1/readings", b"{}", False), Bundled("spBv1.0/g/DDATA/e/d", data, False)]
    [(packed, _)] = pack(messages, 1 << 20)
    birth = Birth({"volts": Definition(9, "")}, {1: "volts"})

    async def main() -> None:
        async with pool_of(database_url) as pool:
            await BirthStore(pool).write([BirthTold(("g", "e"), "d", birth, AT_MS * 1000, AT_MS * 1000)])
            await BirthStore(pool).write([BirthTold(("other", "e"), "d", birth, AT_MS * 1000, AT_MS * 1000)])
            with psycopg.connect(database_url, autocommit=True) as connection:
                for letter_id, body in (("bundle", packed), ("broken", b"not a bundle")):
                    connection.execute(BUNDLE, (letter_id, bundle_topic("G-1"), body))
            async with pool.connection() as connection:
                book = await load_book(connection, ["bundle", "broken"])
            assert book.birth_for(("g", "e"), "d", AT_MS * 1000, unborn=True) == birth
            assert book.birth_for(("other", "e"), "d", AT_MS * 1000, unborn=True) is None

    asyncio.run(main())


def test_messages_of_an_isolated_node_come_back_by_the_births_among_them(database_url: str) -> None:
    """Births and data lie in bundles of several flushes: each is read by what was told before it, if that is known."""
    at, second = AT_MS * 1000, 1_000_000

    async def main() -> None:
        async with pool_of(database_url) as pool:
            await register(pool, EXAMPLE)
            log = await open_postgres_log(pool)
            await make_topics(log)
            follower = RegistryFollower(pool)
            await follower.refresh()
            limits = FlushOptions(await log.partitions(READINGS), await log.partitions(DEAD_LETTERS), 1 << 20)
            formats = Formats()

            async def isolated(number: int, *messages: tuple[str, bytes]) -> None:
                flush = Flush(follower.current(), at + number * second, limits, formats)
                flush.isolate("EDGE-1", [Bundled(topic, body, False) for topic, body in messages])
                await log.append(flush.records())
                await BirthStore(pool).write(formats.sessions.take_changes().births)

            def kilowatts(value: float, seq: int, ms: int) -> tuple[str, bytes]:
                return DDATA, payload({"alias": 3, "double_value": value, "timestamp": AT_MS + ms}, seq=seq)

            await isolated(0, *BIRTHS, kilowatts(0.25, 2, 1))
            await isolated(1, kilowatts(0.5, 3, 2))
            await isolated(2, *BIRTHS, kilowatts(0.75, 2, 3))
            await drive(pool, DeadLetterStage(log.identity), *await records_of(log, DEAD_LETTERS))
            ids = [letter_id for (letter_id,) in await rows(pool, "SELECT letter_id FROM dead_letters ORDER BY 1")]
            report = await Redelivery(pool, log, SystemClock(), follower).replay(ids, "operator")
            assert (report.letters, report.still_bad) == (3, 0)
            assert {250.0, 500.0, 750.0} <= set(await values_on(log)), "kilowatts by the births' alias and unit"
            await log.close()

    asyncio.run(main())


def test_what_waits_for_a_birth_comes_back_by_itself_once_it_is_there(database_url: str) -> None:
    at, second = AT_MS * 1000, 1_000_000

    async def main() -> None:
        async with pool_of(database_url) as pool:
            await register(pool, EXAMPLE)
            log = await open_postgres_log(pool)
            await make_topics(log)
            follower = RegistryFollower(pool)
            await follower.refresh()
            limits = FlushOptions(await log.partitions(READINGS), await log.partitions(DEAD_LETTERS), 1 << 20)
            formats = Formats()

            async def received(number: int, *messages: tuple[str, bytes]) -> None:
                flush = Flush(follower.current(), at + number * second, limits, formats)
                for topic, body in messages:
                    flush.add(topic, body)
                await log.append(flush.records())
                await BirthStore(pool).write(formats.sessions.take_changes().births)

            power = {"name": "power", "datatype": 10, "double_value": 1.25, "timestamp": AT_MS - 9}
            await received(0, (DDATA, payload(power, seq=9)))
            await drive(pool, DeadLetterStage(log.identity), *await records_of(log, DEAD_LETTERS))
            assert await rows(pool, "SELECT reason FROM dead_letters WHERE state = 'open'") == [("no-birth",)]
            late = Latecomers(pool, log, SystemClock())
            assert await late.look() == 0, "nothing to read it by"
            await received(5, *BIRTHS)
            assert await late.look() == 1
            assert 1250.0 in await values_on(log)
            assert await late.look() == 0
            await log.close()

    asyncio.run(main())


def test_a_database_that_is_away_holds_no_acknowledgement_up_and_gets_the_newest_births_later(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    def told(at: int) -> BirthTold:
        return BirthTold(("g", "e"), "", Birth({"a": Definition(9, "")}, {}), at, at)

    async def main() -> None:
        async with pool_of(database_url) as pool:
            store = BirthStore(pool, answer_s=0.3, retry_s=0.0)
            with psycopg.connect(database_url) as connection:
                connection.execute("LOCK TABLE sparkplug_births")
                await store.write([told(AT_MS * 1000)])
            assert "births of Sparkplug nodes wait" in caplog.text
            assert store.waiting
            await store.write([told(AT_MS * 1000 + 1)])
            assert not store.waiting
            assert await rows(pool, "SELECT count(*) FROM sparkplug_births") == [(1,)]

    asyncio.run(main())


def test_of_sources_that_share_only_the_one_that_leads_hears_what_must_stay_in_order(mosquitto: Mosquitto) -> None:
    async def main() -> None:
        one, two = (
            MqttSource(MqttOptions(mosquitto.url, client_id=f"ingest-{name}", share="city"), IngestMetrics())
            for name in ("one", "two")
        )
        one.listen([*OWN_FILTERS, *FILTERS], [], FILTERS)
        two.listen(OWN_FILTERS, FILTERS, FILTERS)
        async with running(one), running(two), Publisher(port_of(mosquitto.url)) as publisher:
            await asyncio.gather(listening(one), listening(two))
            await asyncio.sleep(0.3)
            for number in range(20):
                publisher.publish(number, topic=NDATA)
            assert [m.topic for m in await take_all(one, 20)] == [NDATA] * 20
            assert len(await two.take(max_messages=100, wait_s=0.3, gather_s=0.0)) == 0
            one.listen(OWN_FILTERS, FILTERS, FILTERS)
            two.listen([*OWN_FILTERS, *FILTERS], [], FILTERS)
            await asyncio.sleep(0.3)
            await two.reconnect()
            await asyncio.sleep(0.1)
            await listening(two)
            await asyncio.sleep(0.5)
            for number in range(20):
                publisher.publish(number, topic=DDATA)
            assert [m.topic for m in await take_all(two, 20)] == [DDATA] * 20
            assert len(await one.take(max_messages=100, wait_s=0.3, gather_s=0.0)) == 0

    asyncio.run(main())


@pytest.mark.parametrize("way", ["share", "split"])
def test_of_several_ingest_processes_one_reads_the_nodes_and_another_takes_over(
    way: str, mosquitto: Mosquitto, database_url: str
) -> None:
    async def main() -> None:
        async with pool_of(database_url) as pool:
            await register(pool, EXAMPLE)
            log = await open_postgres_log(pool)
            await make_topics(log)

            def ingest(number: int) -> Ingest:
                share = "city" if way == "share" else ""
                source = MqttSource(
                    MqttOptions(mosquitto.url, client_id=f"ingest-{number}", share=share), IngestMetrics()
                )
                split = Split(f"{number}/2") if way == "split" else None
                options = IngestOptions(database_url, 0.1, split=split)
                return Ingest(source, log, pool, SystemClock(), options)

            stop = asyncio.Event()
            first = asyncio.create_task(ingest(1).run(stop))
            await asyncio.sleep(2.5)
            async with running(ingest(2)):
                await asyncio.sleep(2.0)
                node = await asyncio.to_thread(EdgeNode, port_of(mosquitto.url), answers=True)
                for topic, body in BIRTHS:
                    node.send(topic, body)
                await until(log, 4)
                await asyncio.sleep(0.5)
                counted = len(await values_on(log))
                assert counted == 4, "every value once"
                stop.set()
                await asyncio.wait_for(first, 30)
                await asyncio.sleep(3.0)
                node.send(NDATA, payload({"alias": 1, "boolean_value": True}, seq=2))
                await eventually(lambda: len(node.asked) == 1)
                await asyncio.to_thread(node.close)
            assert len(await records_of(log, DEAD_LETTERS)) == 1
            await log.close()

    asyncio.run(main())
