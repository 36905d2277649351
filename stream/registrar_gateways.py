"""Operators' changes of gateways; see `stream.registrar` for what they all promise."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from city.asset import Gateway
from city.errors import Mistake, PackError
from city.packfile import shown
from city.packlists import ListedGateway
from storage import queries
from storage.pool import Connection
from stream import changes
from stream.changes import Author, ChangeReport, Subject

_SQL = queries.load(Path(__file__).with_suffix(".sql"))
_GATEWAY = Subject("gateway", _SQL.gateways_held, _SQL.set_gateways, _SQL.roots_of_gateways)


async def put_gateways(
    connection: Connection, listed: Sequence[ListedGateway], author: Author, *, dry_run: bool = False
) -> ChangeReport:
    """Add or change gateways.

    Raises
    ------
    PackError
        An id belongs to an asset of another kind, or a district does not exist. Nothing is changed then.
    """
    async with changes.changing(connection):
        rows = await (
            await connection.execute(
                _SQL.gateways_as_they_are, {"gateways": [one.gateway.gateway_id for one in listed]}
            )
        ).fetchall()
        before = {row[0]: row for row in rows}
        listed = [_meant(one, before) for one in listed]
        districts = {row[0] for row in await (await connection.execute(_SQL.known_districts)).fetchall()}
        _demand_gateways(listed, before, districts)
        gateways = [one.gateway for one in listed]
        same = {g.gateway_id for g in gateways if before.get(g.gateway_id, ())[2:] == (*_place(g), False)}
        added = tuple(g.gateway_id for g in gateways if g.gateway_id not in before)
        changed = tuple(g.gateway_id for g in gateways if g.gateway_id in before and g.gateway_id not in same)
        if dry_run or not added + changed:
            return ChangeReport(added, changed, len(same))
        version = await changes.next_version(connection)
        for gateway in gateways:
            if gateway.gateway_id in same:
                continue
            await _put_gateway(connection, gateway)
            word = "changed" if gateway.gateway_id in before else "added"
            names = ("name", "lat", "lon", "district", "network_operator")
            detail: dict[str, Any] = dict(zip(names, _place(gateway), strict=True))
            if gateway.gateway_id in before:
                detail["was"] = dict(zip((*names, "retired"), before[gateway.gateway_id][2:8], strict=True))
            await changes.note(connection, author, word, ("gateway", gateway.gateway_id), detail, version)
        behind = await (await connection.execute(_SQL.roots_of_gateways, {"names": [*added, *changed]})).fetchall()
        return ChangeReport(added, changed, len(same), version, frozenset(root for (root,) in behind))


async def set_gateways(connection: Connection, gateway_ids: Sequence[str], author: Author, kind: str) -> ChangeReport:
    """Retire, release or restore gateways.

    What a retired one still sends is set aside until it is restored, and nobody waits for the devices behind it; what
    it may do at the broker is for whoever calls this to end.

    Raises
    ------
    NotFoundError
        One of them does not exist.
    """
    return await changes.set_standing(connection, gateway_ids, author, kind, _GATEWAY)


def _demand_gateways(listed: Sequence[ListedGateway], before: Mapping[str, Sequence[Any]], districts: set[str]) -> None:
    mistakes = []
    for line, gateway, _ in listed:
        was = before.get(gateway.gateway_id)
        if was is not None and was[1] != "gateway":
            text = f"{shown(gateway.gateway_id)} is the name of a {was[1]} already: choose another"
            mistakes.append(Mistake("gateways.csv", line, text))
        if gateway.district_id not in districts:
            text = f"district_id {shown(gateway.district_id)} names no district: mend the name"
            mistakes.append(Mistake("gateways.csv", line, text))
    if mistakes:
        raise PackError(mistakes, "the list")


async def _put_gateway(connection: Connection, gateway: Gateway) -> None:
    await connection.execute(
        _SQL.put_gateway,
        {
            "gateway": gateway.gateway_id,
            "name": gateway.name,
            "lat": gateway.lat,
            "lon": gateway.lon,
            "district": gateway.district_id,
            "operator": gateway.operator,
        },
    )
    await connection.execute(_SQL.number_gateway, {"gateway": gateway.gateway_id})


def _meant(listed: ListedGateway, before: Mapping[str, Sequence[Any]]) -> ListedGateway:
    was = before.get(listed.gateway.gateway_id)
    if was is None or not listed.keeps_operator:
        return listed
    return listed._replace(gateway=replace(listed.gateway, operator=was[6]))


def _place(gateway: Gateway) -> tuple[str, float, float, str, str]:
    return gateway.name, gateway.lat, gateway.lon, gateway.district_id, gateway.operator
