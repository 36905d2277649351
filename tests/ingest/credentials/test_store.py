"""The table of credentials: logins, rotation, life, events, and what is refused."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import psycopg
import pytest

from city.clock import DAY_US, HOUR_US, SECOND_US
from city.errors import CityNerveError, ConflictError, DataError, NotFoundError
from ingest.credentials import reads, store
from ingest.credentials.hashing import Verifier
from ingest.credentials.model import State
from ingest.credentials.sealed import Opener
from ingest.credentials.store import Change, Topics
from storage.pool import Pool, open_pool

NOW = 1_790_000_000 * SECOND_US
BY = Change("operator", NOW)


def later(us: int) -> Change:
    return replace(BY, now_us=NOW + us)


@asynccontextmanager
async def registered(url: str) -> AsyncIterator[Pool]:
    """A pool on a database with two gateways."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO assets (asset_id, kind, name, root_id, correlation_group, gateway_id, lat, lon, attributes)"
            " SELECT name, 'gateway', name, name, name, name, 43.5, -5.6, '{}' FROM unnest(ARRAY['GW-1', 'GW-2']) name"
            " ON CONFLICT DO NOTHING"
        )
        connection.execute("INSERT INTO gateways (gateway_id) VALUES ('GW-1'), ('GW-2') ON CONFLICT DO NOTHING")
    pool = await open_pool(url, size=6)
    try:
        yield pool
    finally:
        await pool.close()


def run(url: str, work: Callable[[Pool], Awaitable[None]]) -> None:
    async def main() -> None:
        async with registered(url) as pool:
            await work(pool)

    asyncio.run(main())


async def logins(pool: Pool, now_us: int = NOW) -> list[str]:
    async with pool.connection() as connection:
        return [grant.login for grant in (await reads.grants(connection, now_us))[0]]


async def told(pool: Pool, credential_id: int) -> list[str]:
    async with pool.connection() as connection:
        return [event["kind"] for event in await reads.events(connection, credential_id)]


