"""The public ledger: balanced whenever the world is stopped; page, JSON and CSV say the same."""

import asyncio
import csv
import io
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest

from city.clock import SECOND_US, hour_of, to_datetime
from city.topics import DEAD_LETTERS, PARTITIONS, READINGS, readings_topic
from ingest.meta import FlushOptions
from ingest.records import Flush
from ingest.registry import RegistryFollower
from portals_api.observa.ledger_rows import COLUMNS, CSV_COLUMNS
from storage.pool import Pool, open_pool
from stream.accounts import GAPS_MAX
from stream.deadletter import DeadLetterStage
from stream.ledger import LedgerStage
from stream.store import StoreStage
from stream.worker import Stage, Worker, WorkerOptions
from tests.portals_api.conftest import Open, Portals
from tests.portals_api.operator.test_letters import put
from tests.support.small_city import NOW, run

HTML = {"Accept": "text/html", "Accept-Language": "en"}


def check_row(row: dict[str, Any]) -> None:
    arrived = sum(row[name] for name in ("stored", "duplicate", "conflicting", "quarantined"))
    assert row["appended"] == arrived + row["in_flight"], row
    assert min(row[name] for name in COLUMNS) >= 0, row
    assert sum(row["quarantined_by_reason"].values()) == row["quarantined"], row
    named = sum(gap["last"] - gap["first"] + 1 for gap in row["missing_numbers"])
    assert named == row["missing"] or (len(row["missing_numbers"]) == GAPS_MAX and named < row["missing"]), row


async def rows_of_csv(p: Portals, **params: Any) -> list[dict[str, str]]:
    answer = await p.http.get("/api/v1/ledger.csv", params=params)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def as_cells(row: dict[str, Any]) -> dict[str, str]:
    reasons = ";".join(f"{reason}={units}" for reason, units in row["quarantined_by_reason"].items())
    numbers = ";".join(f"{gap['epoch']}:{gap['first']}-{gap['last']}" for gap in row["missing_numbers"])
    told = {"quarantined_by_reason": reasons, "missing_numbers": numbers}
    return {name: str({**row, **told}[name]) for name in CSV_COLUMNS}


@pytest.mark.usefixtures("data")
def test_an_epoch_that_looks_like_a_formula_is_harmless_in_the_table(portals: Open, city_url: str) -> None:
    async def main() -> None:
        hour = to_datetime(hour_of(NOW))
        with psycopg.connect(city_url) as connection:
            connection.execute("INSERT INTO ledger (gateway_id, hour) VALUES ('G-7', %s)", (hour,))
            connection.execute("INSERT INTO ledger_gaps VALUES ('G-7', '-1-A2', '[5,7)', %s)", (hour,))
        async with portals() as p:
            told = {row["missing_numbers"] for row in await rows_of_csv(p, gateway="G-7")}
        assert told == {"'-1-A2:5-6"}

    run(main())


@pytest.mark.usefixtures("data")
def test_the_rows_shown_and_all_rows_are_the_same_as_json_and_csv(portals: Open, city_url: str) -> None:
    async def main() -> None:
        put(city_url, 2, reason="not-json")
        async with portals() as p:
            first = await p.json("/api/v1/ledger", limit=50)
            rest = await p.json("/api/v1/ledger", limit=50, next=first["next"])
            whole = first["items"] + rest["items"]
            assert len(whole) == 60
            assert whole[0]["missing_numbers"] == [{"epoch": "a", "first": 5, "last": 7}]
            assert whole[0]["quarantined_by_reason"] == {"not-json": 2}
            assert await rows_of_csv(p, limit=50) == [as_cells(row) for row in first["items"]]
            assert await rows_of_csv(p, limit=50, next=first["next"]) == [as_cells(row) for row in rest["items"]]
            assert await rows_of_csv(p) == [as_cells(row) for row in whole]
            lines = await p.http.get("/api/v1/ledger.jsonl")
            assert [json.loads(line) for line in lines.text.splitlines()] == whole
            assert (await p.json("/api/v1/ledger/totals")) == {
                **{name: sum(row[name] for row in whole) for name in COLUMNS},
                "forgotten_runs": 0,
                "broken": 0,
            }
            window = {"gateway": "G-2", "from": "2026-11-23T00:00:00Z", "to": "2026-11-23T05:00:00Z"}
            some = (await p.json("/api/v1/ledger", **window))["items"]
            assert {row["gateway"] for row in some} == {"G-2"}
            assert len(some) == 5
            assert await rows_of_csv(p, **window) == [as_cells(row) for row in some]
            totals = await p.json("/api/v1/ledger/totals", **window)
            assert totals["stored"] == sum(row["stored"] for row in some)
            assert (await rows_of_csv(p, gateway="none")) == []
            await p.json("/api/v1/ledger.csv", 400, next="x")

    run(main())


