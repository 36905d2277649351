"""The whole way of a reading on both sets of engines, while everything is being killed.

2,000 simulated lamps, 20 planted lamp faults and one feeder outage: exactly 21 tickets with the right assets; a
citizen's report joins one; the ledger balances; `readings` holds what the simulator says it sent, row by row; and a
replay of the log gives the same alarms byte for byte.
"""

import asyncio
import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app import setup
from app.commands.log import replay
from app.settings import Settings
from city.alarm import FaultClass
from city.clock import HOUR_US, MINUTE_US, SystemClock, from_datetime, to_datetime
from city.pack import CityPack
from sim.city import GIJON_SEED, generate_city, write_city
from sim.faults import PlantedFault, plant, write_labels
from sim.outbox import sent_readings
from stream import installation
from stream.packs import read_pack
from tests.e2e.processes import Installation, kill_at_random, wait_until
from tests.support.fix_mosquitto import Mosquitto
from tests.support.servers import free_port

SPEED = 125
START = from_datetime(datetime(2026, 11, 23, 14, 0, tzinfo=UTC))
FIRST_FAULT = START + 1 * HOUR_US
"""By then every lamp that is awake by day has been heard."""
OUTAGE = START + 4 * HOUR_US + 30 * MINUTE_US
END = START + 6 * HOUR_US + 30 * MINUTE_US
KILLS = 22


@dataclass
class City:
    """What a test needs of one set of engines."""

    environment: dict[str, str]
    database_url: str
    api: str
    mosquitto: Mosquitto | None
    folder: Path

    def settings(self) -> Settings:
        names = {"CITYNERVE_" + name.upper(): name for name in Settings.model_fields}
        return Settings(**{names[k]: v for k, v in self.environment.items() if k in names})

    def rows(self, statement: Any, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, options="-c timezone=UTC") as connection:
            return connection.execute(statement, parameters).fetchall()

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.api + path, timeout=10) as answer:
            return json.load(answer)

    def city_now(self) -> int:
        (row,) = self.rows("SELECT clock_city_us, clock_real_us, clock_speed FROM installation")
        return int(row[0] + (SystemClock().now_us() - row[1]) * row[2])


@pytest.fixture(params=["embedded", "city-wide"])
def city(
    request: pytest.FixtureRequest,
    database_url: str,
    tmp_path: Path,
) -> City:
    port = free_port()
    write_city(tmp_path / "city", generate_city(GIJON_SEED, lamps=2000, facilities=12, mixed=False))
    environment = {
        "CITYNERVE_DATABASE_URL": database_url,
        "CITYNERVE_DATA": str(tmp_path),
        "CITYNERVE_CITY": str(tmp_path / "city"),
        "CITYNERVE_PORT": str(port),
        "CITYNERVE_SPEED": str(SPEED),
        "CITYNERVE_FAULTS": str(tmp_path / "faults.json"),
        "CITYNERVE_SIM_REALISM": "perfect",
        "CITYNERVE_SIM_KEEP": "true",
        "CITYNERVE_SIM_PEOPLE": "false",
        "CITYNERVE_SIM_RESEND_S": "60",
        "CITYNERVE_CHECKPOINT_S": "1",
    }
    mosquitto = None
    if request.param == "embedded":
        environment["CITYNERVE_BROKER_PORT"] = str(free_port())
    else:
        mosquitto = request.getfixturevalue("mosquitto")
        environment["CITYNERVE_MQTT_URL"] = mosquitto.url
        environment["CITYNERVE_KAFKA"] = request.getfixturevalue("kafka")
        environment["CITYNERVE_KAFKA_PREFIX"] = f"e2e-{port}."
    return City(environment, database_url, f"http://127.0.0.1:{port}", mosquitto, tmp_path)


async def start_by_day(city: City, pack: CityPack) -> None:
    """Anchor the clock before `up` would, then prepare as `up` does."""
    async with await psycopg.AsyncConnection.connect(city.database_url, autocommit=True) as connection:
        await installation.ensure_installation(
            connection,
            city=pack.name,
            timezone=pack.timezone,
            simulated=True,
            speed=SPEED,
            city_us=START,
            real_us=SystemClock().now_us(),
        )
    await setup.prepare(city.settings(), city.database_url)


def tickets(city: City) -> set[tuple[str, str]]:
    return set(city.rows("SELECT fault, scope_id FROM tickets WHERE state <> 'merged'"))


def lost(city: City, sent: dict[tuple[str, str, int], float]) -> str:
    missing = sorted(sent.keys() - stored_rows(city).keys(), key=lambda key: key[2])
    times = sorted({to_datetime(at).isoformat() for _, _, at in missing})
    return (
        f"{in_flight(city)} in flight, {len(missing)} of {len(sent)} are not stored, from {times[:1]} to {times[-1:]}"
    )


def history(city: City) -> str:
    """Return what the alarms say, for a test that fails."""
    rows = city.rows(
        "SELECT raised_at, cleared_at, fault, scope_id, parent_id, evidence FROM alarms ORDER BY raised_at"
    )
    return "\n".join(" ".join(map(str, row)) for row in rows)


