"""Energy lost by faults, published: as a page, as JSON, as CSV, and on the lamp's page."""

import csv
import io
import json
from typing import Any

import pytest

from city.clock import DAY_US, HOUR_US
from tests.incidents.world import BY_DAY, CLEARED, FAILURE, FEEDER, RAISED, SUPPLY, event, lamp
from tests.portals_api.conftest import Open, Portals
from tests.portals_api.test_pages import HTML
from tests.portals_api.test_verdicts import say
from tests.support.small_city import NOW, add_figures, run

EN = {**HTML, "Accept-Language": "en"}
BURNING_H = 14.21
"""From dusk to dawn between 22 and 23 November in the city, by the sun 3° below the horizon."""


@pytest.fixture
def priced(city_url: str, data: None, rows: Any) -> None:
    told = json.dumps({"tariff": {"price_per_kwh": 0.2, "currency": "EUR"}})
    rows(f"UPDATE installation SET pack = pack || '{told}' RETURNING 1")
    add_figures(city_url)


async def dark(p: Portals, number: int = 1) -> None:
    """Let a lamp of 36 W be dark for the whole night before."""
    at = NOW - DAY_US - 6 * HOUR_US
    raised = event(RAISED, FAILURE, lamp(number), at, raised_at=at)
    await p.alarm(
        raised, event(CLEARED, FAILURE, lamp(number), at + 22 * HOUR_US, raised_at=at, cleared_at=at + 22 * HOUR_US)
    )


@pytest.mark.usefixtures("priced")
def test_a_night_in_the_dark_is_told_in_energy_and_money(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await dark(p)
            found = await p.json("/api/v1/energy")
            assert (found["from"], found["to"]) == ("2026-10-24T22:20:00Z", "2026-11-23T22:20:00Z")
            assert found["tariff"] == {"price_per_kwh": 0.2, "currency": "EUR"}
            (one,) = found["items"]
            kwh = 0.036 * BURNING_H
            assert (one["loss"], one["district"], one["name"], one["lamps"]) == ("not-delivered", "centre", "Centro", 1)
            assert one["kwh"] == pytest.approx(kwh, abs=0.005)
            assert one["money"] == pytest.approx(0.2 * kwh, abs=0.005)
            assert {s["loss"]: s["lamps"] for s in found["all"]} == {
                "burnt-by-day": 0, "over-power": 0, "not-delivered": 1
            }  # fmt: skip
            assert (await p.json("/api/v1/energy", district="east"))["items"] == []
            assert (await p.json("/api/v1/energy", lamp="L-2"))["items"] == []
            assert (await p.json("/api/v1/energy", lamp="L-1"))["items"] == [one]
            text = (await p.http.get("/lamps/L-1", headers=EN)).text
            assert "Light not delivered" in text
            assert "€0.10" in text
            assert "Light not delivered" not in (await p.http.get("/lamps/L-2", headers=EN)).text

    run(main())


@pytest.mark.usefixtures("priced")
def test_what_people_found_false_costs_nothing(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await dark(p)
            await say(p, finding="false")
            assert (await p.json("/api/v1/energy"))["items"] == []
            await say(p, finding="other", fault="supplyVoltageTooLow")
            assert len((await p.json("/api/v1/energy"))["items"]) == 1

    run(main())


def burning_day(rows: Any) -> None:
    rows("""UPDATE readings SET value = 36.4 WHERE series_id =
            (SELECT series_id FROM series WHERE device_id = 'N-L-3' AND metric = 'active_power_w')
            AND observed_at >= '2026-11-23 09:00+00' AND observed_at < '2026-11-23 15:00+00' RETURNING 1""")


def test_a_day_burner_costs_what_was_measured_above_its_standby(
    portals: Open, rows: Any, city_url: str, data: None
) -> None:
    burning_day(rows)
    add_figures(city_url)

    async def main() -> None:
        async with portals() as p:
            began, ended = NOW - 12 * HOUR_US - 20 * 60_000_000, NOW - 8 * HOUR_US - 20 * 60_000_000
            await p.alarm(
                event(RAISED, BY_DAY, lamp(3), began, raised_at=began),
                event(CLEARED, BY_DAY, lamp(3), ended, raised_at=began, cleared_at=ended),
            )
            found = await p.json("/api/v1/energy")
            (one,) = found["items"]
            assert (one["loss"], one["kwh"], one["money"]) == ("burnt-by-day", pytest.approx(4 * 0.036), None)
            assert found["tariff"] is None
            text = (await p.http.get("/energy", headers=EN)).text
            assert "The city has not said what electricity costs" in text

    run(main())


@pytest.mark.usefixtures("priced")
def test_a_feeder_that_is_out_counts_each_of_its_lamps_once(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await dark(p)
            at = NOW - DAY_US - 6 * HOUR_US
            outage = event(RAISED, SUPPLY, FEEDER, at, raised_at=at)
            ended = at + 22 * HOUR_US
            await p.alarm(outage, event(CLEARED, SUPPLY, FEEDER, ended, raised_at=at, cleared_at=ended))
            (one,) = (await p.json("/api/v1/energy"))["items"]
            assert (one["lamps"], one["kwh"]) == (12, pytest.approx(12 * 0.036 * BURNING_H, abs=0.05))

    run(main())


@pytest.mark.usefixtures("priced")
def test_the_csv_and_the_page_say_what_the_json_says(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            text = (await p.http.get("/energy", headers=EN)).text
            assert "No fault of a lamp lost energy in this time." in text
            await dark(p)
            (one,) = (await p.json("/api/v1/energy"))["items"]
            (row,) = csv.DictReader(io.StringIO((await p.http.get("/api/v1/energy.csv")).text))
            assert (row["loss"], row["district"], row["lamps"]) == ("not-delivered", "centre", "1")
            assert (float(row["kwh"]), float(row["money"]), row["currency"]) == (one["kwh"], one["money"], "EUR")
            for days in ("7", "30", "90"):
                text = (await p.http.get("/energy", params={"days": days}, headers=EN)).text
                assert "0.51 kWh" in text
                assert "€0.10" in text
            assert (await p.http.get("/energy", params={"days": "1000"}, headers=EN)).status_code == 422
            await p.json("/api/v1/energy", 422, **{"from": "2026-01-01T00:00:00Z"})
            await p.json("/api/v1/energy", 422, **{"from": "2027-01-01T00:00:00Z"})

    run(main())
