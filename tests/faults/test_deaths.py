"""Ingest, Kafka and Mosquitto are each killed ten times under load: what was appended is stored, exactly once."""

import asyncio
import os
import random
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from city.topics import READINGS
from stream import codec
from stream.log import TopicPartition
from stream.logs.kafka import KafkaLogOptions, open_kafka_log
from tests.app.world import called, write_pack
from tests.city.packs import SMALL
from tests.e2e.processes import Process
from tests.faults.gateways import DEVICES, METRICS, FastGateway, device_id
from tests.support.fix_kafka import make_kafka
from tests.support.fix_mosquitto import Mosquitto

pytestmark = [pytest.mark.alone, pytest.mark.timeout(1500)]

GATEWAYS = 10
RATE = int(os.environ.get("CITYNERVE_TEST_DEATHS_RATE", "500"))
"""Messages a second of each: 5,000 together unless said otherwise, five readings each."""
DEATHS = int(os.environ.get("CITYNERVE_TEST_DEATHS", "10"))
PREFIX = "deaths."
ROLES = ("ingest", "store")
ROLES_KILLED = ("ingest", "kafka", "mosquitto")


def pack() -> dict[str, str]:
    """Ten gateways with fifty devices of five metrics each, and one whose messages bear no numbers."""
    names = [f"G-{number}" for number in range(GATEWAYS)] + ["G-U"]
    rows = [f"{name},{name},43.5,-5.6,centre" for name in names]
    places = [f"F-{name},school,{name},43.5,-5.6,centre" for name in names]
    devices = [f"{device_id(name, index)},F-{name},{name},five" for name in names for index in range(DEVICES)]
    five = ", ".join(f'"{metric}"' for metric in METRICS)
    return {
        **SMALL,
        "gateways.csv": SMALL["gateways.csv"] + "\n".join(rows) + "\n",
        "facilities.csv": SMALL["facilities.csv"] + "\n".join(places) + "\n",
        "devices.csv": SMALL["devices.csv"] + "\n".join(devices) + "\n",
        "metrics.csv": SMALL["metrics.csv"] + "supply_current_a,A,0,1000\n",
        "profiles.toml": SMALL["profiles.toml"]
        + f"\n[five]\nmetrics = [{five}]\nreport_interval_s = 900\nsilence_intervals = 8\n",
        "city.toml": SMALL["city.toml"].replace("simulated = true", "simulated = false"),
    }


def wait_until(condition: Callable[[], bool], told: Callable[[], str], timeout_s: float = 180.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.5)


async def appended(bootstrap: str) -> tuple[int, set[tuple[int, int]]]:
    """Return how many readings are on the log, and which they are."""
    log = await open_kafka_log(bootstrap, KafkaLogOptions(prefix=PREFIX))
    count, keys = 0, set()
    for partition, (begin, end) in (await log.bounds(READINGS)).items():
        offset = begin
        while offset < end:
            records = await log.read(TopicPartition(READINGS, partition), offset, max_records=500)
            for record in records:
                if record.kind == codec.BATCH:
                    batch = codec.decode_batch(record.value)
                    count += len(batch)
                    keys |= set(zip(batch.series_id.tolist(), batch.observed_at.tolist(), strict=True))
            offset = records[-1].offset + 1
    await log.close()
    return count, keys


