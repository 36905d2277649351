"""Devices and gateways that send and that nobody knows: who they are, and the letters that wait for them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from city.clock import from_datetime, to_datetime
from storage import queries
from storage.pool import Connection, Pool, fetch_all
from stream.codec import DeadLetter
from stream.letters import Key, letter_of

_SQL = queries.load(Path(__file__).with_suffix(".sql"))

LOOKED_AT = 50_000
"""Letters that a list is made of, the newest: a gateway gone mad must not make the list slow."""
_SAMPLES = 20
_LETTERS_A_PAGE = 500


@dataclass(frozen=True, slots=True)
class UnknownDevice:
    """A device that nobody has claimed.

    Attributes
    ----------
    name : str
        On the wire.
    gateway_id : str
        Through which it speaks.
    letters : int
        Messages that wait for it, of the newest `LOOKED_AT`.
    first_at, last_at : int
        When they were received, µs UTC.
    """

    name: str
    gateway_id: str
    letters: int
    first_at: int
    last_at: int


@dataclass(frozen=True, slots=True)
class UnknownGateway:
    """A gateway that the registry does not have; fields as in `UnknownDevice`."""

    gateway_id: str
    letters: int
    first_at: int
    last_at: int


async def list_devices(connection: Connection, part: str | None = None, limit: int = 200) -> list[UnknownDevice]:
    """Return unknown devices whose names hold `part`, those for whom most waits first."""
    parameters = {"looked_at": LOOKED_AT, "part": part, "limit": limit}
    rows = await (await connection.execute(_SQL.devices, parameters)).fetchall()
    return [
        UnknownDevice(name, gateway, letters, from_datetime(first), from_datetime(last))
        for name, gateway, letters, first, last in rows
    ]


async def list_gateways(connection: Connection, limit: int = 200) -> list[UnknownGateway]:
    """Return unknown gateways, those for whom most waits first."""
    rows = await (await connection.execute(_SQL.gateways, {"looked_at": LOOKED_AT, "limit": limit})).fetchall()
    return [UnknownGateway(row[0], row[1], from_datetime(row[2]), from_datetime(row[3])) for row in rows]


async def samples(connection: Connection, name: str, gateway_id: str) -> list[DeadLetter]:
    """Return the newest letters of an unknown device."""
    parameters = {"name": name, "gateway": gateway_id, "limit": _SAMPLES}
    return [letter_of(row) for row in await (await connection.execute(_SQL.samples, parameters)).fetchall()]


async def letters_of_device(pool: Pool, name: str) -> AsyncIterator[list[str]]:
    """Yield the ids of all letters that wait for a device, page by page."""
    async for page in _pages(pool, _SQL.letters_of_device, name):
        yield page


async def letters_of_gateways(pool: Pool, gateway_ids: Sequence[str]) -> AsyncIterator[list[str]]:
    """Yield the ids of all letters that wait for one of these gateways, page by page."""
    async for page in _pages(pool, _SQL.letters_of_gateways, list(gateway_ids)):
        yield page


async def known_now(pool: Pool, after: Key | None, looked_at: int = LOOKED_AT) -> tuple[list[str], Key | None]:
    """Return letters of a slice whose device, gateway or birth is known, and where the next begins; None: at the top.

    Parameters
    ----------
    after : Key or None
        What the slice before returned.
    """
    place = {"after_at": after and to_datetime(after.received_at), "after_id": after and after.letter_id}
    ((found, count, at, last),) = await fetch_all(pool, _SQL.known_now, {**place, "looked_at": looked_at})
    return found, Key(from_datetime(at), last) if count == looked_at else None


async def _pages(pool: Pool, statement: Any, name: str | list[str]) -> AsyncIterator[list[str]]:
    after = ""
    while True:
        rows = await fetch_all(pool, statement, {"name": name, "after": after, "limit": _LETTERS_A_PAGE})
        if not rows:
            return
        yield [row[0] for row in rows]
        after = rows[-1][0]
