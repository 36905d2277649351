"""`citynerve credentials …`: who may connect to the broker, and publish and read where."""

from typing import Any

from app import wiring
from app.settings import Settings
from city.clock import DAY_US, HOUR_US, SystemClock
from ingest.credentials import reads, store
from ingest.credentials.store import Change, Topics
from ingest.credentials.told import told, told_once

ACTOR = "command-line"
"""What events say of who acts through any command."""


def change() -> Change:
    """Return a change that is made here and now."""
    return Change(ACTOR, SystemClock().now_us())


async def list_credentials(settings: Settings, gateway: str | None, count: int, *, past: bool) -> list[dict[str, Any]]:
    """Return credentials, the newest first."""
    now_us = SystemClock().now_us()
    async with wiring.pool(wiring.database_url(settings)) as pool, pool.connection() as connection:
        found = await reads.page(connection, now_us, gateway_id=gateway, past=past, count=count)
    return [told(credential, now_us) for credential in found]


async def create(
    settings: Settings, gateway: str, publish: list[str], read: list[str], days: int | None
) -> dict[str, Any]:
    """Give a gateway a password; it stands in what is returned and nowhere else."""
    now = change()
    expires_at = None if days is None else now.now_us + days * DAY_US
    topics = Topics(tuple(publish) or None, tuple(read))
    async with wiring.pool(wiring.database_url(settings)) as pool:
        return told_once(await store.create(pool, gateway, now, topics, expires_at), now.now_us)


async def rotate(settings: Settings, login: str, together_h: float, days: int | None) -> dict[str, Any]:
    """Give a gateway a new password in place of one."""
    now = change()
    life_us = None if days is None else days * DAY_US
    async with wiring.pool(wiring.database_url(settings)) as pool:
        async with pool.connection() as connection:
            identity = await reads.find(connection, login)
        new, old = await store.rotate(pool, identity, now, int(together_h * HOUR_US), life_us)
    return {"new": told_once(new, now.now_us), "old": told(old, now.now_us)}


async def revoke(settings: Settings, name: str) -> dict[str, Any]:
    """End a credential now; `name` is a login, or a certificate's serial number."""
    now = change()
    async with wiring.pool(wiring.database_url(settings)) as pool:
        async with pool.connection() as connection:
            identity = await reads.find(connection, name)
        return told(await store.revoke(pool, identity, now), now.now_us)


async def topics(settings: Settings, login: str, publish: list[str], read: list[str]) -> dict[str, Any]:
    """Say anew where a credential publishes and what it reads; without either, tell it, and what happened to it."""
    now = change()
    async with wiring.pool(wiring.database_url(settings)) as pool:
        async with pool.connection() as connection:
            identity = await reads.find(connection, login)
        if publish or read:
            await store.set_topics(pool, identity, now, Topics(tuple(publish) or None, tuple(read)))
        async with pool.connection() as connection:
            found = told(await reads.one(connection, identity), now.now_us)
            return found | {"events": await reads.events(connection, identity)}
