"""The table of credentials and its events: each change is one transaction, and is told with who made it and when."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from city.clock import to_datetime
from city.errors import ConflictError, DataError, NotFoundError
from city.packfile import shown
from ingest.credentials import hashing, model, reads, sealed
from ingest.credentials.model import Credential, State
from storage import queries
from storage.pool import Connection, Pool, transaction

_SQL = queries.load(Path(__file__).with_name("store.sql"))


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes something, and when (µs UTC of the machine's clock). `actor` is a role, never a name."""

    actor: str
    now_us: int


@dataclass(frozen=True, slots=True)
class Issued:
    """A new credential and its password, which is shown once and kept nowhere."""

    credential: Credential
    password: str


@dataclass(frozen=True, slots=True)
class Topics:
    """Where a credential may publish and what it may read; None for what the gateway has by itself."""

    publish: tuple[str, ...] | None = None
    read: tuple[str, ...] = ()


async def create(
    pool: Pool, gateway_id: str, change: Change, topics: Topics | None = None, expires_at: int | None = None
) -> Issued:
    """Give a gateway a password.

    Raises
    ------
    NotFoundError
        No such gateway in the registry.
    ConflictError
        It has as many valid credentials as one may have.
    DataError
        Topics that nobody may be given, or a life that is over.
    """
    if expires_at is not None and expires_at <= change.now_us:
        raise DataError("a credential that has run out is of no use: let it end later")
    async with transaction(pool) as connection:
        await _lock(connection, gateway_id)
        return await _issue(connection, gateway_id, change, topics or Topics(), expires_at)