def in_flight(city: City) -> int:
    ((count,),) = city.rows(
        "SELECT coalesce(sum(appended - stored - duplicate - conflicting - quarantined), -1) FROM ledger"
    )
    return int(count)


def settled(city: City, sent: int) -> Callable[[], bool]:
    return lambda: in_flight(city) == 0 and city.rows("SELECT count(*) FROM readings")[0][0] >= sent


def report_a_dark_lamp(city: City, lamp: str) -> None:
    """A citizen tells of a lamp, while processes die around her: she tries again like a browser would."""
    body = json.dumps(
        {"category": "lamp-out", "lamp": lamp, "description": "Very dark here.", "request_key": "neighbour-1"}
    )
    request = urllib.request.Request(
        city.api + "/api/v1/reports", body.encode(), {"Content-Type": "application/json"}, method="POST"
    )
    answers: list[int] = []

    def sent() -> bool:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                answers.append(answer.status)
        except urllib.error.HTTPError as exc:
            raise AssertionError(exc.read().decode()) from exc
        except OSError:
            return False
        return True

    wait_until(sent, 30, lambda: "the report did not go through")
    assert answers == [201]


@pytest.mark.alone
@pytest.mark.timeout(420)
def test_one_ticket_per_cause_while_every_process_is_killed(city: City) -> None:
    pack = read_pack(city.folder / "city")
    faults = plant(pack, seed=7, onset_us=FIRST_FAULT, spread_us=20 * MINUTE_US)
    faults = tuple(evening_outage(fault) for fault in faults)
    write_labels(city.folder / "faults.json", faults)
    asyncio.run(start_by_day(city, pack))
    dark = next(f.asset_id for f in faults if f.fault is FaultClass.LAMP_FAILURE)

    def restart_broker() -> None:
        if city.mosquitto is not None:
            city.mosquitto.kill()
            city.mosquitto.start()

    between = {8: restart_broker, 16: restart_broker, 12: lambda: report_a_dark_lamp(city, dark)}
    with Installation(city.environment, city.folder, roles=("ingest", "store", "detect", "desk", "api")) as running:
        running.processes["sim"].start()
        real_s = (END - START) / 1e6 / SPEED
        killed = kill_at_random(running, 7, KILLS, (0.5 * real_s / KILLS, 1.4 * real_s / KILLS), between)
        assert len(killed) >= 20
        wait_until(lambda: city.city_now() >= END, 120, running.words)
        wait_until(lambda: len(tickets(city)) >= len(faults), 30, lambda: f"{history(city)}\n{running.words()}")
        assert tickets(city) == {(str(f.fault), f.asset_id) for f in faults}, history(city)
        running.processes["sim"].stop()
        sent = {(device, metric, at): value for device, metric, at, value in sent_rows(city)}
        wait_until(settled(city, len(sent)), 60, lambda: lost(city, sent))
        running.processes["ingest"].stop()
        assert_report_joined(city, dark)
        assert_ledger_balances(city, len(sent))
        assert stored_rows(city) == sent
        report = asyncio.run(replay(city.settings(), lambda done, total: None))
        assert (report["only_replayed"], report["only_recorded"]) == ((), ())
        assert report["same"] >= len(faults)


def evening_outage(fault: PlantedFault) -> PlantedFault:
    """Let the feeder fail at night, when its neighbours are lit."""
    if fault.fault is not FaultClass.SUPPLY_LOSS:
        return fault
    return PlantedFault(OUTAGE, fault.asset_id, fault.fault)


def sent_rows(city: City) -> Iterator[tuple[str, str, int, float]]:
    return sent_readings(city.folder / "sim" / "outbox.sqlite")


def stored_rows(city: City) -> dict[tuple[str, str, int], float]:
    rows = city.rows(
        """SELECT s.device_id, s.metric, r.observed_at, r.value
             FROM readings AS r JOIN series AS s USING (series_id)"""
    )
    return {(device, metric, from_datetime(at)): value for device, metric, at, value in rows}


def assert_report_joined(city: City, lamp: str) -> None:
    rows = city.rows(
        """SELECT t.scope_id, t.fault, count(DISTINCT r.report_id), count(DISTINCT a.alarm_id)
             FROM reports AS r JOIN tickets AS t USING (ticket_id) LEFT JOIN ticket_alarms AS a USING (ticket_id)
            GROUP BY t.ticket_id"""
    )
    assert rows == [(lamp, str(FaultClass.LAMP_FAILURE), 1, 1)]


def assert_ledger_balances(city: City, sent: int) -> None:
    (totals,) = city.rows(
        "SELECT sum(appended), sum(stored), sum(duplicate), sum(conflicting), sum(quarantined) FROM ledger"
    )
    appended, stored, duplicate, conflicting, quarantined = map(int, totals)
    assert (stored, conflicting, quarantined) == (sent, 0, 0)
    assert appended == stored + duplicate
    assert duplicate > 0, "processes were killed, and nothing came twice?"
    for item in city.get("/api/v1/ledger?limit=1000")["items"]:
        parts = item["stored"] + item["duplicate"] + item["conflicting"] + item["quarantined"] + item["in_flight"]
        assert item["appended"] == parts
        assert item["missing"] == 0, (item, to_datetime(START))
