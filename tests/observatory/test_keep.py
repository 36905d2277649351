"""Figures from telemetry, counted over the small city."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from city.clock import DAY_US, HOUR_US, MINUTE_US, to_datetime
from observatory.keep import KeepOptions, count_figures
from storage.pool import open_pool
from stream.rollups import refresh
from tests.support.small_city import NOW, STORED_UNTIL, add_data, city_url, rows, run

__all__ = ["city_url", "rows"]

Query = Callable[[str], list[tuple[Any, ...]]]
MARKS = """
INSERT INTO rollups_touched (hour, block) SELECT DISTINCT date_trunc('hour', observed_at), series_id / 256 FROM readings
"""
AN_HOUR_LATER = NOW + HOUR_US


@pytest.fixture
def filled_url(city_url: str) -> str:
    add_data(city_url)
    with psycopg.connect(city_url, autocommit=True) as connection:
        connection.execute(MARKS)
    return city_url


def keep(url: str, now_us: int, options: KeepOptions | None = None, stored_us: int | None = None) -> int:
    """Count at `now_us`, with a store that has all up to then, or to `stored_us`."""
    counted = 0
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(STORED_UNTIL, {"partition": 0, "at": to_datetime(stored_us or now_us)})

    async def main() -> None:
        nonlocal counted
        async with await open_pool(url) as pool:
            await refresh(pool)
            while hours := await count_figures(pool, now_us, options):
                counted += hours

    run(main())
    return counted


def figure(rows: Query, name: str, hour: datetime) -> list[tuple[Any, ...]]:
    return rows(
        f"SELECT district_id, part, whole FROM figures_hour WHERE figure = '{name}' AND hour = '{hour.isoformat()}'"
        " ORDER BY 1"
    )


def at(hour: int, day: int = 23) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def test_a_dark_lamp_counts_among_those_commanded_and_not_among_those_lit(filled_url: str, rows: Query) -> None:
    keep(filled_url, AN_HOUR_LATER)
    assert figure(rows, "lamps-lit", at(20)) == [("centre", 12.0, 12.0)]
    assert figure(rows, "lamps-lit", at(22)) == [("centre", 11.0, 12.0)]


def test_by_day_no_lamp_is_commanded_so_that_there_is_no_share(filled_url: str, rows: Query) -> None:
    keep(filled_url, AN_HOUR_LATER)
    assert figure(rows, "lamps-lit", at(12)) == [("centre", 0.0, 0.0)]
    # The sun sets within this hour: whoever is commanded for a part of it is not judged.
    assert figure(rows, "lamps-lit", at(17)) == [("centre", 0.0, 0.0)]


def test_energy_is_mean_power_over_the_hour(filled_url: str, rows: Query) -> None:
    keep(filled_url, AN_HOUR_LATER)
    ((district, kwh, lamps),) = figure(rows, "lighting-energy", at(20))
    assert (district, lamps) == ("centre", 12)
    assert kwh == pytest.approx(12 * 35 / 1000, rel=0.03)


def test_heard_is_of_what_every_device_owes_and_none_makes_up_for_another(filled_url: str, rows: Query) -> None:
    with psycopg.connect(filled_url, autocommit=True) as connection:
        connection.execute(
            "DELETE FROM readings WHERE observed_at >= '2026-11-23T20:00Z' AND observed_at < '2026-11-23T21:00Z'"
            " AND series_id IN (SELECT series_id FROM series WHERE device_id = 'N-L-3')"
        )
        connection.execute(
            "INSERT INTO readings SELECT series_id, observed_at + interval '1 minute', received_at, value, quality"
            " FROM readings JOIN series USING (series_id) WHERE device_id = 'N-L-4'"
        )
    keep(filled_url, AN_HOUR_LATER)
    assert figure(rows, "readings-heard", at(20)) == [("centre", 88.0, 96.0), ("east", 4.0, 4.0)]


def test_controllers_of_switched_feeders_owe_nothing_by_day(filled_url: str, rows: Query) -> None:
    with psycopg.connect(filled_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE assets SET attributes = attributes || '{\"switching\": \"switched\"}' WHERE kind = 'feeder'"
        )
    keep(filled_url, AN_HOUR_LATER)
    assert figure(rows, "readings-heard", at(12)) == [("centre", None, 0.0), ("east", 4.0, 4.0)]
    assert figure(rows, "readings-heard", at(20)) == [("centre", 96.0, 96.0), ("east", 4.0, 4.0)]


def test_air_is_counted_by_facility_and_hour(filled_url: str, rows: Query) -> None:
    keep(filled_url, AN_HOUR_LATER)
    assert figure(rows, "facility-air", at(20)) == [("east", 1.0, 1.0)]


def test_an_hour_waits_for_its_end(filled_url: str, rows: Query) -> None:
    keep(filled_url, NOW)
    assert figure(rows, "lamps-lit", at(21)) != []
    assert figure(rows, "lamps-lit", at(22)) == []
    assert rows("SELECT DISTINCT hour FROM rollups_refreshed") == [(at(22),)]
    assert keep(filled_url, AN_HOUR_LATER) == 1
    assert figure(rows, "lamps-lit", at(22)) != []


def test_a_late_reading_changes_its_hour_alone(filled_url: str, rows: Query) -> None:
    keep(filled_url, AN_HOUR_LATER)
    with psycopg.connect(filled_url, autocommit=True) as connection:
        connection.execute("DELETE FROM readings WHERE observed_at >= '2026-11-23T22:00Z' AND value < 1")
        connection.execute("DELETE FROM readings_hour_rollup WHERE bucket >= '2026-11-23T22:00Z' AND maximum < 1")
        connection.execute("INSERT INTO rollups_touched (hour, block) VALUES ('2026-11-23T22:00Z', 0)")
    assert keep(filled_url, AN_HOUR_LATER) == 1
    assert figure(rows, "lamps-lit", at(22)) == [("centre", 11.0, 11.0)]
    assert keep(filled_url, AN_HOUR_LATER) == 0


def test_a_backlog_from_beyond_the_reach_changes_nothing(filled_url: str, rows: Query) -> None:
    late = NOW + 3 * DAY_US
    assert keep(filled_url, late, KeepOptions(reach_days=1)) == 0
    assert rows("SELECT count(*) FROM rollups_refreshed") == [(0,)]
    assert rows("SELECT count(*) FROM figures_hour") == [(0,)]


def test_an_hour_that_the_store_has_not_passed_is_not_published_half(filled_url: str, rows: Query) -> None:
    with psycopg.connect(filled_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE late AS SELECT * FROM readings WHERE observed_at >= '2026-11-23T21:25Z'")
        connection.execute("DELETE FROM readings WHERE observed_at >= '2026-11-23T21:25Z'")
        connection.execute("DELETE FROM rollups_touched WHERE hour > '2026-11-23T21:00Z'")
    keep(filled_url, AN_HOUR_LATER, stored_us=NOW - 55 * MINUTE_US)
    assert figure(rows, "readings-heard", at(20)) == [("centre", 96.0, 96.0), ("east", 4.0, 4.0)]
    assert figure(rows, "readings-heard", at(21)) == [], "half of it is stored"
    with psycopg.connect(filled_url, autocommit=True) as connection:
        connection.execute("INSERT INTO readings SELECT * FROM late")
        connection.execute("INSERT INTO rollups_touched (hour, block) VALUES ('2026-11-23T21:00Z', 0)")
    keep(filled_url, AN_HOUR_LATER)
    assert figure(rows, "readings-heard", at(21)) == [("centre", 96.0, 96.0), ("east", 4.0, 4.0)]


def test_an_hour_waits_for_the_slowest_partition_and_for_the_first_tick_of_each(filled_url: str, rows: Query) -> None:
    with psycopg.connect(filled_url, autocommit=True) as connection:
        connection.execute(STORED_UNTIL, {"partition": 1, "at": None})
    assert keep(filled_url, AN_HOUR_LATER) == 0
    with psycopg.connect(filled_url, autocommit=True) as connection:
        connection.execute(STORED_UNTIL, {"partition": 1, "at": at(21)})
    assert keep(filled_url, AN_HOUR_LATER) > 0
    assert rows("SELECT max(hour) FROM figures_hour") == [(at(20),)]


def test_an_hour_waits_for_its_rollups(filled_url: str, rows: Query) -> None:
    with psycopg.connect(filled_url, autocommit=True) as connection:
        connection.execute(STORED_UNTIL, {"partition": 0, "at": to_datetime(AN_HOUR_LATER)})
        connection.execute("INSERT INTO rollups_refreshed (hour) VALUES ('2026-11-23T20:00Z')")

    async def main() -> None:
        async with await open_pool(filled_url) as pool:
            assert await count_figures(pool, AN_HOUR_LATER) == 0
            await refresh(pool)
            assert await count_figures(pool, AN_HOUR_LATER) > 0

    run(main())
