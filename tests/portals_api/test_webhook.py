"""Messages over HTTPS: answered after the append, set aside rather than refused, and only from who may send them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import time
from typing import Any

import httpx2
import pytest

from city.clock import SystemClock
from city.profile import parse_pack
from city.registry import IngestRegistry
from city.topics import DEAD_LETTERS, READINGS
from ingest.credentials import store
from ingest.credentials.keeper import CredentialKeeper
from ingest.credentials.store import Change
from ingest.fairness import FairnessOptions
from ingest.formats.parsed import PAYLOAD_BYTES_MAX
from ingest.web.access import WebAccess
from ingest.web.door import Door, DoorOptions
from portals_api.deps import PortalDeps, PortalOptions
from portals_api.factory import create_app
from portals_api.webhook import Webhook
from storage.layout import apply_layout
from storage.pool import Pool, open_pool, transaction
from stream import codec, installation, registry
from stream.codec import DeadLetter
from stream.log import EventLog
from stream.logs.postgres import open_postgres_log
from stream.store import StoreStage
from tests.ingest.formats.packs import example, pack_files, payload_of
from tests.ingest.world import HeldLog, eventually, make_topics, records_of, running
from tests.stream.harness import drive, rows

NATIVE = b'{"device":"LD-9","at":"2026-11-23T18:00:00Z","active_power_w":36.1}'


@dataclass
class World:
    """A city with one light behind gateway CB-1, its door, and a client that knows CB-1's password."""

    http: httpx2.AsyncClient
    pool: Pool
    log: EventLog
    held: HeldLog
    login: str
    password: str
    credential_id: int
    known: list[IngestRegistry] = field(default_factory=list)

    async def send(self, payload: bytes, path: str = "CB-1/readings", **more: Any) -> httpx2.Response:
        more.setdefault("auth", (self.login, self.password))
        return await self.http.post(f"/ingest/v1/{path}", content=payload, **more)

    async def letters(self) -> list[DeadLetter]:
        return [codec.decode(DeadLetter, record.value) for record in await records_of(self.log, DEAD_LETTERS)]

    async def readings(self) -> int:
        return sum(len(codec.decode_batch(record.value)) for record in await records_of(self.log, READINGS))

    async def stored(self) -> list[tuple[Any, ...]]:
        await drive(self.pool, StoreStage(), *await records_of(self.log, READINGS))
        return await rows(
            self.pool,
            "SELECT d.device_id, s.metric, r.value FROM readings r JOIN series s USING (series_id)"
            " JOIN devices d USING (device_id) ORDER BY 1, 2, r.observed_at",
        )


@asynccontextmanager
async def world(
    url: str, options: DoorOptions | None = None, portal: PortalOptions | None = None
) -> AsyncIterator[World]:
    told = example("ngsi-ld")
    told["devices"].append("LD-9,EQ-1,CB-1,lamp,")
    pack = parse_pack(pack_files(told))
    pool = await open_pool(url)
    async with transaction(pool) as connection:
        await installation.ensure_installation(connection, city=pack.name, timezone=pack.timezone, simulated=True)
        await registry.import_pack(connection, pack, 1)
        await apply_layout(connection, pack.timezone)
    async with pool.connection() as connection:
        known = [await registry.load_ingest_registry(connection)]
    issued = await store.create(pool, "CB-1", Change("operator", int(time() * 1e6)))
    log = await open_postgres_log(pool)
    await make_topics(log)
    access, held = WebAccess(), HeldLog(log)
    door = Door(held, lambda: known[0], SystemClock(), options)  # type: ignore[arg-type]
    app = create_app(PortalDeps(pool, log, SystemClock(), portal or PortalOptions(), webhook=Webhook(access, door)))
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        running(CredentialKeeper(pool, access, poll_s=0.05, notes=False), door),
        httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http,
    ):
        while not door._open or not access._grants:  # noqa: ASYNC110 - what is waited for happens in tasks
            await asyncio.sleep(0.01)
        credential = issued.credential
        yield World(http, pool, log, held, credential.login, issued.password, credential.credential_id, known)
    await log.close()
    await pool.close()


