"""Long names of every alphabet: what is set aside fits the log, and stops nobody's messages."""

import asyncio
import base64
import json

import pytest

from city.clock import SECOND_US, SystemClock
from city.topics import DEAD_LETTERS, READINGS, readings_topic
from ingest import bridge as bridge_module
from ingest.bridge import Bridge, BridgeOptions
from ingest.meta import FlushOptions
from ingest.metrics import IngestMetrics
from ingest.records import Flush
from ingest.replay import resolve_letter
from ingest.web import door as door_module
from ingest.web.door import Door
from ingest.web.metrics import WebMetrics
from stream import codec
from stream.codec import DeadLetter, RecordMeta
from stream.letter_form import decode_letter, encode_letter, letters_within
from stream.log import Append, EventLog
from stream.logs.postgres import open_postgres_log
from stream.logs.postgres_rows import PostgresLogOptions
from tests.ingest.conftest import OpenSource
from tests.ingest.world import Publisher, eventually, make_topics, reading, records_of, registry, running

NOW = 1_795_456_800 * SECOND_US
OPTIONS = FlushOptions(12, 2, 1 << 20)
REGISTRY = registry()
BEGINNINGS = {
    "accents": "é" * 120,
    "emoji": "😀" * 120,
    "quotes": '"' * 120,
    "backslashes": "\\" * 120,
    "plain": "a" * 120,
}
TOPIC = "citynerve/v1/G-1/thingsboard"


def mixed(beginning: str, size: int = 255 * 1024) -> bytes:
    """Return a message of one good reading, and as many readings as fit whose names begin long."""
    one = json.dumps({beginning: {f"{i:03d}": 1 for i in range(60)}}, ensure_ascii=False, separators=(",", ":"))
    count = size // (len(one.encode()) + 1)
    return ('{"D-0":[{"active_power_w":5},' + ",".join([one] * count) + "]}").encode()


def letters_of(records: list[Append]) -> list[DeadLetter]:
    return [decode_letter(record.value) for record in records if record.topic == DEAD_LETTERS]


@pytest.mark.parametrize("alphabet", BEGINNINGS)
def test_a_mixed_message_of_long_names_becomes_one_letter_that_fits(alphabet: str) -> None:
    flush = Flush(REGISTRY, NOW, OPTIONS)
    payload = mixed(BEGINNINGS[alphabet])
    flush.add(TOPIC, payload)
    records = flush.records()
    (letter,) = letters_of(records)
    assert max(len(record.value) for record in records) <= OPTIONS.record_bytes_max
    assert len(letter.only) == letter.units == flush.quarantined["unknown-metric"] > 10_000
    assert base64.b64decode(letter.payload) == payload
    looked = resolve_letter(letter, REGISTRY)
    assert (looked.reason, looked.readings) == ("unknown-metric", {}), "the good reading is not read twice"


def test_unknown_devices_of_long_names_fit_as_well() -> None:
    body = {f"{'é' * 120}{i:03d}": [{f"a{k}": 1 for k in range(60)}] for i in range(250)}
    flush = Flush(REGISTRY, NOW, OPTIONS)
    flush.add(TOPIC, json.dumps({"D-0": [{"active_power_w": 5}], **body}, ensure_ascii=False).encode())
    (letter,) = letters_of(flush.records())
    assert len(encode_letter(letter)) <= OPTIONS.record_bytes_max
    assert len(letter.devices) > 50