def test_a_password_is_shown_once_and_kept_nowhere(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        issued = await store.create(pool, "GW-1", BY)
        assert (issued.credential.login, issued.credential.publish) == ("GW-1", ("citynerve/v1/GW-1/+",))
        async with pool.connection() as connection:
            (grant,), ends = await reads.grants(connection, NOW)
        assert ends is None
        verifier = Verifier()
        assert await verifier.verify(grant.login, "", grant.password_hash, issued.password)
        verifier.close()
        with psycopg.connect(database_url) as connection_:
            everything = connection_.execute(
                "SELECT (SELECT string_agg(c::text, '') FROM credentials c)"
                " || (SELECT string_agg(e::text, '') FROM credential_events e)"
            ).fetchone()
        assert everything is not None
        assert issued.password not in everything[0]

    run(database_url, work)


def test_rotation_lets_old_and_new_in_together_and_then_the_old_one_ends(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        first = (await store.create(pool, "GW-1", BY, Topics(("app/+/up",), ("app/+/down",)))).credential
        second, old = await store.rotate(pool, first.credential_id, BY, HOUR_US)
        assert (second.credential.login, second.credential.publish) == ("GW-1~2", first.publish)
        assert second.credential.read == first.read
        assert old.expires_at == NOW + HOUR_US
        assert await logins(pool) == ["GW-1", "GW-1~2"]
        assert await logins(pool, NOW + HOUR_US) == ["GW-1~2"]
        assert old.state(NOW + HOUR_US) is State.ENDED
        assert await told(pool, first.credential_id) == ["created", "replaced"]
        with pytest.raises(ConflictError, match="GW-1 is ended: create a new credential"):
            await store.rotate(pool, first.credential_id, later(HOUR_US), 0)

    run(database_url, work)


def test_rotation_without_overlap_ends_the_old_one_at_once(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        first = (await store.create(pool, "GW-1", BY)).credential
        _, old = await store.rotate(pool, first.credential_id, BY, 0)
        assert old.state(NOW) is State.REVOKED
        assert await logins(pool) == ["GW-1~2"]
        assert await told(pool, first.credential_id) == ["created", "revoked", "replaced"]

    run(database_url, work)


def test_the_new_one_lives_as_long_as_the_old_one_was_given_and_the_old_one_no_longer(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        first = (await store.create(pool, "GW-1", BY, expires_at=NOW + DAY_US)).credential
        at = later(23 * HOUR_US)
        new, old = await store.rotate(pool, first.credential_id, at, 10 * HOUR_US)
        assert old.expires_at == NOW + DAY_US
        assert new.credential.expires_at == at.now_us + DAY_US
        chosen, _ = await store.rotate(pool, new.credential.credential_id, at, HOUR_US, 7 * DAY_US)
        assert chosen.credential.expires_at == at.now_us + 7 * DAY_US
        endless = (await store.create(pool, "GW-2", BY)).credential
        assert (await store.rotate(pool, endless.credential_id, at, HOUR_US))[0].credential.expires_at is None

    run(database_url, work)


def test_what_is_being_replaced_is_not_rotated_again(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        first = (await store.create(pool, "GW-1", BY)).credential
        await store.rotate(pool, first.credential_id, BY, HOUR_US)
        with pytest.raises(ConflictError, match="GW-1 is being replaced by GW-1~2 already: rotate that one"):
            await store.rotate(pool, first.credential_id, later(SECOND_US), HOUR_US)
        assert await logins(pool) == ["GW-1", "GW-1~2"]

    run(database_url, work)


def test_what_is_revoked_stays_revoked_and_its_login_is_never_given_again(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        first = (await store.create(pool, "GW-1", BY)).credential
        await store.revoke(pool, first.credential_id, BY)
        again = await store.revoke(pool, first.credential_id, later(SECOND_US))
        assert again.revoked_at == NOW
        assert await told(pool, first.credential_id) == ["created", "revoked"]
        assert await logins(pool) == []
        assert (await store.create(pool, "GW-1", BY)).credential.login == "GW-1~2"

    run(database_url, work)


def test_each_change_says_who_made_it_and_what_was_before(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        first = (await store.create(pool, "GW-1", BY)).credential
        await store.set_topics(pool, first.credential_id, Change("command-line", NOW), Topics(("app/+/up",)))
        async with pool.connection() as connection:
            event = (await reads.events(connection, first.credential_id))[-1]
        assert (event["kind"], event["actor"]) == ("topics", "command-line")
        assert event["detail"]["before"]["publish"] == ["citynerve/v1/GW-1/+"]
        assert event["detail"]["publish"] == ["app/+/up"]

    run(database_url, work)


def test_a_version_changes_with_every_change(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        seen = []

        async def look() -> None:
            async with pool.connection() as connection:
                seen.append(await reads.version(connection))

        await look()
        first = (await store.create(pool, "GW-1", BY)).credential
        await look()
        await store.set_topics(pool, first.credential_id, BY, Topics(("a/b",)))
        await look()
        second, _ = await store.rotate(pool, first.credential_id, BY, HOUR_US)
        await look()
        await store.revoke(pool, second.credential.credential_id, BY)
        await look()
        assert len(set(seen)) == len(seen)

    run(database_url, work)


def test_many_at_once_get_each_a_login_of_their_own_and_no_more_than_eight(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        made = await asyncio.gather(*(store.create(pool, "GW-1", BY) for _ in range(12)), return_exceptions=True)
        given = [one.credential.login for one in made if isinstance(one, store.Issued)]
        assert sorted(given) == sorted(["GW-1", *(f"GW-1~{number}" for number in range(2, 9))])
        refused = [one for one in made if isinstance(one, CityNerveError)]
        assert len(refused) == 4
        assert all("revoke those that it does not use" in str(one) for one in refused)

    run(database_url, work)


@pytest.mark.parametrize(
    ("gateway", "topics", "kind", "told_"),
    [
        ("GW-9", Topics(), NotFoundError, "gateway 'GW-9' is not in the registry"),
        ("citynerve-ingest", Topics(), DataError, "citynerve's own"),
        ("GW-1", Topics(("a/b+",)), DataError, "no topic filter"),
        ("GW-1", Topics(("$SYS/#",)), DataError, "the broker's own"),
        ("GW-1", Topics(("$share/x/#",)), DataError, "the broker's own"),
        ("GW-1", Topics(("#",)), DataError, "ingest's own"),
        ("GW-1", Topics(("+/ingest/x",)), DataError, "ingest's own"),
        ("GW-1", Topics(("a",), ("citynerve/#",)), DataError, "ingest's own"),
        ("GW-1", Topics(tuple(f"a/{n}" for n in range(33))), DataError, "at most 32"),
        ("GW-1", Topics(()), DataError, "neither publish nor read"),
    ],
)
def test_what_nobody_may_be_given_is_refused_with_the_reason(
    database_url: str, gateway: str, topics: Topics, kind: type[CityNerveError], told_: str
) -> None:
    async def work(pool: Pool) -> None:
        with pytest.raises(kind, match=told_.replace("(", r"\(")):
            await store.create(pool, gateway, BY, topics)
        assert await logins(pool) == []

    run(database_url, work)


def test_a_life_that_is_over_is_refused_and_one_that_ends_is_told(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        with pytest.raises(DataError, match="run out"):
            await store.create(pool, "GW-1", BY, expires_at=NOW)
        await store.create(pool, "GW-1", BY, expires_at=NOW + DAY_US)
        await store.create(pool, "GW-2", BY, expires_at=NOW + HOUR_US)
        async with pool.connection() as connection:
            assert (await reads.grants(connection, NOW))[1] == NOW + HOUR_US

    run(database_url, work)


def test_pages_have_the_newest_first_and_what_is_over_only_where_asked_for(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        made = [(await store.create(pool, gateway, BY)).credential for gateway in ("GW-1", "GW-2", "GW-1")]
        await store.revoke(pool, made[1].credential_id, BY)
        async with pool.connection() as connection:
            assert [one.login for one in await reads.page(connection, NOW)] == ["GW-1~2", "GW-1"]
            every = await reads.page(connection, NOW, past=True, count=2)
            assert [one.login for one in every] == ["GW-1~2", "GW-2"]
            rest = await reads.page(connection, NOW, past=True, before=every[-1].credential_id)
            assert [one.login for one in rest] == ["GW-1"]
            assert [one.login for one in await reads.page(connection, NOW, gateway_id="GW-2", past=True)] == ["GW-2"]
            assert await reads.find(connection, "GW-1~2") == made[2].credential_id
            with pytest.raises(NotFoundError, match="credentials list --all"):
                await reads.find(connection, "GW-7")

    run(database_url, work)


def test_a_name_without_a_valid_certificate_stays_refused_until_it_has_a_new_one(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        async def refused(now_us: int) -> list[str]:
            async with pool.connection() as connection:
                return await reads.refused_names(connection, now_us)

        revoked = await store.add_certificate(pool, "GW-1", BY, "a1", NOW + HOUR_US)
        await store.add_certificate(pool, "GW-2", BY, "b1", NOW + HOUR_US)
        assert await refused(NOW) == []
        await store.revoke(pool, revoked.credential_id, BY)
        assert await refused(NOW) == ["GW-1"]
        assert await refused(NOW + DAY_US) == ["GW-1", "GW-2"], "both have run out, and their connections may be open"
        await store.add_certificate(pool, "GW-1", later(DAY_US), "a2", NOW + 2 * DAY_US)
        assert await refused(NOW + DAY_US) == ["GW-2"]
        assert await refused(NOW + 3 * DAY_US) == ["GW-1", "GW-2"]

    run(database_url, work)


def test_a_password_is_sealed_for_the_keeper_once_it_has_told_its_key(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        keeper = Opener("the administration password")
        await store.create(pool, "GW-1", BY)
        async with pool.connection() as connection:
            await reads.publish_keeper_key(connection, keeper.public_key)
        issued = await store.create(pool, "GW-1", BY)
        async with pool.connection() as connection:
            before, after = (await reads.grants(connection, NOW))[0]
        assert before.sealed is None
        assert after.sealed is not None
        assert keeper.open(after.sealed) == issued.password

    run(database_url, work)
