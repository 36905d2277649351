"""What devices and gateways had sent in bundles of isolated gateways comes into place once they are known."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, LiteralString

import pytest

from city.asset import Device
from city.clock import HOUR_US, MINUTE_US, ManualClock
from city.packlists import ListedDevice
from city.profile import parse_pack
from city.topics import DEAD_LETTERS, READINGS, readings_topic
from ingest.bundle import Bundled
from ingest.claims import Claimed
from ingest.latecomers import Latecomers
from ingest.meta import FlushOptions
from ingest.records import Flush
from ingest.redeliver import Redelivery
from ingest.registrar import Registrar
from ingest.registry import RegistryFollower
from storage.layout import apply_layout
from storage.pool import Pool, open_pool
from stream.accounts import Balance, check_balance
from stream.deadletter import DeadLetterStage
from stream.ledger import LedgerStage
from stream.letters import LetterQuery, LetterSummary, list_letters
from stream.log import EventLog, Record, TopicPartition
from stream.registry import import_pack, load_ingest_registry
from stream.store import StoreStage
from stream.worker import Stage
from tests.city.packs import SMALL, changed
from tests.stream.harness import drive
from tests.support.fix_log import LogEngine, PostgresEngine

NOW = 1_795_435_200_000_000
PARTITIONS = {READINGS: 3, DEAD_LETTERS: 2}


class City:
    """The small pack's city with an operator's desk, and the sinks behind its log."""

    def __init__(self, pool: Pool, log: EventLog) -> None:
        self.pool, self.log, self.clock = pool, log, ManualClock(NOW)
        redelivery = Redelivery(pool, log, self.clock, RegistryFollower(pool))
        self.registrar = Registrar(pool, log, self.clock, redelivery)
        self.redelivery = redelivery
        self.late = Latecomers(pool, log, self.clock)
        self._stages: list[Stage[Any]] = [DeadLetterStage(log.identity), LedgerStage(), StoreStage()]
        self._next: dict[tuple[str, TopicPartition], int] = {}

    async def isolate(self, gateway: str, *messages: Bundled, at: int = NOW - MINUTE_US) -> None:
        """Let messages of an isolated gateway go aside; an empty name stands for all that nobody knows."""
        async with self.pool.connection() as connection:
            known = await load_ingest_registry(connection)
        flush = Flush(known, at, FlushOptions(PARTITIONS[READINGS], PARTITIONS[DEAD_LETTERS], 1_000_000))
        flush.isolate(gateway, messages)
        await self.log.append(flush.records())
        await self.settle()

    async def settle(self) -> Balance:
        """Let every sink read all that is there; the ledger balances after each."""
        for stage in self._stages:
            taken: list[Record] = []
            for topic in stage.topics:
                for partition in range(PARTITIONS[topic]):
                    source = TopicPartition(topic, partition)
                    records = await self.log.read(source, self._next.get((stage.group, source), 0), max_records=5_000)
                    if records:
                        self._next[stage.group, source] = records[-1].offset + 1
                    taken += records
            if taken:
                await drive(self.pool, stage, *taken)
            balance = await self.balance()
        return balance

    async def balance(self) -> Balance:
        async with self.pool.connection() as connection:
            balance = await check_balance(connection)
        assert (balance.broken, balance.in_flight >= 0) == (0, True)
        return balance

    async def claim(self, name: str, device: str, *, gateway: str = "GW-1", profile: str = "lamp") -> Claimed:
        listed = ListedDevice(0, Device(device, "L-1", gateway, profile, name))
        done = (await self.registrar.claim(listed, "operator"))[1]
        await self.balance()
        await self.settle()
        return done

    async def add_gateway(self, *names: str) -> None:
        csv = "".join(f"{name},Nueve,43.5,-5.6,centre\n" for name in names)
        await self.registrar.import_gateways("gateway_id,name,lat,lon,district_id\n" + csv, "operator")
        await self.settle()

    async def letters(self) -> list[LetterSummary]:
        async with self.pool.connection() as connection:
            return (await list_letters(connection, LetterQuery())).items

    async def look(self) -> int:
        done = await self.late.look()
        await self.settle()
        return done

    async def rows(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        async with self.pool.connection() as connection:
            cursor = await connection.execute(statement)
            return await cursor.fetchall() if cursor.description else []

    async def stored(self, device: str) -> list[float]:
        found = await self.rows("SELECT device_id, value FROM readings JOIN series USING (series_id) ORDER BY 1, 2")
        return [value for name, value in found if name == device]


def said(*devices: str, value: float, gateway: str = "GW-1", number: int | None = None) -> Bundled:
    """Return a message with one reading of each device."""
    at = NOW // 1000 - 120_000 - int(value) * 1000
    readings = [{"device": device, "at": at, "active_power_w": value} for device in devices]
    body: dict[str, Any] = {"readings": readings} if number is None else {"n": number, "readings": readings}
    return Bundled(readings_topic(gateway), json.dumps(body).encode(), False)


def in_the_city(engine: LogEngine, url: str, main: Callable[[City], Awaitable[None]]) -> None:
    async def opened() -> None:
        async with await open_pool(url) as pool, engine.open() as log:
            await log.create_topics(PARTITIONS | {"candidates": 1, "alarms": 1, "tickets": 1})
            async with pool.connection() as connection:
                await apply_layout(connection, "Europe/Madrid", None)
                await import_pack(connection, parse_pack(SMALL), PARTITIONS[READINGS], at_us=NOW - 24 * HOUR_US)
            await main(City(pool, log))

    asyncio.run(opened())


BROKEN = Bundled(readings_topic("GW-1"), b"{", False)


def test_what_a_claimed_device_sent_in_bundles_comes_into_place_once_and_the_rest_stays(
    log_engine: LogEngine, database_url: str
) -> None:
    async def main(city: City) -> None:
        both = said("N-L-1", "A84041", "N-L-9", value=12)
        await city.isolate("GW-1", said("A84041", value=11), both, said("N-L-1", value=13), BROKEN)
        before = await city.settle()
        assert (before.appended, before.quarantined, before.stored) == (4, 4, 0)
        done = await city.claim("A84041", "X-1")
        assert (done.letters, done.readings, done.still_bad, done.complete) == (1, 2, 0, True)
        assert (await city.stored("X-1"), await city.stored("N-L-1")) == ([11.0, 12.0], [])
        (left,) = await city.letters()
        assert (left.reason, left.open_units, left.tries) == ("isolated", 3, 1)
        assert left.only == ((1, "0 active_power_w"), (1, "2 active_power_w"), (2, ""), (3, ""))
        assert "nothing is lost" in left.detail
        now = await city.settle()
        assert (now.stored, now.quarantined, now.duplicate, now.in_flight) == (2, 3, 0, 0)
        assert (await city.claim("A84041", "X-1")).readings == 0
        assert await city.look() == 0
        await city.rows("UPDATE dead_letters SET opened_to = 0")
        assert await city.look() == 0, "killed before it was noted, a bundle gives nothing twice"
        await city.redelivery.replay([left.letter_id], "operator")
        assert (await city.settle()).duplicate == 0
        assert (await city.stored("X-1"), await city.stored("N-L-1")) == ([11.0, 12.0], [12.0, 13.0])
        assert await city.claim("N-L-9", "X-9") == Claimed(1, 1, 1), "replayed by hand it says whom it waits for"
        assert await city.stored("X-9") == [12.0]
        last = await city.settle()
        assert (last.appended, last.stored, last.quarantined, last.duplicate) == (6, 5, 1, 0)

    in_the_city(log_engine, database_url, main)


def test_bundles_that_come_around_a_claim_or_are_too_many_for_it_follow_by_themselves(
    log_engine: LogEngine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(city: City) -> None:
        for value in range(25):
            await city.isolate("GW-1", said("A84041", value=value), said("N-L-1", value=value))
        monkeypatch.setattr("ingest.claims.REPLAY_S", 0.0)
        assert await city.claim("A84041", "X-1") == Claimed(complete=False)
        await city.isolate("GW-1", said("A84041", value=25))
        assert await city.look() == 26
        assert await city.stored("X-1") == [float(value) for value in range(26)]
        assert await city.stored("N-L-1") == []
        city.clock.advance(3600)
        await city.isolate("GW-1", said("A84041", value=30), at=NOW + MINUTE_US)
        assert await city.look() == 0
        assert {one.tries for one in await city.letters()} == {0, 1}, "what came after the claim is the flood's"
        csv = "device_id,asset_id,gateway_id,profile_id,address\nX-2,L-2,GW-1,lamp,A2\n"
        await city.registrar.import_devices(csv, "operator")
        assert await city.look() == 0
        assert await city.stored("X-1") == [float(value) for value in range(26)]

    in_the_city(log_engine, database_url, main)


@pytest.fixture
def postgres(database_url: str) -> PostgresEngine:
    return PostgresEngine(database_url)


def test_only_bundles_of_the_devices_own_gateway_are_opened(postgres: PostgresEngine, database_url: str) -> None:
    async def main(city: City) -> None:
        await city.isolate("GW-2", said("A84041", value=1, gateway="GW-2"))
        await city.isolate("GW-1", said("A84041", value=2, gateway="GW-2"), said("A84041", value=3))
        await city.claim("A84041", "X-1")
        assert await city.stored("X-1") == [3.0]
        assert {(one.gateway_id, one.tries, one.reason) for one in await city.letters()} == {
            ("GW-1", 1, "isolated"),
            ("GW-2", 0, "isolated"),
        }
        await city.registrar.retire("X-1", "operator")
        await city.claim("A84041", "X-1", gateway="GW-2")
        assert await city.stored("X-1") == [1.0, 3.0], "behind another gateway it is a newcomer there"

    in_the_city(postgres, database_url, main)


def test_hostile_bundles_do_not_stop_those_of_others(postgres: PostgresEngine, database_url: str) -> None:
    async def main(city: City) -> None:
        for _ in range(30):
            await city.isolate(
                "GW-1", BROKEN, Bundled(readings_topic("GW-1"), b'{"readings": [{"device": []}]}', False)
            )
        await city.rows(
            "UPDATE dead_letters SET payload = 'no bundle' WHERE letter_id < (SELECT max(letter_id) FROM dead_letters)"
        )
        await city.isolate("GW-1", said("A84041", value=1))
        await city.isolate("GW-2", said("A2", value=2, gateway="GW-2"))
        csv = "device_id,asset_id,gateway_id,profile_id,address\nX-1,L-1,GW-1,lamp,A84041\nX-2,L-2,GW-2,lamp,A2\n"
        await city.registrar.import_devices(csv, "operator")
        assert await city.look() == 2
        assert (await city.stored("X-1"), await city.stored("X-2")) == ([1.0], [2.0])
        kept = await city.letters()
        assert {(one.reason, one.tries, one.open_units) for one in kept} == {("isolated", 1, 2)}
        await city.look()
        assert {one.tries for one in await city.letters()} == {1}, "each is opened once"

    in_the_city(postgres, database_url, main)


def test_a_newcomers_readings_that_fit_no_profile_stay_until_it_is_mended(
    postgres: PostgresEngine, database_url: str
) -> None:
    async def main(city: City) -> None:
        await city.isolate("GW-1", said("A84041", value=1), said("N-L-1", value=2))
        done = await city.claim("A84041", "X-1", profile="room")
        assert (done.letters, done.readings, done.still_bad) == (1, 0, 1)
        (left,) = await city.letters()
        assert (left.reason, left.open_units) == ("isolated", 2)
        assert left.detail.endswith("known since, some cannot be placed: X-1 has no metric active_power_w")
        csv = "device_id,asset_id,gateway_id,profile_id,address\nX-1,L-1,GW-1,lamp,A84041\n"
        await city.registrar.import_devices(csv, "operator")
        assert await city.look() == 1
        assert await city.stored("X-1") == [1.0]
        (left,) = await city.letters()
        assert (left.reason, left.open_units, left.detail.endswith("nothing is lost")) == ("isolated", 1, True)

    in_the_city(postgres, database_url, main)


def test_what_unknown_gateways_sent_together_comes_for_each_of_them_when_it_is_added(
    log_engine: LogEngine, database_url: str
) -> None:
    async def main(city: City) -> None:
        eight = [said("A8", value=8, gateway="GW-8")]
        nine = [said("A9", value=9, gateway="GW-9"), said("B9", value=10, gateway="GW-9")]
        await city.isolate("", *nine, *eight)
        await city.add_gateway("GW-9")
        assert [one.reason for one in await city.letters()] == ["unknown-device"]
        await city.claim("A9", "X-9", gateway="GW-9")
        await city.add_gateway("GW-8")
        await city.claim("A8", "X-8", gateway="GW-8")
        assert (await city.stored("X-8"), await city.stored("X-9")) == ([8.0], [9.0])
        balance = await city.settle()
        assert (balance.stored, balance.quarantined, balance.duplicate) == (2, 1, 0)

    in_the_city(log_engine, database_url, main)


def test_what_a_pack_brings_is_a_newcomer_like_what_an_operator_adds(
    postgres: PostgresEngine, database_url: str
) -> None:
    async def take(city: City, files: dict[str, str], at_us: int) -> None:
        async with city.pool.connection() as connection:
            await import_pack(connection, parse_pack(files), PARTITIONS[READINGS], at_us=at_us)

    async def main(city: City) -> None:
        before, after = "S-1,EQ-1,GW-2,room\n", "S-1,EQ-1,GW-2,room\nS-2,EQ-1,GW-2,room\n"
        reading = {"device": "S-1", "at": NOW // 1000 - 120_000, "co2_ppm": 400}
        payloads = [json.dumps({"readings": [{**reading, "device": name}]}).encode() for name in ("S-1", "S-2")]
        for gateway in ("GW-1", "GW-2"):
            topic = readings_topic(gateway)
            await city.isolate(gateway, *(Bundled(topic, payload, False) for payload in payloads))
        await take(city, changed("devices.csv", before, after), NOW)
        assert await city.look() == 1
        assert (await city.stored("S-1"), await city.stored("S-2")) == ([], [400.0])
        await take(city, changed("devices.csv", before, "S-1,EQ-1,GW-1,room\n"), NOW)
        assert await city.look() == 1
        assert await city.stored("S-1") == [400.0], "it stands behind the other gateway now"
        kinds = await city.rows(
            "SELECT subject_id, kind FROM registry_events WHERE subject = 'device' ORDER BY event_id"
        )
        assert kinds == [("S-2", "added"), ("S-1", "changed"), ("S-2", "retired")]

    in_the_city(postgres, database_url, main)