@pytest.mark.parametrize("limit", [40_000, 200_000, 1 << 20])
@pytest.mark.parametrize("kept", [0, 1_000, 300_000])
def test_whatever_a_letter_holds_it_fits_and_every_name_is_there_once(limit: int, kept: int) -> None:
    names = tuple((n, f"{n:x}{'é' * (n % 120)}") for n in range(4_000))
    letter = DeadLetter("r", "d" * 5_000, "\x01" * 60_000, "", "G-1", NOW, len(names), names, ("ü" * 120,) * 300)
    parts = list(letters_within(letter, b"x" * kept, limit))
    assert all(len(value) <= limit for _, value in parts)
    assert tuple(name for part, _ in parts for name in part.only) == names
    assert all(decode_letter(value) == part and part.units == len(part.only) for part, value in parts)
    assert all("bytes are kept" in part.detail for part, _ in parts if len(part.payload) * 3 // 4 < kept)


def test_names_that_are_few_stand_in_the_letter_as_ever() -> None:
    letter = DeadLetter("r", "d", "t", "", "G-1", NOW, 1, ((0, "tensión"),))
    assert codec.decode(DeadLetter, encode_letter(letter)) == letter


async def accounted(log: EventLog) -> dict[str, int]:
    """Return topic → units that the summaries of its records count."""
    told = {}
    for topic in (READINGS, DEAD_LETTERS):
        metas = [codec.decode(RecordMeta, record.meta) for record in await records_of(log, topic) if record.meta]
        told[topic] = sum(count.count for meta in metas for count in meta.counts)
    return told


@pytest.mark.parametrize("alphabet", ["accents", "emoji", "quotes"])
def test_the_bridge_takes_them_and_goes_on(open_source: OpenSource, database_url: str, alphabet: str) -> None:
    asyncio.run(through_the_bridge(open_source, database_url, 1 << 20, BEGINNINGS[alphabet]))


def test_a_log_that_takes_less_than_it_said_gets_it_in_pieces(
    open_source: OpenSource, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(monkeypatch, bridge_module)
    larger = asyncio.run(through_the_bridge(open_source, database_url, 200_000, BEGINNINGS["accents"]))
    assert larger >= 1


def said(monkeypatch: pytest.MonkeyPatch, module: object) -> None:
    async def limits_of(log: EventLog, stop: asyncio.Event) -> FlushOptions:
        return OPTIONS

    monkeypatch.setattr(module, "limits_of", limits_of)


async def through_the_bridge(open_source: OpenSource, database_url: str, limit: int, beginning: str) -> float:
    metrics = IngestMetrics()
    async with open_source() as (source, port):
        log = await open_postgres_log(database_url, PostgresLogOptions(max_record_bytes=limit))
        await make_topics(log)
        options = BridgeOptions(append_patience_s=1.0, backoff_s_max=0.2)
        bridge = Bridge(source, log, lambda: REGISTRY, SystemClock(), options, metrics)
        async with running(bridge, source):
            await eventually(lambda: source.listening, 60)
            async with Publisher(port) as gateway:
                gateway.publish(0, mixed(beginning), topic=TOPIC)
                gateway.publish(1, reading(1))
                await eventually(lambda: metrics.messages._value.get() >= 2, 60)
        told = await accounted(log)
        letters = [decode_letter(record.value) for record in await records_of(log, DEAD_LETTERS)]
        await log.close()
    assert told[DEAD_LETTERS] == sum(letter.units for letter in letters) > 10_000
    assert told[READINGS] >= 2, "the good reading of the same message, and the innocent gateway's"
    return float(metrics.too_large._value.get())


@pytest.mark.parametrize(("limit", "larger"), [(1 << 20, 0), (200_000, 1)])
def test_the_door_for_https_takes_them_and_stays_open(
    database_url: str, monkeypatch: pytest.MonkeyPatch, limit: int, larger: int
) -> None:
    said(monkeypatch, door_module)

    async def main() -> None:
        log = await open_postgres_log(database_url, PostgresLogOptions(max_record_bytes=limit))
        await make_topics(log)
        metrics, stop = WebMetrics(), asyncio.Event()
        door = Door(log, lambda: REGISTRY, SystemClock(), metrics=metrics)
        task = asyncio.create_task(door.run(stop))
        await eventually(lambda: door._open)
        taken = [
            door.take("G-1", TOPIC, mixed(BEGINNINGS["emoji"])),
            door.take("G-2", readings_topic("G-2"), reading(1)),
        ]
        poison, innocent = await asyncio.gather(*taken)
        assert poison.readings == 1
        assert poison.set_aside["unknown-metric"] > 10_000
        assert innocent.readings + sum(innocent.set_aside.values()) > 0
        assert (await door.take("G-1", readings_topic("G-1"), reading(2))).readings > 0, "it is open still"
        assert metrics.too_large._value.get() >= larger
        stop.set()
        await task
        assert (await accounted(log))[DEAD_LETTERS] >= poison.set_aside["unknown-metric"]
        await log.close()

    asyncio.run(main())