class City:
    """The database as the test asks it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[arg-type]

    def ledger(self) -> dict[str, int]:
        columns = "appended, stored, duplicate, conflicting, quarantined"
        sums = ", ".join(f"coalesce(sum({name}), 0)::bigint" for name in columns.split(", "))
        return dict(zip(columns.split(", "), self.rows(f"SELECT {sums} FROM ledger")[0], strict=True))

    def behind(self) -> int:
        told = self.ledger()
        return told["appended"] - sum(told[name] for name in told if name != "appended")


class Deaths(NamedTuple):
    """When the broker was killed and when it had started again, seconds since 1970."""

    killed_at: list[float]
    started_at: list[float]


class Played:
    """A city of real processes and servers, and the gateways that speak to it."""

    def __init__(self, folder: Path, database_url: str, broker: Mosquitto) -> None:
        kafka = folder / "kafka"
        kafka.mkdir()
        self.kafka, self.broker = make_kafka(kafka), broker
        self.city = City(database_url)
        self.environment = {
            "CITYNERVE_DATABASE_URL": database_url,
            "CITYNERVE_KAFKA": self.kafka.bootstrap,
            "CITYNERVE_KAFKA_PREFIX": PREFIX,
            "CITYNERVE_MQTT_URL": broker.url,
            "CITYNERVE_CITY": str(write_pack(folder / "pack", pack())),
            "CITYNERVE_SPEED": "1",
            "CITYNERVE_DATA": str(folder / "data"),
        }
        self.ingest, self.store = (Process(role, ["run", role], self.environment, folder) for role in ROLES)
        self.numbered = [FastGateway(broker.port, f"G-{number}", RATE) for number in range(GATEWAYS)]
        self.plain = FastGateway(broker.port, "G-U", 50, numbered=False)

    def start(self) -> None:
        """Return once readings flow from the gateways to the database."""
        self.kafka.start()
        done = called("setup", env=self.environment)
        assert done.returncode == 0, done.stderr
        self.ingest.start()
        self.store.start()
        wait_until(lambda: "ticks" in self.ingest.log.read_text(), self.told)
        for gateway in (*self.numbered, self.plain):
            gateway.start()
        wait_until(lambda: self.city.ledger()["stored"] > 10_000, self.told)

    def kill_all(self) -> Deaths:
        """Kill ingest, Kafka and Mosquitto, each as often as asked for, in an order that is always the same."""
        victims = list(ROLES_KILLED) * DEATHS
        random.Random(11).shuffle(victims)
        deaths = Deaths([], [])
        for victim in victims:
            time.sleep(1.5)
            if victim == "ingest":
                self.ingest.kill()
                time.sleep(0.5)
                self.ingest.start()
                continue
            server = self.kafka if victim == "kafka" else self.broker
            killed_at = time.time()
            server.kill()
            time.sleep(0.5)
            server.start()
            if victim == "mosquitto":
                deaths.killed_at.append(killed_at)
                deaths.started_at.append(time.time())
        return deaths

    def finish(self) -> int:
        """Let gateways send what they have left; return the readings that numbered ones sent."""
        gateways = (*self.numbered, self.plain)
        for gateway in gateways:
            gateway.stop()
        for gateway in gateways:
            gateway.finish()
        wanted = sum(gateway.sent for gateway in self.numbered) * len(METRICS)
        wait_until(lambda: self.stored() >= wanted and self.city.behind() == 0, self.told)
        return wanted

    def stored(self, *, numbered: bool = True) -> int:
        word = "NOT LIKE" if numbered else "LIKE"
        counted = f"SELECT count(*) FROM readings JOIN series USING (series_id) WHERE device_id {word} 'G-U%'"
        return int(self.city.rows(counted)[0][0])

    def told(self) -> str:
        ends = [f"--- {p.name}\n{p.log.read_text()[-2000:]}" for p in (self.ingest, self.store) if p.log.exists()]
        return "\n".join([str(self.city.ledger()), *ends])

    def stop(self) -> None:
        for process in (self.ingest, self.store):
            process.stop()
        self.kafka.stop()


def assert_exactly_once(played: Played, wanted: int) -> None:
    """What was appended is stored, and nothing else; of numbered gateways that is everything that they sent."""
    count, keys = asyncio.run(appended(played.kafka.bootstrap))
    city, ledger = played.city, played.city.ledger()
    stored = set(city.rows("SELECT series_id, (extract(epoch FROM observed_at) * 1000000)::bigint FROM readings"))
    assert stored == keys, "what was appended is stored, and nothing else"
    assert len(stored) == ledger["stored"] == city.rows("SELECT count(*) FROM readings")[0][0]
    assert played.stored() == wanted, "of numbered gateways everything"
    assert ledger["appended"] == count
    assert ledger["quarantined"] == ledger["conflicting"] == 0
    assert city.rows("SELECT count(*) FROM ledger_gaps WHERE gateway_id <> 'G-U'")[0][0] == 0


def assert_every_death_is_published(played: Played, deaths: Deaths) -> int:
    """Each kill lies in one published time and each published time holds a kill; return how many were published.

    Two kills share one only where ingest did not hear the broker's age in between: it lived too shortly, or ingest was
    away. The time then goes from before the first to after the second.
    """
    statement = (
        "SELECT extract(epoch FROM last_heard_at)::float8, extract(epoch FROM back_at)::float8 FROM broker_deaths"
    )
    wait_until(lambda: any(back > deaths.killed_at[-1] for _, back in played.city.rows(statement)), played.told)
    published = sorted(played.city.rows(statement))
    assert all(back <= heard + 0.1 for (_, back), (heard, _) in pairwise(published)), published
    told = f"{published}, {deaths}"
    found: list[list[float]] = [[] for _ in published]
    for killed, started in zip(deaths.killed_at, deaths.started_at, strict=True):
        # The last time that begins before it is its own. The broker tells whole seconds, so that a start may be
        # published a second too early; and its first word may have waited, so that it may be published later.
        place = max(index for index, (heard, _) in enumerate(published) if heard - 0.3 <= killed)
        assert started <= published[place][1] + 1.2, told
        found[place].append(killed)
    assert all(found), f"a death that was none: {told}"
    return len(published)


def test_nothing_is_lost_or_stored_twice_while_ingest_kafka_and_mosquitto_are_killed(
    tmp_path: Path, database_url: str, make_mosquitto: Callable[[], Mosquitto]
) -> None:
    played = Played(tmp_path, database_url, make_mosquitto())
    try:
        played.start()
        began = time.monotonic()
        deaths = played.kill_all()
        held_s = time.monotonic() - began
        assert len(deaths.killed_at) == DEATHS
        wanted = played.finish()
        assert_exactly_once(played, wanted)
        published = assert_every_death_is_published(played, deaths)
        lost = played.plain.sent * len(METRICS) - played.stored(numbered=False)
        sys.stdout.write(
            f"{3 * DEATHS} deaths in {held_s:.0f} s, {wanted} readings, {played.city.ledger()['duplicate']} repeats,"
            f" {lost} lost without numbers, {DEATHS} deaths of the broker published in {published} times\n"
        )
    finally:
        played.stop()
