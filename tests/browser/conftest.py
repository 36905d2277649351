"""Chromium from the system, and the portals on a loopback port."""

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from city import topics
from city.clock import HOUR_US, MINUTE_US, ManualClock, to_datetime
from incidents.store import Desk, NewReport
from portals_api.deps import PortalDeps, PortalOptions
from portals_api.factory import create_app
from storage.pool import Pool, open_pool, transaction
from stream.logs.postgres import open_postgres_log
from tests.incidents.world import CLEARED, FAILURE, FEEDER, FOLDED, RAISED, SILENT, SUPPLY, event, lamp
from tests.support.servers import unavailable
from tests.support.small_city import NOW, add_data, add_figures, city_url

__all__ = ["city_url"]

_LETTERS = """
INSERT INTO dead_letters (letter_id, reason, detail, topic, payload, gateway_id, received_at, hour, units)
SELECT 'log-0-' || n, 'unknown-device', 'device N-L-1 is not in the registry: add it to the city pack, then replay',
       'citynerve/v1/G-1/readings', %(payload)s, 'G-1', %(at)s - n * interval '1 second',
       date_trunc('hour', %(at)s - n * interval '1 second'), 1 FROM generate_series(1, 450) AS n
UNION ALL
SELECT 'log-1-0', 'not-json', 'not JSON: Expecting value: line 1 column 1', 'citynerve/v1/G-1/readings',
       '\\xff00a26568656c6c6f'::bytea, 'G-1', %(at)s, date_trunc('hour', %(at)s), 1
"""

_CREDENTIALS = """
INSERT INTO credentials (gateway_id, login, kind, serial, publish, read, created_at, created_by, expires_at, revoked_at)
VALUES ('G-1', 'G-1', 'password', '', '{citynerve/v1/G-1/+}', '{}', now() - interval '9 days', 'command-line',
        now() - interval '2 days', NULL),
       ('G-1', 'G-1~2', 'password', '', '{citynerve/v1/G-1/+,application/+/device/+/event/+}',
        '{application/+/device/+/command/down}', now() - interval '3 days', 'operator', NULL, NULL),
       ('G-1', 'G-1', 'certificate', '4c0ffee51de', '{citynerve/v1/G-1/+}', '{}', now() - interval '1 day', 'operator',
        now() + interval '800 days', now());
INSERT INTO credential_events (credential_id, kind, actor, at, detail)
VALUES (1, 'created', 'command-line', now() - interval '9 days', '{}'),
       (1, 'replaced', 'operator', now() - interval '3 days', '{"by": "G-1~2"}'),
       (2, 'created', 'operator', now() - interval '3 days', '{}'),
       (2, 'topics', 'operator', now() - interval '2 days',
        '{"publish": ["application/+/device/+/event/+"], "read": ["application/+/device/+/command/down"]}')
"""

ARGUMENTS = [
    "--headless",
    # Maps need WebGL, and no machine of tests has a graphics card.
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser a module: while it is open, Playwright's own event loop occupies this thread."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        unavailable("no chromium: install Debian's package `chromium`")
    arguments = [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=arguments)
        yield launched
        launched.close()


@dataclass
class Site:
    """The portals, running."""

    url: str
    shots: Path | None
    """Where pictures go for people to look at; None: nobody will, and making them would take minutes."""

    def photograph(self, page: Page, name: str, *, full_page: bool = False) -> None:
        """Take a picture, where pictures are wanted."""
        if self.shots is not None:
            page.screenshot(path=self.shots / f"{name}.png", full_page=full_page)


def _add_credentials(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_CREDENTIALS)


def _add_letters(url: str) -> None:
    """Set enough aside for a long replay: readings of a device that is known now, and a message nobody can read."""
    payload = b'{"device": "N-L-1", "at": "2026-11-23T21:00:00Z", "active_power_w": 36}'
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_LETTERS, {"payload": payload, "at": to_datetime(NOW)})
        connection.execute(
            "INSERT INTO gateway_clocks VALUES ('G-1', date_trunc('hour', %s), -12400000)", (to_datetime(NOW),)
        )
        connection.execute("INSERT INTO broker_drops VALUES ('mosquitto:8884', 512, 500, %s)", (to_datetime(NOW),))


async def _happenings(pool: Pool) -> None:
    """Fill the desk: a lamp's fault with a report, an outage with children, a recovery, one repaired by day."""
    clock = ManualClock(NOW - 3 * HOUR_US)
    desk = Desk(clock)
    old = NOW - 4 * HOUR_US
    outage = event(RAISED, SUPPLY, FEEDER, NOW - HOUR_US, raised_at=old, children=("L-8", "L-9", "L-10"))
    story = [
        event(RAISED, FAILURE, lamp(1), NOW - 3 * HOUR_US, raised_at=old),
        event(RAISED, FAILURE, lamp(2), NOW - 3 * HOUR_US, raised_at=old),
        event(CLEARED, FAILURE, lamp(2), NOW - 2 * HOUR_US, raised_at=old, cleared_at=NOW - 2 * HOUR_US),
        event(RAISED, SILENT, lamp(8), NOW - 2 * HOUR_US, raised_at=old),
        outage,
        *(
            event(FOLDED, SILENT, lamp(n), NOW - HOUR_US + MINUTE_US, raised_at=old, parent=outage)
            for n in range(8, 12)
        ),
    ]
    for one in story:
        async with transaction(pool) as connection:
            await desk.take_alarms(connection, [one])
        clock.advance(900)
    words = "Lleva apagada desde el domingo y el paso de cebra no se ve."
    await desk.take_report(pool, NewReport("lamp-out", "L-1", description=words))
    await desk.take_report(pool, NewReport("damaged", place="Junto al parque, frente al número 12"))


@pytest.fixture
def site(city_url: str) -> Iterator[Site]:
    for fill in (add_data, add_figures, _add_letters, _add_credentials):
        filling = threading.Thread(target=fill, args=(city_url,))
        filling.start()
        filling.join()
    started, stop, ports = threading.Event(), threading.Event(), [0]

    async def serve() -> None:
        pool = await open_pool(city_url)
        log = await open_postgres_log(city_url)
        await log.create_topics(topics.PARTITIONS)
        await _happenings(pool)
        app = create_app(PortalDeps(pool, log, ManualClock(NOW), PortalOptions(operator_on_loopback=True)))
        config = uvicorn.Config(app, port=0, log_level="warning", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110, uvicorn has no event for it
            await asyncio.sleep(0.01)
        ports[0] = server.servers[0].sockets[0].getsockname()[1]
        started.set()
        await asyncio.to_thread(stop.wait)
        app.state.board.close()
        server.should_exit = True
        await task
        await log.close()
        await pool.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(30), "the portals did not start"
    shots = Path(os.environ["CITYNERVE_TEST_SHOTS"]) if "CITYNERVE_TEST_SHOTS" in os.environ else None
    if shots is not None:
        shots.mkdir(parents=True, exist_ok=True)
    yield Site(f"http://127.0.0.1:{ports[0]}", shots)
    stop.set()
    thread.join(15)
