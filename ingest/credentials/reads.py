"""What the table of credentials says: to operators, and to whoever keeps a broker in line with it."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from city.clock import from_datetime, isoformat, to_datetime
from city.errors import NotFoundError
from city.packfile import shown
from ingest.credentials.engine import Applied
from ingest.credentials.model import Credential, Grant
from storage import queries
from storage.pool import Connection

_SQL = queries.load(Path(__file__).with_name("store.sql"))


async def find(connection: Connection, name: str) -> int:
    """Return the id of the password with that login, or of the certificate with that serial number.

    Raises
    ------
    NotFoundError
        Neither is there.
    """
    for statement, value in ((_SQL.of_login, {"login": name}), (_SQL.of_serial, {"serial": name.lower()})):
        row = await (await connection.execute(statement, value)).fetchone()
        if row is not None:
            return int(row[0])
    raise NotFoundError(f"no credential {shown(name)}: `citynerve credentials list --all` names them")


async def page(
    connection: Connection,
    now_us: int,
    *,
    gateway_id: str | None = None,
    past: bool = False,
    before: int | None = None,
    count: int = 50,
) -> list[Credential]:
    """Return credentials, the newest first; those that are over only with `past`, and only ids below `before`."""
    values = {"gateway_id": gateway_id, "past": past, "before": before, "count": count, "now": to_datetime(now_us)}
    return [credential(row) for row in await (await connection.execute(_SQL.page, values)).fetchall()]


async def one(connection: Connection, credential_id: int) -> Credential:
    """Return a credential.

    Raises
    ------
    NotFoundError
        It is not there.
    """
    row = await (await connection.execute(_SQL.one, {"credential_id": credential_id})).fetchone()
    if row is None:
        raise NotFoundError(f"no credential {credential_id}")
    return credential(row)


async def events(connection: Connection, credential_id: int) -> list[dict[str, Any]]:
    """Return what happened to a credential, in order: kind, actor, at, detail."""
    rows = await (await connection.execute(_SQL.events, {"credential_id": credential_id})).fetchall()
    return [
        {"kind": kind, "actor": actor, "at": isoformat(from_datetime(at)), "detail": detail}
        for kind, actor, at, detail in rows
    ]


async def version(connection: Connection) -> int:
    """Return a number that changes with every change."""
    row = await (await connection.execute(_SQL.version)).fetchone()
    assert row is not None
    return int(row[0])


async def grants(connection: Connection, now_us: int) -> tuple[list[Grant], int | None]:
    """Return what is valid now, and when the first of it runs out (µs UTC, None: never)."""
    rows = await (await connection.execute(_SQL.grants, {"now": to_datetime(now_us)})).fetchall()
    found = [
        Grant(login, gateway, tuple(publish), tuple(read), hashed, None if box is None else bytes(box), serial)
        for login, gateway, publish, read, hashed, box, serial, _ in rows
    ]
    return found, min((from_datetime(row[-1]) for row in rows if row[-1] is not None), default=None)


async def revoked_certificates(connection: Connection, now_us: int) -> list[tuple[str, int]]:
    """Return serial number and moment of every revoked certificate that has not run out."""
    rows = await (await connection.execute(_SQL.certificates_revoked, {"now": to_datetime(now_us)})).fetchall()
    return [(serial, from_datetime(at)) for serial, at in rows]


async def refused_names(connection: Connection, now_us: int) -> list[str]:
    """Return who had certificates and has none that is valid: each was revoked or has run out."""
    rows = await (await connection.execute(_SQL.names_refused, {"now": to_datetime(now_us)})).fetchall()
    return [name for (name,) in rows]


async def take_turn(connection: Connection) -> bool:
    """Return whether nobody else tells the broker now; the turn ends with the transaction."""
    row = await (await connection.execute(_SQL.take_turn)).fetchone()
    return row is not None and bool(row[0])


async def note_told(connection: Connection, version: int, applied: Applied) -> None:
    """Write down, for operators, that the broker knows everything up to a version but what `applied` leaves out."""
    told = {"version": version, "kinds": list(applied.kinds), "to_rotate": list(applied.to_rotate)}
    await connection.execute(_SQL.note_told, told)
    await connection.execute(_SQL.note_in_force, told)


async def publish_keeper_key(connection: Connection, public_key: bytes) -> None:
    """Let everybody who makes passwords seal them for the broker's keeper."""
    await connection.execute(_SQL.set_keeper_key, {"public_key": public_key})


def credential(row: Sequence[Any]) -> Credential:
    """Build a credential from the columns that every statement here has."""
    identity, gateway_id, login, kind, serial, publish, read, created_at, created_by, *times = row
    told = (tuple(publish), tuple(read), from_datetime(created_at), created_by)
    return Credential(identity, gateway_id, login, kind, serial, *told, *map(_at, times))


def _at(at: datetime | None) -> int | None:
    return None if at is None else from_datetime(at)