@pytest.mark.usefixtures("data")
def test_a_streamed_table_goes_on_over_its_parts(portals: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with portals() as p:
            whole = [as_cells(row) for row in (await p.json("/api/v1/ledger", limit=1000))["items"]]
            for size in (1, 7, 59, 60, 61):
                monkeypatch.setattr("portals_api.observa.ledger_rows._STREAMED_AT_ONCE", size)
                assert await rows_of_csv(p) == whole, size
                assert await rows_of_csv(p, limit=13) == whole[:13], size

    run(main())


@pytest.mark.usefixtures("data")
def test_the_page_tells_of_reasons_numbers_filters_and_where_the_data_is(portals: Open, city_url: str) -> None:
    async def main() -> None:
        put(city_url, 2, reason="not-json")
        async with portals() as p:
            page = (await p.http.get("/ledger", headers=HTML)).text
            assert "not-json 2" in page
            assert "5–7" in page
            assert "✓" in page
            assert '<svg class="chart bars"' in page
            assert 'href="/api/v1/ledger.csv?limit=50"' in page
            assert 'href="/api/v1/ledger.jsonl"' in page
            day = (await p.http.get("/ledger?gateway=G-2&from=2026-11-23&to=2026-11-23", headers=HTML)).text
            # The city's day, an hour before UTC's.
            assert day.count('<time datetime="2026-11-') == 24 + 1, "its hours, and the footer's"
            assert "/api/v1/ledger.csv?gateway=G-2&amp;from=2026-11-23T00%3A00%3A00%2B01%3A00" in day
            assert (await p.http.get("/ledger?from=soon", headers=HTML)).status_code == 422
            empty = await p.http.get("/ledger?from=2001-01-01&to=2001-01-02", headers=HTML)
            assert empty.status_code == 200

    run(main())


class World:
    """A city whose messages flow: gateways that repeat, contradict, skip numbers and talk nonsense, sinks, replays."""

    def __init__(self, p: Portals, pool: Pool, rng: random.Random) -> None:
        self.p, self.pool, self.rng = p, pool, rng
        self.registry = RegistryFollower(pool)
        self.stop = asyncio.Event()
        self.sent = self.looked = 0
        self.number = 0

    def message(self) -> bytes:
        self.number += self.rng.choice((1, 1, 1, 1, 3))
        body: dict[str, Any] = {"device": f"N-L-{self.rng.randrange(1, 15)}", "n": self.number, "epoch": "e"}
        body["at"] = (NOW - self.rng.randrange(40) * 900 * SECOND_US) // 1000
        body["active_power_w"] = self.rng.choice((36, 36, 36, 9000))
        body["supply_voltage_v"] = 230 + self.rng.randrange(2)
        text = json.dumps(body).encode()
        return self.rng.choice((text, text, text, text, text[:-1], b"\xff\x00"))

    async def feed(self) -> None:
        """Append what comes, as ingest does."""
        while not self.stop.is_set():
            partitions = PARTITIONS[READINGS], PARTITIONS[DEAD_LETTERS]
            flush = Flush(self.registry.current(), self.p.clock.now_us(), FlushOptions(*partitions, 1 << 20))
            for _ in range(self.rng.randrange(1, 12)):
                flush.add(readings_topic(self.rng.choice(("G-1", "G-1", "G-1", "G-7"))), self.message())
            await self.p.log.append(flush.records())
            self.sent += flush.readings + sum(flush.quarantined.values())
            self.p.clock.advance(self.rng.randrange(200))
            await asyncio.sleep(self.rng.random() * 0.02)

    async def replay(self) -> None:
        """Replay dead letters through the API."""
        while not self.stop.is_set():
            search = self.rng.choice(({}, {"reason": "unknown-device"}, {"gateway": "G-7"}))
            answer = await self.p.http.post("/api/v1/operator/letters/replay", json={"search": search, "limit": 20})
            assert answer.status_code == 200, answer.text
            await asyncio.sleep(self.rng.random() * 0.05)

    async def look(self) -> None:
        """Read the ledger while all goes on: every row and every sum is of one moment."""
        while not self.stop.is_set():
            for row in (await self.p.json("/api/v1/ledger", limit=1000))["items"]:
                check_row(row)
            assert (await self.p.json("/api/v1/ledger/totals"))["broken"] == 0
            self.looked += 1

    async def run(self, until: Callable[[], Awaitable[bool]], *, feeding: bool) -> None:
        """Let everything run until `until`, then stop the world; sinks are killed in the middle of what they do."""
        self.stop.clear()
        options = WorkerOptions(max_records=7, poll_timeout_s=0.02)
        stages: list[Stage[None]] = [StoreStage(), DeadLetterStage(self.p.log.identity), LedgerStage()]
        workers = [
            asyncio.create_task(Worker(stage, self.p.log, self.pool, options).run(self.stop)) for stage in stages
        ]
        tasks = [asyncio.create_task(one()) for one in (self.feed, self.replay, self.look)[0 if feeding else 2 :]]
        while not await until():
            failed = [one for one in (*workers, *tasks) if one.done()]
            assert not failed, failed
        if feeding:
            for worker in workers:
                worker.cancel()
        self.stop.set()
        for outcome in await asyncio.gather(*tasks, *workers, return_exceptions=True):
            assert outcome is None or isinstance(outcome, asyncio.CancelledError), outcome

    async def check(self) -> dict[str, int]:
        """Hold everything that is published against each other, while the world stands still."""
        rows = (await self.p.json("/api/v1/ledger", limit=1000))["items"]
        for row in rows:
            check_row(row)
        assert await rows_of_csv(self.p) == [as_cells(row) for row in rows]
        totals: dict[str, int] = await self.p.json("/api/v1/ledger/totals")
        assert totals.pop("broken") == totals.pop("forgotten_runs") == 0
        assert totals == {name: sum(row[name] for row in rows) for name in COLUMNS}
        assert totals["appended"] <= self.sent
        return totals


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.usefixtures("data")
def test_the_public_ledger_balances_whenever_the_world_is_stopped(portals: Open, city_url: str, seed: int) -> None:
    rng = random.Random(seed)

    async def main() -> None:
        with psycopg.connect(city_url, autocommit=True) as connection:
            connection.execute("DELETE FROM ledger")
            connection.execute("DELETE FROM ledger_gaps")
            before = connection.execute("SELECT count(*) FROM readings").fetchone()
        async with portals(operator_on_loopback=True) as p, await open_pool(city_url, size=8) as pool:
            world = World(p, pool, rng)
            await world.registry.start()
            for turn in range(10):
                if turn == 5:  # The two strange devices are claimed: what they had sent comes back into its hours.
                    with psycopg.connect(city_url, autocommit=True) as connection:
                        connection.execute(CLAIM)
                await world.registry.refresh()

                async def a_while(enough: int = 100 * (turn + 1)) -> bool:
                    await asyncio.sleep(rng.random() * 0.5)
                    return world.sent >= enough

                await world.run(a_while, feeding=True)
                await world.check()

            async def at_rest() -> bool:
                await asyncio.sleep(0.05)
                totals = await p.json("/api/v1/ledger/totals")
                # What was sent back counts as set aside until it is stored: nothing of it is in flight.
                async with pool.connection() as connection:
                    coming = await connection.execute("SELECT count(*) FROM dead_letters WHERE sent_back > settled")
                    ((on_their_way,),) = await coming.fetchall()
                return bool(totals["appended"] == world.sent and totals["in_flight"] == 0 and not on_their_way)

            # On a slow machine the replays above may all have come before the claim, or before a letter was kept.
            await world.run(at_rest, feeding=False)
            last = await p.http.post("/api/v1/operator/letters/replay", json={"search": {"reason": "unknown-device"}})
            assert last.status_code == 200, last.text
            await world.run(at_rest, feeding=False)
            totals = await world.check()
            with psycopg.connect(city_url, autocommit=True) as connection:
                after = connection.execute("SELECT count(*) FROM readings").fetchone()
                settled = connection.execute("SELECT count(*) FROM dead_letters WHERE settled > 0").fetchone()
            assert before is not None
            assert after is not None
            assert totals["stored"] == after[0] - before[0]
            assert settled is not None
            assert settled[0] > 0, "something came back"
            assert min(totals[name] for name in ("stored", "duplicate", "conflicting", "quarantined", "missing")) > 0
            assert world.looked > 10

    run(main())


CLAIM = """
INSERT INTO devices (device_id, asset_id, gateway_id, profile_id, shard, report_interval_s, silence_intervals)
SELECT 'N-L-' || n, 'L-' || n - 2, 'G-1', 'lamp', 0, 900, 4 FROM generate_series(13, 14) AS n;
INSERT INTO series (device_id, metric)
SELECT 'N-L-' || n, m FROM generate_series(13, 14) AS n, unnest(ARRAY['active_power_w', 'supply_voltage_v']) AS m;
UPDATE installation SET registry_version = registry_version + 1;
"""
