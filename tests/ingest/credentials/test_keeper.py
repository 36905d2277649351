"""The keeper: the table is the truth, whatever brokers remember and whenever they answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from city.clock import HOUR_US, ManualClock
from city.errors import EngineError, SettingsError
from ingest.credentials import reads, store
from ingest.credentials.engines.embedded import EmbeddedAccess, Visitor
from ingest.credentials.engines.mosquitto import MosquittoAccess, MosquittoOptions
from ingest.credentials.keeper import CredentialKeeper
from ingest.credentials.metrics import AccessMetrics
from ingest.credentials.model import Credential
from ingest.credentials.store import Change, Topics
from storage.pool import Pool, fetch_all
from tests.ingest.credentials.conftest import ADMIN, Client, Dynsec, dynsec
from tests.ingest.credentials.test_store import BY, NOW, registered
from tests.ingest.world import eventually
from tests.support.exposition import sample


@asynccontextmanager
async def keeping(keeper: CredentialKeeper) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(keeper.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


async def admitted(access: EmbeddedAccess, login: str, password: str) -> bool:
    return await access.admit(Visitor(login, password, "test")) is not None


def test_every_change_of_the_table_is_at_the_embedded_broker_within_two_seconds(database_url: str) -> None:
    async def main() -> None:
        access, clock = EmbeddedAccess(anonymous=False), ManualClock(NOW)
        async with registered(database_url) as pool, keeping(CredentialKeeper(pool, access, now_us=clock.now_us)):
            first = await store.create(pool, "GW-1", BY)
            await eventually(lambda: access.knows("GW-1"), 2)
            assert await admitted(access, "GW-1", first.password)
            second, _ = await store.rotate(pool, first.credential.credential_id, BY, HOUR_US)
            await eventually(lambda: access.knows("GW-1~2"), 2)
            assert await admitted(access, "GW-1", first.password)
            # Nothing is said when time has come: it only passes.
            clock.advance(3600)
            await eventually(lambda: not access.knows("GW-1"), 2)
            identity = second.credential.credential_id
            await store.set_topics(pool, identity, Change("operator", clock.now_us()), Topics(("vendor/#",)))
            await eventually(lambda: access.may("GW-1~2", "vendor/a", publish=True), 2)
            await store.revoke(pool, identity, Change("operator", clock.now_us()))
            await eventually(lambda: not access.knows("GW-1~2"), 2)
            assert not await admitted(access, "GW-1~2", second.password)

    asyncio.run(main())


async def in_force(pool: Pool, issued: store.Issued, now_us: int = NOW) -> bool:
    async with pool.connection() as connection:
        found = await reads.one(connection, issued.credential.credential_id)
    return found.in_force_at(now_us) is not None


def test_a_change_is_on_its_way_until_the_broker_was_told_of_it(database_url: str) -> None:
    async def main() -> None:
        clock = ManualClock(NOW)
        async with registered(database_url) as pool:
            keeper = CredentialKeeper(pool, EmbeddedAccess(), now_us=clock.now_us)
            first, other = await store.create(pool, "GW-1", BY), await store.create(pool, "GW-2", BY)
            assert not await in_force(pool, first)
            beside = CredentialKeeper(pool, EmbeddedAccess(), notes=False, now_us=clock.now_us)
            await beside.start()
            assert not await in_force(pool, first), "a door beside the broker says nothing of the broker"
            await keeper.start()
            assert await in_force(pool, first)
            await store.revoke(pool, first.credential.credential_id, BY)
            assert (await in_force(pool, first), await in_force(pool, other)) == (False, True)
            await keeper.start()
            assert await in_force(pool, first)

    asyncio.run(main())


def test_what_has_run_out_is_in_force_until_the_broker_was_told_again() -> None:
    at = NOW + HOUR_US
    ends = Credential(1, "GW-1", "GW-1", "password", "", (), (), NOW, "operator", at, None, NOW, NOW)
    assert ends.in_force_at(NOW) == NOW
    assert ends.in_force_at(at) is None
    assert replace(ends, kept_at=at).in_force_at(at) == at
    assert replace(ends, told_at=None, kept_at=at).in_force_at(at) is None


class Failing:
    """An engine that fails as long as the test wants it to."""

    def __init__(self) -> None:
        self.fails = True
        self.orders = 0

    async def apply(self, grants: object) -> object:
        self.orders += 1
        if self.fails:
            raise EngineError("away")
        return await EmbeddedAccess().apply(grants)  # type: ignore[arg-type]

    async def close(self) -> None:
        """Nothing to close."""


def test_a_broker_that_does_not_answer_is_told_later_and_shows_meanwhile(database_url: str) -> None:
    async def main() -> None:
        registry, engine = CollectorRegistry(), Failing()
        async with registered(database_url) as pool:
            keeper = CredentialKeeper(pool, engine, AccessMetrics(registry), poll_s=0.05)  # type: ignore[arg-type]
            async with keeping(keeper):
                await store.create(pool, "GW-1", BY)
                await eventually(lambda: engine.orders >= 2)
                assert sample(registry, "citynerve_credentials_behind") == 1
                engine.fails = False
                await eventually(lambda: sample(registry, "citynerve_credentials_behind") == 0)
                assert sample(registry, "citynerve_credentials_valid") == 1

    asyncio.run(main())


@pytest.fixture
def mosquitto_keeps(tmp_path: Path) -> Dynsec:
    return dynsec(tmp_path)


def access_of(server: Dynsec, password: str = "a%20password%20for%20the%20administration") -> MosquittoAccess:
    return MosquittoAccess(MosquittoOptions(f"mqtt://{ADMIN}:{password}@127.0.0.1:{server.port}", answer_s=5))


def keeper_of(pool: Pool, access: MosquittoAccess, metrics: AccessMetrics | None = None) -> CredentialKeeper:
    return CredentialKeeper(pool, access, metrics, again_s=0.5, alone=True, public_key=access.public_key)


def enters(server: Dynsec, user: str, password: str) -> bool:
    client = Client(server.port, user, password)
    entered = client.enter()
    client.leave()
    return entered


def test_mosquitto_killed_and_robbed_of_its_file_knows_everybody_again(
    database_url: str, mosquitto_keeps: Dynsec
) -> None:
    server = mosquitto_keeps

    async def main() -> None:
        registry = CollectorRegistry()
        async with registered(database_url) as pool:
            before = await store.create(pool, "GW-2", BY)
            # Two processes keep the same broker, and it is not there yet.
            metrics = AccessMetrics(registry)
            async with (
                keeping(keeper_of(pool, access_of(server), metrics)),
                keeping(keeper_of(pool, access_of(server))),
            ):
                await eventually(lambda: sample(registry, "citynerve_credentials_behind") == 1)
                await asyncio.to_thread(server.start)
                await eventually(lambda: sample(registry, "citynerve_credentials_behind") == 0)
                issued = await store.create(pool, "GW-1", BY)
                name, word = issued.credential.login, issued.password
                await _until(lambda: enters(server, name, word))
                await asyncio.to_thread(server.kill)
                server.begin_anew()
                await asyncio.to_thread(server.start)
                await _until(lambda: enters(server, name, word))
                # Made before the broker had a keeper: nobody knows the password any more, and that is told.
                await eventually(lambda: sample(registry, "citynerve_credentials_to_rotate") == 1)
                kept = await fetch_all(
                    pool, "SELECT to_rotate, told_at > now() - interval '1 min' FROM credential_keeper"
                )
                assert kept == [(["GW-2"], True)]
                assert not await asyncio.to_thread(enters, server, "GW-2", before.password)
                await eventually(lambda: sample(registry, "citynerve_credentials_behind") == 0)
                assert (await in_force(pool, issued), await in_force(pool, before)) == (True, False)
                certificate = await store.add_certificate(pool, "GW-1", BY, "a1", NOW + HOUR_US)
                await asyncio.sleep(1.5)
                assert not await in_force(pool, store.Issued(certificate, "")), "Mosquitto learns of it by lists"
                assert word not in server.log.read_text()

    try:
        asyncio.run(asyncio.wait_for(main(), 120))
    finally:
        server.stop()


def test_a_wrong_administration_password_is_explained(mosquitto_keeps: Dynsec) -> None:
    mosquitto_keeps.start()
    try:
        with pytest.raises(SettingsError, match="CITYNERVE_MQTT_ADMIN_URL needs the user"):
            asyncio.run(access_of(mosquitto_keeps, "wrong").apply([]))
    finally:
        mosquitto_keeps.stop()
    with pytest.raises(EngineError, match="does not answer"):
        asyncio.run(access_of(mosquitto_keeps).apply([]))


async def _until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - what is waited for happens on a server
            await asyncio.sleep(0.1)