async def rotate(
    pool: Pool, credential_id: int, change: Change, overlap_us: int, life_us: int | None = None
) -> tuple[Issued, Credential]:
    """Give a gateway a new password in place of one; both are valid for `overlap_us`, then the old one ends.

    Parameters
    ----------
    life_us : int, optional
        After which the new one ends; without it, it lives as long from now on as the old one was given.

    Returns
    -------
    tuple
        The new one, and the old one as it is now.

    Raises
    ------
    NotFoundError, ConflictError, DataError
        As `create`; or it is over already, being replaced, or a certificate.
    """
    if not 0 <= overlap_us <= model.OVERLAP_US_MAX:
        raise DataError("old and new may be valid together for 0 to 90 days")
    async with transaction(pool) as connection:
        old = await _valid(connection, credential_id, change)
        if old.kind != model.PASSWORD:
            raise ConflictError("a certificate is renewed, not rotated: `citynerve ca issue` makes the next one")
        await _refuse_replaced(connection, old)
        life_us = old.life_us if life_us is None else life_us
        ends_at = None if life_us is None else change.now_us + life_us
        issued = await _issue(connection, old.gateway_id, change, Topics(old.publish, old.read), ends_at)
        if overlap_us:
            ends = change.now_us + overlap_us
            await connection.execute(_SQL.end_by, {"credential_id": credential_id, "at": to_datetime(ends)})
        else:
            await _revoke(connection, credential_id, change)
        detail = {"by": issued.credential.login, "valid_together_s": overlap_us // 1_000_000}
        await _note(connection, credential_id, "replaced", change, detail)
        return issued, await reads.one(connection, credential_id)


async def revoke(pool: Pool, credential_id: int, change: Change, reason: str = "") -> Credential:
    """End a credential now, and note why. Repeated, it has no effect.

    Raises
    ------
    NotFoundError
        No such credential.
    """
    async with transaction(pool) as connection:
        found = await _locked(connection, credential_id)
        if found.revoked_at is None:
            await _revoke(connection, credential_id, change, reason)
        return await reads.one(connection, credential_id)


async def revoke_all(connection: Connection, gateway_ids: Collection[str], change: Change, reason: str) -> int:
    """End all credentials of gateways inside the caller's transaction; return how many there were."""
    # All locks before the first change: whoever notes a change holds the version until the transaction ends.
    for gateway_id in sorted(gateway_ids):
        await connection.execute(_SQL.lock_gateway, {"gateway_id": gateway_id})
    rows = await (await connection.execute(_SQL.not_revoked, {"gateways": list(gateway_ids)})).fetchall()
    for (credential_id,) in rows:
        await _revoke(connection, credential_id, change, reason)
    return len(rows)


async def revoke_retired(connection: Connection, change: Change, reason: str) -> int:
    """End all credentials of gateways that are out of service, as `revoke_all`; return how many there were."""
    rows = await (await connection.execute(_SQL.retired)).fetchall()
    return await revoke_all(connection, [gateway_id for (gateway_id,) in rows], change, reason)


async def set_topics(pool: Pool, credential_id: int, change: Change, topics: Topics) -> Credential:
    """Say anew where a credential may publish and what it may read.

    Raises
    ------
    NotFoundError, ConflictError, DataError
        No such credential, it is over, or topics that nobody may be given.
    """
    async with transaction(pool) as connection:
        found = await _valid(connection, credential_id, change)
        publish = model.default_topics(found.gateway_id) if topics.publish is None else topics.publish
        model.check_topics(publish, topics.read)
        if found.kind == model.CERTIFICATE:
            raise ConflictError(
                "where a certificate's owner publishes follows from its name: give it a password instead"
            )
        values = {"publish": list(publish), "read": list(topics.read)}
        await connection.execute(_SQL.set_topics, {"credential_id": credential_id, **values})
        before = {"publish": list(found.publish), "read": list(found.read)}
        await _note(connection, credential_id, "topics", change, {"before": before, **values})
        return await reads.one(connection, credential_id)


async def add_certificate(pool: Pool, gateway_id: str, change: Change, serial: str, expires_at: int) -> Credential:
    """Note a certificate that the city's authority has issued for a gateway.

    Raises
    ------
    NotFoundError, ConflictError
        As `create`.
    """
    async with transaction(pool) as connection:
        await _lock(connection, gateway_id)
        await _count(connection, gateway_id, change)
        row = {
            "gateway_id": gateway_id,
            "login": gateway_id,
            "kind": model.CERTIFICATE,
            "serial": serial,
            "publish": list(model.default_topics(gateway_id)),
        }
        return await _insert(connection, change, expires_at, row)


async def _issue(
    connection: Connection, gateway_id: str, change: Change, topics: Topics, expires_at: int | None
) -> Issued:
    publish = model.default_topics(gateway_id) if topics.publish is None else topics.publish
    model.check_topics(publish, topics.read)
    number = await _count(connection, gateway_id, change) + 1
    password = hashing.make_password()
    row_of_key = await (await connection.execute(_SQL.keeper_key)).fetchone()
    key = None if row_of_key is None else row_of_key[0]
    row = {
        "gateway_id": gateway_id,
        "login": model.login_of(gateway_id, number),
        "kind": model.PASSWORD,
        "password_hash": hashing.hash_password(password),
        "sealed": None if key is None else sealed.seal(password, bytes(key)),
        "publish": list(publish),
        "read": list(topics.read),
    }
    return Issued(await _insert(connection, change, expires_at, row), password)


async def _insert(connection: Connection, change: Change, expires_at: int | None, row: dict[str, Any]) -> Credential:
    values = {"password_hash": "", "sealed": None, "serial": "", "read": []} | row
    values |= {"now": to_datetime(change.now_us), "actor": change.actor}
    values["expires_at"] = None if expires_at is None else to_datetime(expires_at)
    found = await (await connection.execute(_SQL.insert, values)).fetchone()
    assert found is not None
    credential = reads.credential(found)
    detail: dict[str, Any] = {
        "kind": credential.kind,
        "publish": list(credential.publish),
        "read": list(credential.read),
    }
    await _note(connection, credential.credential_id, "created", change, detail)
    return credential


async def _count(connection: Connection, gateway_id: str, change: Change) -> int:
    """Return how many passwords a gateway ever had; refuse one that is unknown or has too many."""
    values = {"gateway_id": gateway_id, "now": to_datetime(change.now_us)}
    known = await (await connection.execute(_SQL.gateway_known, values)).fetchone()
    if known is None or not known[0]:
        raise NotFoundError(f"gateway {shown(gateway_id)} is not in the registry, or retired: add or restore it first")
    row = await (await connection.execute(_SQL.counts, values)).fetchone()
    assert row is not None
    ever, valid = row
    if valid >= model.VALID_MAX:
        raise ConflictError(f"{gateway_id} has {valid} valid credentials: revoke those that it does not use")
    return int(ever)


async def _lock(connection: Connection, gateway_id: str) -> None:
    if gateway_id.startswith(model.OUR_PREFIX) or gateway_id == model.ADMINISTRATION:
        raise DataError(f"{model.ADMINISTRATION!r} and names that begin with {model.OUR_PREFIX!r} are citynerve's own")
    await connection.execute(_SQL.lock_gateway, {"gateway_id": gateway_id})


async def _locked(connection: Connection, credential_id: int) -> Credential:
    """Return a credential that nobody else changes until the transaction ends."""
    found = await reads.one(connection, credential_id)
    await _lock(connection, found.gateway_id)
    return await reads.one(connection, credential_id)


async def _valid(connection: Connection, credential_id: int, change: Change) -> Credential:
    found = await _locked(connection, credential_id)
    state = found.state(change.now_us)
    if state is not State.VALID:
        raise ConflictError(f"{found.login} is {state}: create a new credential for {found.gateway_id}")
    return found


async def _refuse_replaced(connection: Connection, credential: Credential) -> None:
    """Refuse to replace twice: the gateway may have the successor already, which nobody would rotate then."""
    row = await (await connection.execute(_SQL.replaced_by, {"credential_id": credential.credential_id})).fetchone()
    if row is not None:
        raise ConflictError(
            f"{credential.login} is being replaced by {row[0]} already: rotate that one, or create a new credential"
        )


async def _revoke(connection: Connection, credential_id: int, change: Change, reason: str = "") -> None:
    await connection.execute(_SQL.revoke, {"credential_id": credential_id, "now": to_datetime(change.now_us)})
    await _note(connection, credential_id, "revoked", change, {"reason": reason} if reason else {})


async def _note(connection: Connection, credential_id: int, kind: str, change: Change, detail: dict[str, Any]) -> None:
    values = {"credential_id": credential_id, "kind": kind, "actor": change.actor, "detail": Jsonb(detail)}
    await connection.execute(_SQL.note, {**values, "now": to_datetime(change.now_us)})
    await connection.execute(_SQL.move_version)
    await connection.execute(_SQL.stamp, {"credential_id": credential_id})