def test_a_message_is_answered_after_the_append_and_not_before(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as w:
            w.held.open.clear()
            w.held.waiting.clear()
            sending = asyncio.create_task(w.send(NATIVE))
            await asyncio.wait_for(w.held.waiting.wait(), 10)
            await asyncio.sleep(0.2)
            assert not sending.done()
            assert await w.readings() == 0
            w.held.open.set()
            answer = await sending
            assert (answer.status_code, answer.json()) == (200, {"readings": 1, "set_aside": {}})
            assert await w.readings() == 1

    asyncio.run(main())


def test_notifications_of_a_context_broker_come_in_as_over_mqtt(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as w:
            told = example("ngsi-ld")
            answers = [await w.send(payload_of(m), "CB-1/ngsi-ld") for m in told["messages"]]
            assert [answer.status_code for answer in answers] == [200, 200]
            assert sum(answer.json()["readings"] for answer in answers) == len(told["readings"])
            assert len(await w.stored()) == len(told["readings"])

    asyncio.run(main())


def test_a_message_that_comes_again_is_stored_once(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as w:
            assert [(await w.send(NATIVE)).status_code for _ in range(3)] == [200, 200, 200]
            assert await w.stored() == [("LD-9", "active_power_w", 36.1)]
            assert await rows(w.pool, "SELECT sum(stored), sum(duplicate) FROM ledger") == [(1, 2)]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("payload", "path", "reason"),
    [
        (b"{", "CB-1/readings", "not-json"),
        (b"", "CB-1/ngsi-ld", "not-json"),
        (NATIVE.replace(b"LD-9", b"LD-8"), "CB-1/readings", "unknown-device"),
        (NATIVE.replace(b"LD-9", b"S-1"), "CB-1/readings", "wrong-gateway"),
        (NATIVE, "CB-1/morse", "unknown-format"),
    ],
)
def test_what_cannot_be_understood_is_taken_and_set_aside(
    database_url: str, payload: bytes, path: str, reason: str
) -> None:
    async def main() -> None:
        async with world(database_url) as w:
            answer = await w.send(payload, path)
            told = {"readings": 0, "set_aside": {reason: 1}}
            if reason == "wrong-gateway":
                told = answer.json()
                assert set(told["set_aside"]) <= {"wrong-gateway", "unknown-device"}  # type: ignore[arg-type]
            assert (answer.status_code, answer.json()) == (200, told)
            assert len(await w.letters()) == 1
            assert await w.readings() == 0

    asyncio.run(main())


def test_each_sender_hears_of_his_own_message_alone(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as w:
            payloads = [b"{", NATIVE, NATIVE.replace(b"LD-9", b"LD-8"), NATIVE]
            answers = await asyncio.gather(*(w.send(payload) for payload in payloads))
            assert [answer.json() for answer in answers] == [
                {"readings": 0, "set_aside": {"not-json": 1}},
                {"readings": 1, "set_aside": {}},
                {"readings": 0, "set_aside": {"unknown-device": 1}},
                {"readings": 1, "set_aside": {}},
            ]

    asyncio.run(main())


def test_requests_of_a_moment_share_an_append(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as w:
            await w.send(NATIVE)
            before = w.held.appends
            answers = await asyncio.gather(*(w.send(NATIVE) for _ in range(60)))
            assert {answer.status_code for answer in answers} == {200}
            assert w.held.appends - before <= 10
            assert await w.readings() == 61

    asyncio.run(main())


def test_nobody_comes_in_without_the_gateways_own_password(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as w:
            refused = [
                await w.http.post("/ingest/v1/CB-1/readings", content=NATIVE),
                await w.send(NATIVE, auth=(w.login, "wrong")),
                await w.send(NATIVE, auth=("nobody", w.password)),
                await w.send(NATIVE, auth=("", "")),
                await w.send(NATIVE, auth=None, headers={"Authorization": "Basic !"}),
                await w.send(NATIVE, auth=None, headers={"Authorization": f"Bearer {w.password}"}),
            ]
            await asyncio.sleep(2.1)  # He who was wrong is not heard for a moment.
            refused += [
                await w.send(NATIVE, "GW-1/readings"),
                await w.send(NATIVE, "+/readings"),
            ]
            assert [answer.status_code for answer in refused] == [401] * 8
            assert all(answer.headers["www-authenticate"].startswith("Basic ") for answer in refused)
            assert (await w.readings(), await w.letters()) == (0, [])
            assert (await w.send(NATIVE)).status_code == 200

    asyncio.run(main())


def test_neither_time_nor_answer_tells_which_logins_there_are(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as w:
            for login in (w.login, "nobody"):
                answers = [await w.send(NATIVE, auth=(login, f"wrong {n}")) for n in range(2)]
                assert [answer.status_code for answer in answers] == [401, 503], login

    asyncio.run(main())


def test_a_revoked_password_ends_at_once(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as w:
            assert (await w.send(NATIVE)).status_code == 200
            await store.revoke(w.pool, w.credential_id, Change("operator", int(time() * 1e6)))
            answers = [(await w.send(NATIVE, headers={"x-try": str(n)})).status_code for n in range(20)]
            assert answers == sorted(answers)
            await asyncio.sleep(1)
            assert (await w.send(NATIVE)).status_code in (401, 503)
            await asyncio.sleep(2.1)  # He who was wrong is not heard for a moment.
            assert (await w.send(NATIVE)).status_code == 401

    asyncio.run(main())


def test_a_message_that_is_too_large_is_refused_with_413(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as w:
            room = PAYLOAD_BYTES_MAX - len(NATIVE)
            assert (await w.send(NATIVE + b" " * room)).json()["readings"] == 1
            assert (await w.send(NATIVE + b" " * (room + 1))).status_code == 413

            async def pieces() -> AsyncIterator[bytes]:
                for _ in range(5):
                    yield b" " * (PAYLOAD_BYTES_MAX // 4)

            auth = (w.login, w.password)
            answer = await w.http.post("/ingest/v1/CB-1/readings", content=pieces(), auth=auth)
            assert answer.status_code == 413
            assert (await w.http.post("/api/v1/reports", content=b" " * 70_000)).status_code == 413

    asyncio.run(main())


def test_who_comes_when_there_is_no_room_is_asked_to_come_again(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url, DoorOptions(of_a_gateway_max=3)) as w:
            await w.send(NATIVE)  # From now on the password is known, and requests follow each other in an instant.
            w.held.open.clear()
            sending = [asyncio.create_task(w.send(NATIVE)) for _ in range(3)]
            await asyncio.sleep(0.5)
            refused = await w.send(NATIVE)
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too-many-requests")
            assert int(refused.headers["retry-after"]) > 0
            w.held.open.set()
            assert [(await task).status_code for task in sending] == [200, 200, 200]
            assert (await w.send(NATIVE)).status_code == 200

    asyncio.run(main())


def test_one_gateway_fills_neither_the_room_nor_the_log(database_url: str) -> None:
    async def main() -> None:
        few = FairnessOptions(refusals_per_s=0.1, refusals_burst=3)
        options = DoorOptions(bytes_of_a_gateway_max=1_000, fairness=few)
        async with world(database_url, options) as w:
            answer = await w.send(b"x" * 1_001)
            assert answer.status_code == 429
            assert answer.headers["retry-after"]
            answers = [(await w.send(b"{")).status_code for _ in range(6)]
            assert answers == [200, 200, 200, 200, 429, 429], "nothing of it is understood"
            assert len(await w.letters()) == 4

    asyncio.run(main())


def test_who_has_no_room_is_told_so_before_a_byte_of_his_message_is_read(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url, DoorOptions(of_a_gateway_max=1)) as w:
            await w.send(NATIVE)
            read, whole = [], asyncio.Event()

            async def slowly(name: str) -> AsyncIterator[bytes]:
                read.append(name)
                await whole.wait()
                yield NATIVE

            async def send(name: str) -> httpx2.Response:
                auth = (w.login, w.password)
                return await w.http.post("/ingest/v1/CB-1/readings", content=slowly(name), auth=auth)

            first = asyncio.create_task(send("first"))
            await eventually(lambda: read == ["first"])
            assert (await send("second")).status_code == 429
            assert read == ["first"]
            whole.set()
            assert (await first).status_code == 200
            assert (await send("third")).status_code == 200

    asyncio.run(main())


def test_a_body_that_does_not_come_is_not_waited_for(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url, DoorOptions(of_a_gateway_max=1), PortalOptions(body_s_max=0.5)) as w:

            async def drops() -> AsyncIterator[bytes]:
                for _ in range(100):
                    yield b" "
                    await asyncio.sleep(0.1)

            answer = await w.http.post("/ingest/v1/CB-1/readings", content=drops(), auth=(w.login, w.password))
            assert (answer.status_code, answer.json()["error"]["code"]) == (408, "timeout")
            assert answer.headers["retry-after"]
            assert (await w.send(NATIVE)).status_code == 200, "its room is free again"

    asyncio.run(main())


def test_a_log_that_does_not_answer_sends_away_and_takes_again(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url, DoorOptions(append_patience_s=0.3, backoff_s=0.1)) as w:
            w.held.fail = True
            refused = await w.send(NATIVE)
            assert refused.status_code == 503
            assert await w.readings() == 0
            w.held.fail = False
            assert (await w.send(NATIVE)).status_code == 200
            assert await w.readings() == 1

    asyncio.run(main())


def test_before_the_registry_is_read_nothing_is_taken(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as w:
            known = w.known[0]
            w.known[0] = IngestRegistry({}, {}, -1)
            assert (await w.send(NATIVE)).status_code == 503
            w.known[0] = known
            assert (await w.send(NATIVE)).status_code == 200
            assert await w.letters() == []

    asyncio.run(main())


def test_numbers_of_messages_are_kept_for_the_ledger(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as w:
            body = json.loads(NATIVE)
            for number in (5, 6, 9):
                assert (await w.send(json.dumps({**body, "n": number, "epoch": "a"}).encode())).status_code == 200
            await w.stored()
            [(gaps,)] = await rows(w.pool, "SELECT sum(upper(numbers) - lower(numbers)) FROM ledger_gaps")
            assert gaps == 2

    asyncio.run(main())


def test_log_reports_of_talq_are_answered_as_talq_wants(database_url: str) -> None:
    async def main() -> None:
        async with world(database_url) as w:
            data = {"type": "AttributeLogData", "srcAddress": "LD-9/lampMonitor1", "timestamp": "2026-11-23T18:00:00Z"}
            value = {"attributeName": "active_power_w", "attributeValue": {"type": "AttributeFloat", "value": 36.1}}
            body = json.dumps({"address": "logger-1", "entries": [{"data": data | value}]}).encode()
            sender = {"clientAddress": "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "talqRequestId": "1"}
            answer = await w.send(body, "CB-1/talq/log-reports", params=sender, headers={"talq-api-version": "2.7.1"})
            assert (answer.status_code, answer.json()) == (201, {"readings": 1, "set_aside": {}})
            assert await w.stored() == [("LD-9", "active_power_w", 36.1)]

    asyncio.run(main())


def test_without_a_door_there_is_no_such_route(database_url: str) -> None:
    async def main() -> None:
        pool = await open_pool(database_url)
        log = await open_postgres_log(pool)
        transport = httpx2.ASGITransport(app=create_app(PortalDeps(pool, log, SystemClock())))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            assert (await http.post("/ingest/v1/CB-1/readings", content=NATIVE)).status_code in (404, 503)
        await log.close()
        await pool.close()

    asyncio.run(main())
