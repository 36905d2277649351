"""Recorded readings through the whole way: `citynerve play` into broker, log and database, on both sets of engines.

The ledger balances to the reading, the alarms are the file's own long gaps, and every rollup equals a sum made another
way in SQL over the file. A made-up sample runs everywhere; the city's own ten years where the file is there.
"""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app import setup
from app.settings import Settings
from sim.city import GIJON_SEED, generate_city, write_city
from tests.e2e.processes import ROOT, Installation, wait_until
from tests.support.recorded import FACILITY, GIJON, HOUR, MAP, SAMPLE, Ledger, Recorded, Truth, read_truth
from tests.support.servers import free_port

REAL_CLOCK = 1
HASTE = 7200
"""City seconds a second: the day after which a station counts as silent passes in twelve."""


@dataclass(frozen=True)
class Station:
    """One set of engines, nothing played yet."""

    environment: dict[str, str]
    database_url: str
    folder: Path

    def city(self, speed: float) -> Installation:
        """Prepare as `up` does, at this speed of the city's clock; return the processes."""
        environment = {**self.environment, "CITYNERVE_SPEED": str(speed)}
        names = {"CITYNERVE_" + name.upper(): name for name in Settings.model_fields}
        chosen: dict[str, Any] = {names[name]: value for name, value in environment.items()}
        asyncio.run(setup.prepare(Settings(**chosen), self.database_url))
        return Installation(environment, self.folder, roles=("ingest", "store", "detect", "desk"))

    def hears(self) -> bool:
        """Tell whether ingest listens: it ticks only then. What is played before, Mosquitto throws away."""
        with psycopg.connect(self.database_url) as connection:
            found = connection.execute("SELECT EXISTS (SELECT FROM checkpoints WHERE ticked_at IS NOT NULL)").fetchone()
        return found is not None and bool(found[0])

    def play(self, file: Path) -> dict[str, object]:
        command = [sys.executable, "-m", "app", "play", str(file), "--map", str(MAP), "--json"]
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        report: dict[str, object] = json.loads(done.stdout)
        return report


@pytest.fixture(params=["embedded", "city-wide"])
def station(request: pytest.FixtureRequest, tmp_path: Path) -> Station:
    write_city(tmp_path / "city", generate_city(GIJON_SEED, lamps=2000, facilities=12, mixed=False))
    environment = {"CITYNERVE_DATA": str(tmp_path), "CITYNERVE_CITY": str(tmp_path / "city")}
    if request.param == "embedded":
        database_url = request.getfixturevalue("database_url")
        environment["CITYNERVE_BROKER_PORT"] = str(free_port())
    else:
        # TimescaleDB where there is a server; its own tests say why if there is none.
        timescale = bool(os.environ.get("CITYNERVE_TEST_TIMESCALE_URL"))
        database_url = request.getfixturevalue("timescale_url" if timescale else "database_url")
        environment["CITYNERVE_MQTT_URL"] = request.getfixturevalue("mosquitto").url
        environment["CITYNERVE_KAFKA"] = request.getfixturevalue("kafka")
        environment["CITYNERVE_KAFKA_PREFIX"] = f"air-{free_port()}."
    environment["CITYNERVE_DATABASE_URL"] = database_url
    return Station(environment, database_url, tmp_path)


def assert_file_is_in_the_city(file: Path, truth: Truth, recorded: Recorded, running: Installation) -> None:
    """Wait until the ledger, the rollups and the alarms stand, then hold them against the file."""

    def told() -> str:
        return f"{recorded.ledger()} {recorded.silences()} {recorded.positions()} {running.words()}"

    wait_until(lambda: recorded.ledger() == truth.ledger, 90, told)
    wait_until(lambda: recorded.rolled_up(truth.ledger.stored), 120, told)
    wait_until(lambda: len(recorded.silences()) >= len(truth.gaps), 60, told)
    for name, compared in recorded.compare(file).items():
        assert compared.equal, (name, compared)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_recorded_readings_are_kept_to_the_reading_and_the_end_of_the_file_is_one_ticket(station: Station) -> None:
    truth = read_truth(SAMPLE)
    assert (truth.readings, truth.duplicate, truth.conflicting) == (5761, 22, 12)
    assert [gap.hours for gap in truth.gaps] == [48]
    recorded = Recorded(station.database_url)
    with station.city(HASTE) as running:
        wait_until(station.hears, 120, running.words)
        report = station.play(SAMPLE)
        assert (report["readings"], report["complete"], report["bad_rows"]) == (truth.readings, True, 0)
        assert_file_is_in_the_city(SAMPLE, truth, recorded, running)
        # Nothing more comes: a day later the station is silent since the first hour after the file's last.
        wait_until(lambda: len(recorded.tickets()) >= 1, 90, running.words)
        assert recorded.silences() == [*truth.gaps, (truth.last + HOUR, None)]
        assert recorded.tickets() == [("communicationFailure", FACILITY, "new", 1)]
        station.play(SAMPLE)
        twice = Ledger(
            2 * truth.readings,
            truth.ledger.stored,
            truth.ledger.stored + 2 * truth.duplicate,
            2 * truth.conflicting,
            0,
            0,
            0,
        )
        wait_until(lambda: recorded.ledger() == twice, 60, lambda: f"{recorded.ledger()} {running.words()}")
        assert recorded.silences() == [*truth.gaps, (truth.last + HOUR, None)], "what was known already is no news"


@pytest.mark.slow
@pytest.mark.timeout(360)
@pytest.mark.skipif(not GIJON.exists(), reason=f"no recording: put it at ../{GIJON.relative_to(ROOT.parent)}")
def test_ten_years_of_the_air_station_balance_and_its_long_gaps_are_the_only_alarms(station: Station) -> None:
    if "CITYNERVE_KAFKA" in station.environment and not os.environ.get("CITYNERVE_TEST_TIMESCALE_URL"):
        pytest.skip(
            "ten years run on the embedded engines; city-wide where CITYNERVE_TEST_TIMESCALE_URL names a server"
        )
    truth = read_truth(GIJON)
    assert truth.ledger == Ledger(1_445_450, 1_445_433, 5, 12, 0, 0, 0)
    assert len(truth.gaps) == 8
    recorded = Recorded(station.database_url)
    with station.city(REAL_CLOCK) as running:
        wait_until(station.hears, 120, running.words)
        report = station.play(GIJON)
        assert (report["readings"], report["complete"], report["bad_rows"]) == (truth.readings, True, 0)
        assert_file_is_in_the_city(GIJON, truth, recorded, running)
        assert recorded.silences() == list(truth.gaps)
        assert recorded.tickets() == [], "what was over before we heard of it needs no crew"
