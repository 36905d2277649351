"""Ingest, Kafka and Mosquitto are each killed ten times under load: what was appended is stored, exactly once."""

import asyncio
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
RATE = 500
"""Messages a second of each: 5,000 together, five readings each."""
DEATHS = int(os.environ.get("CITYNERVE_TEST_DEATHS", "10"))
PREFIX = "deaths."


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


def test_nothing_is_lost_or_stored_twice_while_ingest_kafka_and_mosquitto_are_killed(
    tmp_path: Path, database_url: str, make_mosquitto: Callable[[], Mosquitto]
) -> None:
    folder = tmp_path / "kafka"
    folder.mkdir()
    kafka, broker = make_kafka(folder), make_mosquitto()
    kafka.start()
    city = City(database_url)
    environment = {
        "CITYNERVE_DATABASE_URL": database_url,
        "CITYNERVE_KAFKA": kafka.bootstrap,
        "CITYNERVE_KAFKA_PREFIX": PREFIX,
        "CITYNERVE_MQTT_URL": broker.url,
        "CITYNERVE_CITY": str(write_pack(tmp_path / "pack", pack())),
        "CITYNERVE_SPEED": "1",
        "CITYNERVE_DATA": str(tmp_path / "data"),
    }
    done = called("setup", env=environment)
    assert done.returncode == 0, done.stderr
    ingest, store = (Process(role, ["run", role], environment, tmp_path) for role in ("ingest", "store"))
    gateways = [FastGateway(broker.port, f"G-{number}", RATE) for number in range(GATEWAYS)]
    plain = FastGateway(broker.port, "G-U", 50, numbered=False)

    def told() -> str:
        ends = [f"--- {p.name}\n{p.log.read_text()[-2000:]}" for p in (ingest, store) if p.log.exists()]
        return "\n".join([str(city.ledger()), *ends])

    try:
        ingest.start()
        store.start()
        wait_until(lambda: "ticks" in ingest.log.read_text(), told)
        for gateway in (*gateways, plain):
            gateway.start()
        wait_until(lambda: city.ledger()["stored"] > 10_000, told)
        deaths = ["ingest", "kafka", "mosquitto"] * DEATHS
        random.Random(11).shuffle(deaths)
        began = time.monotonic()
        for victim in deaths:
            time.sleep(1.5)
            if victim == "ingest":
                ingest.kill()
                time.sleep(0.5)
                ingest.start()
            else:
                server = kafka if victim == "kafka" else broker
                server.kill()
                time.sleep(0.5)
                server.start()
        held_s = time.monotonic() - began
        for gateway in (*gateways, plain):
            gateway.finish()
        wanted = sum(gateway.sent for gateway in gateways) * len(METRICS)
        numbered = "SELECT count(*) FROM readings r JOIN series USING (series_id) WHERE device_id NOT LIKE 'G-U%'"
        wait_until(lambda: city.rows(numbered)[0][0] >= wanted and city.behind() == 0, told)
        count, keys = asyncio.run(appended(kafka.bootstrap))
        ledger = city.ledger()
        stored = set(city.rows("SELECT series_id, (extract(epoch FROM observed_at) * 1000000)::bigint FROM readings"))
        assert stored == keys, "what was appended is stored, and nothing else"
        assert len(stored) == ledger["stored"] == city.rows("SELECT count(*) FROM readings")[0][0]
        assert city.rows(numbered)[0][0] == wanted, "of numbered gateways everything"
        assert ledger["appended"] == count
        assert ledger["quarantined"] == ledger["conflicting"] == 0
        assert city.rows("SELECT count(*) FROM ledger_gaps WHERE gateway_id <> 'G-U'")[0][0] == 0
        deaths_told = city.rows("SELECT count(*) FROM broker_deaths WHERE back_at > last_heard_at")[0][0]
        assert 1 <= deaths_told <= DEATHS, "what devices without numbers lost with the broker is not hidden"
        lost = plain.sent * len(METRICS) - city.rows(numbered.replace("NOT LIKE", "LIKE"))[0][0]
        told_of = f"{len(deaths)} deaths in {held_s:.0f} s, {wanted} readings, {ledger['duplicate']} repeats"
        sys.stdout.write(f"{told_of}, {lost} lost without numbers, {deaths_told} deaths of the broker published\n")
    finally:
        for process in (ingest, store):
            process.stop()
        kafka.stop()
