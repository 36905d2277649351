"""What a person waits for: the map of 50,000 lamps, the first page, a list of the API, a fault on the open map.

The map and the sizes are those of a browser that was never here, on portals with nothing else to do. Lists and faults
are measured beside the running city of the demonstration: 30,000 lamps, sixty times as fast as the clock.
"""

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import psycopg
from playwright.sync_api import Browser, Page, sync_playwright

from bench import web_city
from bench.result import Result
from bench.web_city import City
from city.clock import MINUTE_US, from_datetime
from sim.faults import plant, write_labels
from storage.embedded import EmbeddedPostgres
from tests.browser.conftest import ARGUMENTS

LAMPS, LOADS = 50_000, 9
RUNNING_LAMPS, SPEED = 30_000, 60.0
NIGHT = from_datetime(datetime(2026, 11, 23, 20, 0, tzinfo=UTC))
DUSK = from_datetime(datetime(2026, 11, 23, 16, 40, tzinfo=UTC))
LISTED, ONSET, SPREAD = DUSK + 20 * MINUTE_US, DUSK + 60 * MINUTE_US, 20 * MINUTE_US
FAULTS = 12
RATE, SECONDS = 50, 20
LISTS = ("lamps", "tickets?open=true", "facilities", "readings?device={device}", "lamps?state=faulty", "ledger")

USABLE = "() => performance.getEntriesByName('map-usable').length"
BYTES = """() => ['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind))
  .reduce((sums, one) => { sums[one.name.includes("/api/") ? 1 : 0] += one.transferSize; return sums; }, [0, 0])"""
WATCH = """() => {
  window.seenAt = {};
  setInterval(() => {
    const { map, lamps } = document.getElementById('map').cityMap;
    for (const { id } of map.queryRenderedFeatures({ layers: ['faults'] })) seenAt[lamps.ids[id]] ??= Date.now();
  }, 20);
}"""


def run() -> list[dict[str, Any]]:
    """Measure the quiet portals, then the busy ones."""
    with tempfile.TemporaryDirectory(prefix="citynerve-bench-") as name:
        folder = Path(name)
        with EmbeddedPostgres(folder / "quiet") as server:
            usable, first, with_map, data = _quiet(folder / "1", server.url)
        with EmbeddedPostgres(folder / "busy") as server:
            lists, faults = _busy(folder / "2", server.url)
    return [
        Result(
            "web.map_usable_s",
            statistics.median(usable),
            "s",
            note=f"from the address to the drawn map of {LAMPS:,} lamps that answers to clicks: median of {LOADS} cold"
            f" loads (worst {max(usable):.2f} s), headless Chromium, WebGL by SwiftShader on the processor",
        ).plain(),
        Result("web.first_page_kb", first, "kB", note="front page with all that it loads, as transferred").plain(),
        Result("web.first_page_kb_with_map", with_map, "kB", note="the map's page with the map's code").plain(),
        Result("web.map_data_kb", data, "kB", note=f"beside it: {LAMPS:,} lamps, places, states").plain(),
        Result(
            "web.api_p95_ms",
            1000 * statistics.quantiles(lists, n=20)[-1],
            "ms",
            note=f"lists of 100 items, {RATE} requests/s for {SECONDS} s beside the running city of {RUNNING_LAMPS:,}"
            f" lamps at {SPEED:g} times the clock; median {1000 * statistics.median(lists):.1f} ms",
        ).plain(),
        Result(
            "web.fault_to_map_s",
            statistics.median(faults),
            "s",
            note="from the tick that decides, by the city's clock, to the mark drawn on an open map, same city:"
            f" {len(faults)} faults, worst {max(faults):.2f} s",
        ).plain(),
    ]


