"""Operators' changes of profiles; see `stream.registrar` for what they all promise."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from city.asset import DeviceProfile
from city.errors import ConflictError
from city.metric import Metric
from city.packfile import shown
from storage import queries
from storage.pool import Connection
from stream import changes, wire
from stream.changes import Author, ChangeReport, Subject

_SQL = queries.load(Path(__file__).with_suffix(".sql"))
_PROFILE = Subject("profile", _SQL.profiles_held, _SQL.set_profiles, _SQL.roots_of_profiles)


async def put_profiles(
    connection: Connection,
    profiles: Sequence[DeviceProfile],
    codecs: Mapping[str, str],
    author: Author,
    *,
    dry_run: bool = False,
) -> ChangeReport:
    """Add or change profiles; devices of theirs follow at once."""
    async with changes.changing(connection):
        before = {row[0]: row for row in await (await connection.execute(_SQL.profiles)).fetchall()}
        bodies = {p.profile_id: wire.plain_profile(p, codecs) for p in profiles}
        same = {identity for identity, body in bodies.items() if before.get(identity, ())[1:3] == (body, False)}
        added = tuple(identity for identity in bodies if identity not in before)
        changed = tuple(identity for identity in bodies if identity in before and identity not in same)
        if dry_run or not added + changed:
            return ChangeReport(added, changed, len(same))
        version = await changes.next_version(connection)
        for identity in (*added, *changed):
            await connection.execute(_SQL.put_profile, {"profile": identity, "body": Jsonb(bodies[identity])})
            word = "added" if identity in added else "changed"
            detail = _detail(bodies[identity])
            if identity in before:
                detail["was"] = {**_detail(before[identity][1]), "retired": before[identity][2]}
            await changes.note(connection, author, word, ("profile", identity), detail, version)
        rows = await (await connection.execute(_SQL.devices_of_profiles, {"profiles": list(changed)})).fetchall()
        await changes.settle(connection, [row[0] for row in rows])
        return ChangeReport(added, changed, len(same), version, frozenset(row[1] for row in rows))


async def set_profiles(connection: Connection, profile_ids: Sequence[str], author: Author, kind: str) -> ChangeReport:
    """Retire, release or restore profiles.

    Raises
    ------
    NotFoundError
        One of them does not exist.
    ConflictError
        Devices have the profile that is to be retired.
    """
    async with changes.changing(connection):
        if kind == "retired":
            used = await (await connection.execute(_SQL.used, {"profiles": list(profile_ids)})).fetchone()
            if used is not None:
                raise ConflictError(
                    f"{used[1]} devices have profile {shown(used[0])}: give them another, or retire them"
                )
        return await changes.set_standing(connection, profile_ids, author, kind, _PROFILE)


async def bodies(connection: Connection) -> list[dict[str, Any]]:
    """Return the profiles that are not retired, whole."""
    return [row[1] for row in await (await connection.execute(_SQL.profiles)).fetchall() if not row[2]]


async def known_metrics(connection: Connection) -> list[Metric]:
    """Return the metrics of the city."""
    return [Metric(*row) for row in await (await connection.execute(_SQL.metrics)).fetchall()]


def _detail(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a profile says; of a codec, which may be long, only which one it is."""
    told = {name: value for name, value in body.items() if name != "profile_id" and value not in ("", [], None)}
    if body.get("codec"):
        told["codec"] = hashlib.sha256(body["codec"].encode()).hexdigest()[:12]
    return told
