"""Every format's examples through a real broker and the log into the store, and shown on the asset's page."""

import asyncio
from typing import Any

import httpx2
import pytest

from city.clock import SystemClock, from_datetime, isoformat
from city.profile import parse_pack
from city.topics import DEAD_LETTERS, READINGS
from ingest.formats.times import parse_rfc3339
from ingest.service import Ingest, IngestOptions
from portals_api.deps import PortalDeps, PortalOptions
from portals_api.factory import create_app
from portals_api.meter import ApiMetrics
from storage.layout import apply_layout
from storage.pool import Pool, transaction
from stream import codec, installation, registry
from stream.codec import DeadLetter
from stream.log import EventLog
from stream.logs.postgres import open_postgres_log
from stream.store import StoreStage
from tests.ingest.conftest import OpenSource, open_source, quiet_amqtt
from tests.ingest.formats.packs import NAMES, example, pack_files, payload_of
from tests.ingest.test_service import pool_of
from tests.ingest.world import Publisher, eventually, make_topics, records_of, running
from tests.stream.harness import drive, rows

__all__ = ["open_source", "quiet_amqtt"]

PATIENCE_S = 90.0
"""The first messages of a process may wait until its kernels are compiled."""


async def register(pool: Pool, told: dict[str, Any]) -> None:
    pack = parse_pack(pack_files(told))
    async with transaction(pool) as connection:
        await installation.ensure_installation(connection, city=pack.name, timezone=pack.timezone, simulated=True)
        await registry.import_pack(connection, pack, 1)
        await apply_layout(connection, pack.timezone)


async def shown(pool: Pool, log: EventLog, asset: str) -> tuple[dict[str, Any], str]:
    """Ask for a lamp as JSON and as a page."""
    app = create_app(PortalDeps(pool, log, SystemClock(), PortalOptions(), {}, ApiMetrics()))
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        answer = await http.get(f"/api/v1/lamps/{asset}")
        page = await http.get(f"/lamps/{asset}", headers={"accept": "text/html", "accept-language": "en"})
    assert (answer.status_code, page.status_code) == (200, 200), answer.text
    return {series["metric"]: series for series in answer.json()["series"]}, page.text


@pytest.mark.parametrize("name", NAMES)
def test_a_formats_examples_show_as_readings_on_the_assets_page(
    name: str, open_source: OpenSource, database_url: str
) -> None:
    told = example(name)

    async def main() -> None:
        async with open_source() as (source, port), pool_of(database_url) as pool:
            await register(pool, told)
            log = await open_postgres_log(pool)
            await make_topics(log)
            ingest = Ingest(source, log, pool, SystemClock(), IngestOptions(database_url, 0.1))
            async with running(ingest):
                await eventually(lambda: source.listening)
                await asyncio.sleep(0.5)
                async with Publisher(port) as sender:
                    for number, message in enumerate(told["messages"]):
                        sender.publish(number, payload_of(message), topic=message["topic"])
                    await eventually(lambda: len(sender.acknowledged) == len(told["messages"]), PATIENCE_S)
                await until_appended(log, len(told["readings"]))
            letters = [codec.decode(DeadLetter, r.value) for r in await records_of(log, DEAD_LETTERS)]
            assert [(letter.reason, letter.detail) for letter in letters] == []
            await drive(pool, StoreStage(), *await records_of(log, READINGS))
            at = await rows(
                pool,
                "SELECT d.asset_id, s.metric, r.value, r.observed_at FROM readings r JOIN series s USING (series_id)"
                " JOIN devices d USING (device_id) ORDER BY 1, 2, 4",
            )
            found = [(asset, metric, value, isoformat(from_datetime(when))) for asset, metric, value, when in at]
            wanted = [
                (r["asset"], r["metric"], pytest.approx(r["value"]), isoformat(parse_rfc3339(r["at"])))
                for r in sorted(told["readings"], key=lambda r: (r["asset"], r["metric"], r["at"]))
            ]
            assert found == wanted
            latest = {(asset, metric): value for asset, metric, value, _ in found}
            for asset in {asset for asset, _ in latest}:
                series, page = await shown(pool, log, asset)
                for metric, told_series in series.items():
                    assert told_series["value"] == latest.get((asset, metric))
                assert any(f"{value:g}"[:4] in page for (named, _), value in latest.items() if named == asset)
            await log.close()

    asyncio.run(main())


async def until_appended(log: EventLog, count: int) -> None:
    """Wait until so many readings are on the log, or something was set aside."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            batches = [codec.decode_batch(r.value) for r in await records_of(log, READINGS) if r.kind == codec.BATCH]
            if sum(len(batch) for batch in batches) >= count or await records_of(log, DEAD_LETTERS):
                return
            await asyncio.sleep(0.05)