def _quiet(folder: Path, url: str) -> tuple[list[float], float, float, float]:
    city = web_city.make(folder, url, lamps=LAMPS, speed=1.0, start_us=NIGHT)
    web_city.add_night(city, city.clock().now_us())
    usable: list[float] = []
    code = data = 0.0
    with web_city.processes(city, [["run", "api"]]):
        httpx2.get(f"{city.address}/map/list", timeout=60)  # the board is read when the process starts, not per load
        for _ in range(LOADS):
            with _browser() as browser:
                page = _map(browser, city)
                entry = "() => performance.getEntriesByName('map-usable')[0].startTime"
                usable.append(page.evaluate(entry) / 1000)
                code, data = page.evaluate(BYTES)
        with _browser() as browser:
            page = browser.new_page()
            page.goto(f"{city.address}/", wait_until="networkidle")
            first = sum(page.evaluate(BYTES))
    return usable, first / 1000, code / 1000, data / 1000


def _busy(folder: Path, url: str) -> tuple[list[float], list[float]]:
    city = web_city.make(folder, url, lamps=RUNNING_LAMPS, speed=SPEED, start_us=DUSK)
    faults = plant(city.pack, seed=5, onset_us=ONSET, lamp_faults=FAULTS, outages=0, spread_us=SPREAD)
    write_labels(folder / "faults.json", faults)
    wanted = {fault.asset_id for fault in faults}
    clock = city.clock()
    roles = [["sim"], *(["run", role] for role in ("ingest", "store", "detect", "desk", "api"))]
    with web_city.processes(city, roles):
        while clock.now_us() < LISTED:
            time.sleep(0.2)
        lists = asyncio.run(_ask(city))  # before a browser draws beside it: on this machine that takes a whole core
        seen = _watch(city, wanted)
        real_us, city_us = time.time() * 1e6, clock.now_us()
    with psycopg.connect(url, autocommit=True) as connection:
        decided = connection.execute(
            """SELECT a.scope_id, (extract(epoch FROM min(e.at)) * 1000000)::bigint
                 FROM alarms AS a JOIN alarm_events AS e USING (alarm_id) WHERE e.kind = 'raised' GROUP BY 1"""
        ).fetchall()
    return lists, [
        (seen[scope] * 1e3 - (real_us - (city_us - at_us) / SPEED)) / 1e6 for scope, at_us in decided if scope in seen
    ]


def _watch(city: City, wanted: set[str]) -> dict[str, int]:
    """Return when each lamp was marked on an open map, ms of the machine's clock."""
    clock = city.clock()
    seen: dict[str, int] = {}
    with _browser() as browser:
        page = _map(browser, city)
        page.evaluate(WATCH)
        end = ONSET + SPREAD + 150 * MINUTE_US
        while clock.now_us() < end and not wanted <= seen.keys():
            page.wait_for_timeout(500)
            seen = page.evaluate("() => seenAt")
    return seen


async def _ask(city: City) -> list[float]:
    """Ask for lists at a steady pace; return how long each answer took, counted from when it was due."""
    addresses = [f"{city.address}/api/v1/{path}" for path in LISTS]
    addresses = [address.format(device=city.pack.devices[-1].device_id) for address in addresses]
    took: list[float] = []
    async with httpx2.AsyncClient(timeout=30) as http:

        async def one(number: int, due: float) -> None:
            await asyncio.sleep(due - time.monotonic())
            answer = await http.get(addresses[number % len(addresses)], headers={"Accept-Encoding": "identity"})
            answer.raise_for_status()
            took.append(time.monotonic() - due)

        begin = time.monotonic() + 0.5
        await asyncio.gather(*(one(n, begin + n / RATE) for n in range(RATE * SECONDS)))
    return took


def _map(browser: Browser, city: City) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{city.address}/map", wait_until="commit")
    page.wait_for_function(USABLE, timeout=120_000)
    return page


@contextmanager
def _browser() -> Iterator[Browser]:
    """Open a browser that has never been anywhere."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    arguments = [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=arguments)
        yield launched
        launched.close()
