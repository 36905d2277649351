"""Bundles of isolated gateways that nobody has opened yet for devices and gateways that became known after them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from city.clock import from_datetime
from storage import queries
from storage.pool import Connection, Pool, fetch_all, transaction
from stream.codec import DeadLetter

_SQL = queries.load(Path(__file__).with_suffix(".sql"))


class Due(NamedTuple):
    """A bundle, and the registry's event up to which it is opened once that is done."""

    letter_id: str
    event_id: int


@dataclass(frozen=True, slots=True)
class Newcomers:
    """Devices of some gateways that have become known.

    Attributes
    ----------
    since : dict
        Gateway → device → when it became known, µs UTC.
    """

    since: dict[str, dict[str, int]] = field(default_factory=dict)

    def after(self, letter: DeadLetter) -> frozenset[str] | None:
        """Return the devices that became known after a bundle was received.

        None: what gateways sent that nobody knew is read whole, for whoever of them is known by now.
        """
        if not letter.gateway_id:
            return None
        devices = self.since.get(letter.gateway_id, {})
        return frozenset(device for device, at in devices.items() if at > letter.received_at)


async def due(pool: Pool, gateways: Sequence[str] | None = None, *, limit: int) -> list[Due]:
    """Return some bundles in which messages of newcomers may lie, of each gateway in turn.

    Parameters
    ----------
    gateways : sequence of str, optional
        Only for devices behind these, and for these themselves.
    """
    parameters = {"gateways": None if gateways is None else list(gateways), "limit": limit}
    return [Due(row[0], row[1]) for row in await fetch_all(pool, _SQL.due, parameters)]


async def load(connection: Connection, letter_ids: Sequence[str]) -> Newcomers:
    """Return the newcomers among the devices of these bundles' gateways."""
    newcomers = Newcomers()
    cursor = await connection.execute(_SQL.devices, {"letter_ids": list(letter_ids)})
    for gateway, device, at in await cursor.fetchall():
        newcomers.since.setdefault(gateway, {})[device] = from_datetime(at)
    return newcomers


async def opened(pool: Pool, bundles: Sequence[Due]) -> None:
    """Note that bundles were opened: they are due again only for those who become known later."""
    events = {"letter_ids": [one.letter_id for one in bundles], "events": [one.event_id for one in bundles]}
    async with transaction(pool) as connection:
        await connection.execute(_SQL.opened, events)
