"""Operators change the registry; unknown devices are claimed, and what they sent comes into place."""

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, LiteralString

import httpx2
import pytest

from city.clock import ManualClock
from city.errors import NotFoundError
from city.profile import parse_pack
from city.registry import IngestRegistry
from city.topics import DEAD_LETTERS, PARTITIONS, READINGS, readings_topic
from ingest.bundle import Bundled
from ingest.credentials import reads, store
from ingest.credentials.store import Change
from ingest.latecomers import Latecomers
from ingest.meta import FlushOptions
from ingest.records import Flush
from portals_api.deps import PortalDeps, PortalOptions
from portals_api.factory import create_app
from portals_api.meter import ApiMetrics
from storage.layout import apply_layout
from storage.pool import Pool, open_pool
from stream import codec
from stream.deadletter import DeadLetterStage
from stream.log import EventLog, TopicPartition
from stream.logs.postgres import open_postgres_log
from stream.publication import publish
from stream.registry import import_pack, load_ingest_registry, load_roots
from stream.store import StoreStage
from tests.city.packs import SMALL

NOW = 1_795_435_200_000_000
PAGE = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


@dataclass
class Desk:
    """The portals of the small pack's city, and the workers that write what is on its log."""

    http: httpx2.AsyncClient
    pool: Pool
    log: EventLog

    async def receive(self, gateway: str, *objects: dict[str, Any], number: int = 0) -> None:
        """Let ingest take one message."""
        async with self.pool.connection() as connection:
            known = await load_ingest_registry(connection)
        flush = Flush(known, NOW, FlushOptions(PARTITIONS[READINGS], PARTITIONS[DEAD_LETTERS], 1_000_000))
        body = {"n": number, "readings": list(objects)}
        flush.add(readings_topic(gateway), json.dumps(body).encode())
        await self.log.append(flush.records())
        await self.work()

    async def work(self) -> None:
        """Let the store and the keeper of dead letters read all that is there."""
        for topic, stage in ((DEAD_LETTERS, DeadLetterStage(self.log.identity)), (READINGS, StoreStage())):
            for partition, (begin, end) in sorted((await self.log.bounds(topic)).items()):
                source = TopicPartition(topic, partition)
                records = await self.log.read(source, begin, max_records=10_000) if end > begin else []
                new = [record for record in records if (source, record.offset) not in self.done]
                self.done |= {(source, record.offset) for record in new}
                if new:
                    outcome = stage.step(stage.open(source, None), new)
                    async with self.pool.connection() as connection, connection.transaction():
                        await stage.write(connection, {source: outcome.effects})

    done: set[Any] = None  # type: ignore[assignment]

    async def rows(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        async with self.pool.connection() as connection:
            return await (await connection.execute(statement)).fetchall()

    async def stored(self, device: str) -> list[tuple[str, float]]:
        async with self.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT metric, value FROM readings JOIN series USING (series_id) WHERE device_id = %s ORDER BY 1, 2",
                [device],
            )
            return await cursor.fetchall()

    async def json(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        answer = await self.http.request(method, path, **more)
        assert answer.status_code == status, answer.text
        return answer.json()


def at_the_desk(url: str, main: Callable[[Desk], Awaitable[None]]) -> None:
    async def opened() -> None:
        async with await open_pool(url) as pool:
            log = await open_postgres_log(url)
            await log.create_topics(PARTITIONS)
            async with pool.connection() as connection:
                await apply_layout(connection, "Europe/Madrid", None)
                await import_pack(connection, parse_pack(SMALL), 12)
            await publish(pool, log, NOW)
            deps = PortalDeps(pool, log, ManualClock(NOW), PortalOptions(operator_on_loopback=True), {}, ApiMetrics())
            transport = httpx2.ASGITransport(app=create_app(deps), raise_app_exceptions=False)
            async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
                desk = Desk(http, pool, log)
                desk.done = set()
                await main(desk)
            await log.close()

    asyncio.run(opened())


def test_a_claimed_devices_messages_come_into_place(database_url: str) -> None:
    async def main(desk: Desk) -> None:
        for number in range(3):
            reading = {"device": "A84041", "at": NOW // 1000 - number * 1000, "active_power_w": 30 + number}
            await desk.receive("GW-1", reading, number=number)
        waiting = await desk.json("GET", "/api/v1/operator/unknown")
        assert [(d["name"], d["gateway"], d["letters"]) for d in waiting["devices"]] == [("A84041", "GW-1", 3)]
        form = await desk.http.get("/operator/unknown/claim?name=A84041&gateway=GW-1", headers=PAGE)
        assert "active_power_w" in form.text
        assert "lamp – conoce 1 de 1 valores" in form.text
        claim = {"address": "A84041", "device": "X-1", "asset": "L-1", "gateway": "GW-1", "profile": "lamp"}
        done = await desk.json("POST", "/api/v1/operator/unknown/claim", json=claim)
        assert (done["letters"], done["readings"], done["still_bad"], done["complete"]) == (3, 3, 0, True)
        await desk.work()
        assert await desk.stored("X-1") == [
            ("active_power_w", 30.0),
            ("active_power_w", 31.0),
            ("active_power_w", 32.0),
        ]
        assert (await desk.json("GET", "/api/v1/operator/unknown"))["devices"] == []
        whole = await desk.json("GET", "/api/v1/operator/devices/X-1")
        assert [change["kind"] for change in whole["changes"]] == ["claimed"]
        again = await desk.json("POST", "/api/v1/operator/unknown/claim", json=claim)
        assert (again["letters"], again["version"]) == (0, 0)

    at_the_desk(database_url, main)


def test_what_came_around_a_claim_follows_by_itself(database_url: str) -> None:
    def reading(device: str, second: int) -> dict[str, Any]:
        return {"device": device, "at": NOW // 1000 - second * 1000, "active_power_w": 30 + second}

    async def main(desk: Desk) -> None:
        late = Latecomers(desk.pool, desk.log, ManualClock(NOW))
        await desk.receive("GW-1", reading("A84041", 0), number=0)
        await desk.receive("GW-1", reading("A84041", 3), reading("A2", 4), number=1)
        assert await late.look() == 0, "nobody is known"
        csv = "device_id,asset_id,gateway_id,profile_id,address\nX-1,L-1,GW-1,lamp,A84041\n"
        headers = {"Content-Type": "text/csv"}
        done = await desk.json("POST", "/api/v1/operator/devices/import", content=csv, headers=headers)
        assert done["complete"]
        waiting = await desk.json("GET", "/api/v1/operator/unknown")
        assert [one["name"] for one in waiting["devices"]] == ["A2"], "who is known is not told as unknown"
        assert await late.look() == 2
        assert await late.look() == 0
        await desk.work()
        assert await desk.stored("X-1") == [("active_power_w", 30.0), ("active_power_w", 33.0)]
        ((letter_id,),) = await desk.rows("SELECT letter_id FROM dead_letters WHERE state = 'open'")
        await desk.rows("UPDATE dead_letters SET devices = '{A84041,A2}' RETURNING 1")
        assert await late.look() == 0, "tried with this registry, whatever keeps it"
        whole = await desk.json("GET", f"/api/v1/operator/letters/{letter_id}")
        assert [event["actor"] for event in whole["history"]] == ["system"]

    at_the_desk(database_url, main)


def test_what_an_unknown_gateway_sent_around_its_addition_follows_by_itself(database_url: str) -> None:
    async def main(desk: Desk) -> None:
        late = Latecomers(desk.pool, desk.log, ManualClock(NOW))
        payload = json.dumps({"device": "A1", "at": NOW // 1000, "active_power_w": 5}).encode()
        flush = Flush(IngestRegistry({}, {}, 1), NOW, FlushOptions(12, 2, 1 << 20))
        flush.isolate("", [Bundled(readings_topic("GW-9"), payload, False)])
        flush.add(readings_topic("GW-9"), payload)
        csv = "gateway_id,name,lat,lon,district_id\nGW-9,Nueve,43.5,-5.6,centre\n"
        await desk.json("POST", "/api/v1/operator/gateways/import", content=csv, headers={"Content-Type": "text/csv"})
        await desk.log.append(flush.records())
        await desk.work()
        assert (await desk.json("GET", "/api/v1/operator/unknown"))["gateways"] == []
        assert await late.look() == 1, "of the bundle nothing came"
        waiting = await desk.json("GET", "/api/v1/operator/unknown")
        assert [(one["name"], one["letters"]) for one in waiting["devices"]] == [("A1", 1), ("A1", 1)], (
            "it is read, too"
        )
        assert await late.look() == 0

    at_the_desk(database_url, main)


def test_a_retired_gateway_may_nothing_until_it_is_restored_and_then_nothing_of_it_is_lost(database_url: str) -> None:
    reading = {"device": "N-L-1", "at": NOW // 1000, "active_power_w": 31}
    later = {"device": "N-L-1", "at": NOW // 1000 + 1, "active_power_w": 32}

    async def roots(desk: Desk) -> list[str]:
        async with desk.pool.connection() as connection:
            return sorted(device.device_id for root in await load_roots(connection) for device in root.devices)

    async def main(desk: Desk) -> None:
        issued = await store.create(desk.pool, "GW-1", Change("operator", NOW))
        everybody = await roots(desk)
        await desk.receive("GW-1", reading)
        done = await desk.json("POST", "/api/v1/operator/gateways/GW-1/retire")
        assert (done["changed"], done["revoked"]) == (["GW-1"], 1)
        async with desk.pool.connection() as connection:
            assert (await reads.grants(connection, NOW))[0] == []
            assert (await reads.events(connection, issued.credential.credential_id))[-1]["detail"] == {
                "reason": "the gateway was retired"
            }
        with pytest.raises(NotFoundError, match="retired"):
            await store.create(desk.pool, "GW-1", Change("operator", NOW))
        assert "N-L-1" in everybody
        assert "N-L-1" not in await roots(desk), "nobody waits for what is behind it"
        await desk.receive("GW-1", later)
        await desk.work()
        letters = await desk.json("GET", "/api/v1/operator/letters")
        assert [one["reason"] for one in letters["items"]] == ["retired-gateway"]
        assert await desk.stored("N-L-1") == [("active_power_w", 31.0)]
        async with desk.pool.connection() as connection:
            await import_pack(connection, parse_pack(SMALL), 12)
        assert "N-L-1" not in await roots(desk), "no import brings it back"
        back = await desk.json("POST", "/api/v1/operator/gateways/GW-1/restore")
        assert back["changed"] == ["GW-1"]
        assert (await desk.json("POST", "/api/v1/operator/gateways/GW-1/restore"))["unchanged"] == 1
        await desk.work()
        assert await roots(desk) == everybody
        assert await desk.stored("N-L-1") == [("active_power_w", 31.0), ("active_power_w", 32.0)]
        await store.create(desk.pool, "GW-1", Change("operator", NOW))
        await desk.json("POST", "/api/v1/operator/gateways/GW-1/release")
        changes = await desk.json("GET", "/api/v1/operator/registry/changes?subject=gateway&name=GW-1")
        assert [one["kind"] for one in changes["items"]] == ["released", "restored", "retired"]
        await desk.json("POST", "/api/v1/operator/gateways/nobody/retire", 404)

    at_the_desk(database_url, main)


def test_a_profile_is_retired_when_no_device_has_it_and_comes_back(database_url: str) -> None:
    async def main(desk: Desk) -> None:
        refused = await desk.json("POST", "/api/v1/operator/profiles/lamp/retire", 409)
        assert "3 devices have profile" in refused["error"]["message"]
        listed = '["spare"]\nmetrics = ["active_power_w"]\nreport_interval_s = 900\nsilence_intervals = 8.0\n'
        toml = {"content-type": "application/toml"}
        await desk.json("POST", "/api/v1/operator/profiles/import", content=listed, headers=toml)
        for verb in ("retire", "restore", "release"):
            done = await desk.json("POST", f"/api/v1/operator/profiles/spare/{verb}")
            assert done["changed"] == ["spare"], verb

    at_the_desk(database_url, main)


def test_what_is_exported_is_taken_again_and_changes_nothing(database_url: str) -> None:
    listed = """
["acme"]
metrics = ["active_power_w"]
report_interval_s = 900
silence_intervals = 8.0
ignore = ["rssi", "a\\u007fb", "*"]
codec = "acme.js"

["acme".names]
"P \\"x\\" \\\\" = { metric = "active_power_w", unit = "kW", values = { "an" = 1, "äus" = 0.5e-7 } }

[codecs]
"acme.js" = '''
function decodeUplink(input) { return { data: { P: "\\n" } }; }
'''
"""

    async def main(desk: Desk) -> None:
        toml, csv = {"content-type": "application/toml"}, {"content-type": "text/csv"}
        at = "/api/v1/operator"
        await desk.json("POST", f"{at}/profiles/import", content=listed.encode(), headers=toml)
        for kind, form, headers in (("devices", "csv", csv), ("gateways", "csv", csv), ("profiles", "toml", toml)):
            exported = await desk.http.get(f"{at}/{kind}.{form}")
            assert exported.status_code == 200
            done = await desk.json(
                "POST", f"{at}/{kind}/import?dry_run=true", content=exported.content, headers=headers
            )
            assert (done["added"], done["changed"]) == ([], []), kind
            assert done["unchanged"] > 0

    at_the_desk(database_url, main)


def test_names_that_look_like_formulas_are_exported_harmless_and_come_back_as_they_were(database_url: str) -> None:
    async def main(desk: Desk) -> None:
        at, headers = "/api/v1/operator", {"content-type": "text/csv"}
        for number, address in enumerate(("=HYPERLINK(1)", "@x", "'=y", "-7")):
            body = {"asset": "L-1", "gateway": "GW-1", "profile": "lamp", "address": address}
            await desk.json("PUT", f"{at}/devices/X-{number}", json=body)
        exported = (await desk.http.get(f"{at}/devices.csv")).text
        for cell in ("'=HYPERLINK(1)", "'@x", "''=y", "-7"):
            assert f"L-1,GW-1,lamp,{cell}\n" in exported
        done = await desk.json("POST", f"{at}/devices/import", content=exported, headers=headers)
        assert (done["added"], done["changed"]) == ([], [])

    at_the_desk(database_url, main)


def test_of_two_unknown_devices_in_one_message_the_other_goes_on_waiting(database_url: str) -> None:
    async def main(desk: Desk) -> None:
        both = [{"device": name, "at": NOW // 1000, "active_power_w": 5} for name in ("A1", "A2")]
        await desk.receive("GW-1", *both)
        await desk.json(
            "POST",
            "/api/v1/operator/unknown/claim",
            json={"address": "A1", "device": "X-1", "asset": "L-1", "gateway": "GW-1", "profile": "lamp"},
        )
        await desk.work()
        assert await desk.stored("X-1") == [("active_power_w", 5.0)]
        waiting = (await desk.json("GET", "/api/v1/operator/unknown"))["devices"]
        assert [d["name"] for d in waiting] == ["A2"]
        claim = {"address": "A2", "device": "X-2", "asset": "L-2", "gateway": "GW-1", "profile": "lamp"}
        assert (await desk.json("POST", "/api/v1/operator/unknown/claim", json=claim))["readings"] == 1
        await desk.work()
        assert await desk.stored("X-2") == [("active_power_w", 5.0)]
        assert (await desk.json("GET", "/api/v1/ledger"))["items"][0]["quarantined"] == 0

    at_the_desk(database_url, main)


IGNORING = """
[acme]
metrics = ["active_power_w"]
report_interval_s = 900
silence_intervals = 8
ignore = ["rssi", "fw"]
"""


def test_what_the_profile_ignores_holds_nothing_back_and_the_ledger_balances(database_url: str) -> None:
    async def main(desk: Desk) -> None:
        headers = {"Content-Type": "application/toml"}
        await desk.json("POST", "/api/v1/operator/profiles/import", content=IGNORING, headers=headers)
        await desk.receive("GW-1", {"device": "A1", "at": NOW // 1000, "active_power_w": 5, "rssi": -90, "fw": 3})
        await desk.receive("GW-1", {"device": "A1", "at": NOW // 1000 - 1000, "rssi": -91, "fw": 3}, number=1)
        claim = {"address": "A1", "device": "X-1", "asset": "L-1", "gateway": "GW-1", "profile": "acme"}
        done = await desk.json("POST", "/api/v1/operator/unknown/claim", json=claim)
        assert (done["letters"], done["readings"], done["still_bad"]) == (2, 1, 0)
        await desk.work()
        assert await desk.stored("X-1") == [("active_power_w", 5.0)]
        (row,) = (await desk.json("GET", "/api/v1/ledger"))["items"]
        assert (row["appended"], row["stored"], row["quarantined"], row["in_flight"]) == (1, 1, 0, 0)
        assert (await desk.json("GET", "/api/v1/operator/letters"))["items"] == []

    at_the_desk(database_url, main)


def test_what_an_unknown_device_has_sent_is_read_beside_the_loop(database_url: str) -> None:
    async def main(desk: Desk) -> None:
        objects = [{"device": "A1", "at": NOW // 1000 - n, "active_power_w": n} for n in range(2_000)]
        for number in range(20):
            await desk.receive("GW-1", *objects, number=number)
        gaps = [0.0]

        async def beat() -> None:
            while True:
                began = perf_counter()
                await asyncio.sleep(0.001)
                gaps.append(perf_counter() - began)

        path = "/operator/unknown/claim?gateway=GW-1&name="
        assert (await desk.http.get(path + "A2", headers=PAGE)).status_code == 200
        beating, began = asyncio.create_task(beat()), perf_counter()
        assert "active_power_w" in (await desk.http.get(path + "A1", headers=PAGE)).text
        took = perf_counter() - began
        beating.cancel()
        assert max(gaps) < took / 2, f"the loop stood still for {max(gaps):.3f} of {took:.3f} s"

    at_the_desk(database_url, main)


def test_control_characters_are_refused_in_what_is_searched_for(database_url: str) -> None:
    async def main(desk: Desk) -> None:
        for path in ("letters?text=%00", "letters?topic=%00", "devices?part=%00", "unknown?part=%1b"):
            await desk.json("GET", f"/api/v1/operator/{path}", 422)
        for path in ("letters?text=%00", "devices?text=%00", "unknown/claim?name=%00", "changes?name=%00"):
            assert (await desk.http.get(f"/operator/{path}", headers=PAGE)).status_code == 422, path
        marking = {"ids": ["a\u0000"], "reason": "x"}
        await desk.json("POST", "/api/v1/operator/letters/mark", 422, json=marking)

    at_the_desk(database_url, main)


def test_a_gateway_that_is_added_lets_its_devices_be_claimed(database_url: str) -> None:
    async def main(desk: Desk) -> None:
        await desk.receive("GW-9", {"device": "A1", "at": NOW // 1000, "active_power_w": 5})
        waiting = await desk.json("GET", "/api/v1/operator/unknown")
        assert [g["gateway"] for g in waiting["gateways"]] == ["GW-9"]
        assert waiting["devices"] == []
        csv = "gateway_id,name,lat,lon,district_id\nGW-9,Nueve,43.5,-5.6,centre\n"
        await desk.json("POST", "/api/v1/operator/gateways/import", content=csv, headers={"Content-Type": "text/csv"})
        waiting = await desk.json("GET", "/api/v1/operator/unknown")
        assert [d["name"] for d in waiting["devices"]] == ["A1"], "its letters were read again"
        assert waiting["gateways"] == []

    at_the_desk(database_url, main)


def test_a_list_says_what_it_would_do_before_it_does_it(database_url: str) -> None:
    async def main(desk: Desk) -> None:
        rows = "device_id,asset_id,gateway_id,profile_id,address\nX-1,L-1,GW-1,lamp,A1\nS-1,EQ-1,GW-1,room,\n"
        path, headers = "/api/v1/operator/devices/import", {"Content-Type": "text/csv"}
        would = await desk.json("POST", path, content=rows, headers=headers, params={"dry_run": "true"})
        assert would == {"added": ["X-1"], "changed": ["S-1"], "unchanged": 0, "version": 0, "complete": True}
        done = await desk.json("POST", path, content=rows, headers=headers)
        assert (done["added"], done["changed"]) == (["X-1"], ["S-1"])
        exported = await desk.http.get("/api/v1/operator/devices.csv")
        assert "X-1,L-1,GW-1,lamp,A1\n" in exported.text
        again = await desk.json("POST", path, content=exported.text, headers=headers)
        assert (again["added"], again["changed"], again["version"]) == ([], [], 0)
        wrong = await desk.json("POST", path, 422, content=rows.replace("L-1", "L-99"), headers=headers)
        assert "names no lamp" in wrong["error"]["message"]
        await desk.json("POST", path, 415, content=rows)
        await desk.json("POST", path, 400, content=b"\xff\xfe", headers=headers)

    at_the_desk(database_url, main)


def test_a_change_is_on_the_log_for_detection(database_url: str) -> None:
    async def main(desk: Desk) -> None:
        before = {p: end for p, (_, end) in (await desk.log.bounds(READINGS)).items()}
        body = {"asset": "L-1", "gateway": "GW-1", "profile": "lamp"}
        await desk.json("PUT", "/api/v1/operator/devices/X-1", json=body)
        told = []
        for partition, (_, end) in (await desk.log.bounds(READINGS)).items():
            if end > before[partition]:
                told += await desk.log.read(TopicPartition(READINGS, partition), before[partition])
        assert [record.kind for record in told] == [codec.REGISTRY]
        assert b'"X-1"' in told[0].value

    at_the_desk(database_url, main)


@pytest.mark.parametrize(
    ("device", "body", "status"),
    [
        ("X 1", {"asset": "L-1", "gateway": "GW-1", "profile": "lamp"}, 422),
        ("X-1", {"asset": "L-9", "gateway": "GW-1", "profile": "lamp"}, 422),
        ("X-1", {"asset": "L-1", "gateway": "GW-1"}, 422),
        ("X-1", {"asset": "L-1", "gateway": "GW-1", "profile": "lamp", "more": 1}, 422),
        ("X-1", {"asset": "L-1", "gateway": "GW-1", "profile": "lamp", "address": "S-1"}, 422),
        ("X-1", {"asset": "L-1", "gateway": "GW-1", "profile": "lamp", "address": "\u0007"}, 422),
    ],
)
def test_what_makes_no_sense_is_refused(database_url: str, device: str, body: dict[str, Any], status: int) -> None:
    async def main(desk: Desk) -> None:
        await desk.json("PUT", f"/api/v1/operator/devices/{device}", status, json=body)

    at_the_desk(database_url, main)


def test_an_operator_works_with_forms(database_url: str) -> None:
    async def main(desk: Desk) -> None:
        fields = {"device": "X-1", "asset": "L-1", "gateway": "GW-1", "profile": "lamp", "address": "A1"}
        answer = await desk.http.post("/operator/devices", data=fields, headers=PAGE)
        assert (answer.status_code, answer.headers["location"]) == (303, "/operator/devices/X-1")
        page = await desk.http.get("/operator/devices/X-1", headers=PAGE)
        assert 'value="A1"' in page.text
        wrong = await desk.http.post("/operator/devices", data={**fields, "asset": "L-99"}, headers=PAGE)
        assert wrong.status_code == 422
        assert 'value="L-99"' in wrong.text, "what was typed is kept"
        assert (await desk.http.post("/operator/devices/X-1/retire", headers=PAGE)).status_code == 303
        assert "X-1" in (await desk.http.get("/operator/devices?retired=true", headers=PAGE)).text
        preview = await desk.http.post(
            "/operator/import/profiles",
            data={"list": '[acme]\r\nmetrics = ["co2_ppm"]\r\nreport_interval_s = 60\r\nsilence_intervals = 3\r\n'},
            headers=PAGE,
        )
        assert 'name="do"' in preview.text
        changes = await desk.http.get("/operator/changes", headers=PAGE)
        assert "X-1" in changes.text
        for path in ("gateways", "profiles", "unknown", "devices"):
            assert (await desk.http.get(f"/operator/{path}", headers=PAGE)).status_code == 200
        assert (await desk.http.post("/operator/import/others", data={"list": "x"}, headers=PAGE)).status_code == 404
        assert (await desk.http.post("/operator/devices/X-1/burn", headers=PAGE)).status_code == 404

    at_the_desk(database_url, main)


PROFILE = """
[acme]
metrics = ["co2_ppm"]
report_interval_s = 60
silence_intervals = 3
codec = "acme.js"

[codecs]
"acme.js" = "function decodeUplink(input) { return { data: { co2_ppm: input.bytes[0] } }; }"
"""


def test_a_profile_comes_with_its_codec_and_one_that_cannot_be_compiled_is_refused(database_url: str) -> None:
    async def main(desk: Desk) -> None:
        path, headers = "/api/v1/operator/profiles/import", {"Content-Type": "application/toml"}
        done = await desk.json("POST", path, content=PROFILE, headers=headers)
        assert done["added"] == ["acme"]
        body = {"asset": "EQ-1", "gateway": "GW-1", "profile": "acme"}
        await desk.json("PUT", "/api/v1/operator/devices/X-1", json=body)
        async with desk.pool.connection() as connection:
            known = await load_ingest_registry(connection)
        assert "input.bytes[0]" in known.devices["X-1"].profile.codec
        wrong = await desk.json("POST", path, 422, content=PROFILE.replace("return {", "return {{"), headers=headers)
        assert wrong["error"]["message"].startswith("acme.js:1: ")
        wrong = await desk.json("POST", path, 422, content=PROFILE.replace('"acme.js"', '"x.js"', 1), headers=headers)
        assert "no file of the pack" in wrong["error"]["message"]

    at_the_desk(database_url, main)


def test_what_letters_hold_is_what_came(database_url: str) -> None:
    async def main(desk: Desk) -> None:
        await desk.receive("GW-1", {"device": "A1\u00e9", "at": NOW // 1000, "active_power_w": 5})
        async with desk.pool.connection() as connection:
            cursor = await connection.execute("SELECT reason, devices, payload FROM dead_letters")
            ((reason, devices, payload),) = await cursor.fetchall()
        assert (reason, devices) == ("bad-device", [])
        assert base64.b64encode(payload)

    at_the_desk(database_url, main)


def test_a_change_of_a_gateway_or_a_profile_tells_what_was_and_what_is(database_url: str) -> None:
    async def main(desk: Desk) -> None:
        for text in (
            "gateway_id,name,lat,lon,district_id\nGW-9,Nueve,43.5,-5.6,centre\n",
            "gateway_id,name,lat,lon,district_id\nGW-9,Nine,43.5,-5.7,centre\n",
        ):
            await desk.json(
                "POST", "/api/v1/operator/gateways/import", content=text, headers={"Content-Type": "text/csv"}
            )
        for interval in (60, 300):
            text = f'[acme]\nmetrics = ["active_power_w"]\nreport_interval_s = {interval}\nsilence_intervals = 3\n'
            text += f'[acme.names]\nP = {{ metric = "active_power_w", unit = "{"W" if interval == 60 else "kW"}" }}\n'
            await desk.json(
                "POST", "/api/v1/operator/profiles/import", content=text, headers={"Content-Type": "application/toml"}
            )
        told = (await desk.json("GET", "/api/v1/operator/registry/changes?limit=4"))["items"]
        fields = [{d["field"]: (d["before"], d["after"]) for d in event["differences"]} for event in told]
        assert fields[0] == {
            "report_interval_s": ("60", "300"),
            "names": ("P → active_power_w (W)", "P → active_power_w (kW)"),
        }
        assert fields[1]["metrics"] == ("", "active_power_w")
        assert fields[2] == {"name": ("Nueve", "Nine"), "lon": ("-5.6", "-5.7")}
        assert fields[3]["name"] == ("", "Nueve")
        page = (await desk.http.get("/operator/changes", headers=PAGE)).text
        assert "segundos entre informes: <del>60</del> → <ins>300</ins>" in page
        assert "nombre: <del>Nueve</del> → <ins>Nine</ins>" in page

    at_the_desk(database_url, main)


def test_an_unknown_gateway_is_added_by_its_form_and_a_mistake_is_told_in_the_readers_language(
    database_url: str,
) -> None:
    async def main(desk: Desk) -> None:
        await desk.receive("GW-9", {"device": "A84041", "at": NOW // 1000, "active_power_w": 5})
        page = (await desk.http.get("/operator/unknown", headers=PAGE)).text
        assert 'href="/operator/gateways?new=GW-9#add"' in page
        form = (await desk.http.get("/operator/gateways?new=GW-9", headers=PAGE)).text
        assert re.search(
            r'<details class="panel" id="add" open>.*?name="gateway_id"[^>]* value="GW-9"', form, re.DOTALL
        )
        fields = {"gateway_id": "GW-9", "name": "Nueve", "lat": "north", "lon": "-5.6", "district_id": "centre"}
        refused = await desk.http.post("/operator/gateways", data=fields, headers=PAGE)
        assert refused.status_code == 422
        assert "no es un número: escribe uno como 12.5, con punto" in refused.text
        assert 'value="Nueve"' in refused.text
        added = await desk.http.post(
            "/operator/gateways", data={**fields, "lat": "43.5"}, headers=PAGE, follow_redirects=True
        )
        assert "GW-9 es conocido desde ahora" in added.text
        await desk.work()
        waiting = await desk.json("GET", "/api/v1/operator/unknown")
        assert waiting["gateways"] == []
        assert [one["name"] for one in waiting["devices"]] == ["A84041"]

    at_the_desk(database_url, main)


def test_gateways_and_profiles_are_taken_out_and_brought_back_on_their_pages(database_url: str) -> None:
    async def main(desk: Desk) -> None:
        page = (await desk.http.get("/operator/gateways/GW-1", headers=PAGE)).text
        assert "Sí, retirarlo ahora" in page
        done = await desk.http.post("/operator/gateways/GW-1/retire", headers=PAGE, follow_redirects=True)
        assert str(done.url).endswith("/operator/gateways/GW-1")
        assert "retirado" in done.text
        assert "Sí, retirarlo ahora" not in done.text
        assert (await desk.json("GET", "/api/v1/operator/gateways"))["items"][0]["retired"]
        done = await desk.http.post("/operator/gateways/GW-1/restore", headers=PAGE, follow_redirects=True)
        assert "Sí, retirarlo ahora" in done.text
        assert (await desk.http.post("/operator/gateways/GW-1/sell", headers=PAGE)).status_code == 404
        assert (await desk.http.get("/operator/gateways/NONE", headers=PAGE)).status_code == 404
        await desk.json(
            "POST",
            "/api/v1/operator/profiles/import",
            content='[acme]\nmetrics = ["active_power_w"]\nreport_interval_s = 60\nsilence_intervals = 3\n',
            headers={"Content-Type": "application/toml"},
        )
        page = (await desk.http.get("/operator/profiles", headers=PAGE)).text
        assert 'action="/operator/profiles/acme/retire"' in page
        assert 'action="/operator/profiles/lamp/retire"' not in page
        assert "cuando tengan otro perfil, se podrá retirar" in page
        done = await desk.http.post("/operator/profiles/acme/retire", headers=PAGE, follow_redirects=True)
        assert 'action="/operator/profiles/acme/restore"' in done.text
        done = await desk.http.post("/operator/profiles/acme/restore", headers=PAGE, follow_redirects=True)
        assert 'action="/operator/profiles/acme/retire"' in done.text

    at_the_desk(database_url, main)
