"""Energy lost by faults of lamps: burnt by day, drawn above the command, and light not delivered."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from city.clock import from_datetime, isoformat
from city.tariff import Tariff
from observatory.energy import Lost, by_district, together
from observatory.energy_read import WhichLosses, claims, span, tariff_of
from observatory.read import districts
from portals_api.answers.energy import EnergyPage
from portals_api.codes import N_
from portals_api.i18n import plain_text
from portals_api.observa.csv_answers import csv_answer, described
from portals_api.params import NameQuery, Since, Until
from portals_api.portal import Portal, address
from portals_api.routing import PortalDep, documented
from portals_api.visibility import hidden_kinds

router = APIRouter(tags=["energy"])

LOSSES = {
    "burnt-by-day": (
        N_("Burnt by day"),
        N_("What lamps drew above their standby while they were commanded off, by the hours of their readings."),
    ),
    "over-power": (
        N_("Above the command"),
        N_("What lamps drew above what their dimming level asks for, by the hours of their readings."),
    ),
    "not-delivered": (
        N_("Light not delivered"),
        N_("What dark lamps would have taken while they were to burn: nothing was spent, but light was missing."),
    ),
}
"""Loss → its name, and how it is counted."""
_COLUMNS = ("from", "to", "loss", "district", "name", "lamps", "kwh", "money", "currency")
_DAYS = (7, 30, 90)


async def read_losses(
    portal: Portal,
    since: datetime | None,
    until: datetime | None,
    district: str | None = None,
    lamp: str | None = None,
) -> tuple[WhichLosses, list[Lost], Tariff | None]:
    """Return of which time, what was lost by loss and district, and the tariff.

    Raises
    ------
    DataError
        A time that is empty or too long.
    """
    begin, end = span(since, until, portal.now())
    wanted = WhichLosses(begin, end, district, lamp, hidden_kinds(await portal.viewer()))
    found = await claims(portal.pool, wanted)
    return wanted, await asyncio.to_thread(by_district, found), await tariff_of(portal.pool)


def _numbers(one: Lost, tariff: Tariff | None) -> dict[str, Any]:
    money = None if tariff is None else round(tariff.cost(one.kwh), 2)
    return {"loss": str(one.loss), "lamps": one.lamps, "kwh": round(one.kwh, 3), "money": money}


def _items(lost: Iterable[Lost], tariff: Tariff | None, names: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {**_numbers(one, tariff), "district": one.district or None, "name": names.get(one.district)} for one in lost
    ]


def _times(wanted: WhichLosses) -> dict[str, str]:
    return {"from": isoformat(from_datetime(wanted.since)), "to": isoformat(from_datetime(wanted.until))}


@router.get("/api/v1/energy", summary="Energy lost by faults", **documented(EnergyPage))
async def get_energy(
    portal: PortalDep, since: Since = None, until: Until = None, district: NameQuery = None, lamp: NameQuery = None
) -> dict[str, Any]:
    """Return the energy that faults of lamps cost or kept back, by kind of loss and district.

    The last 30 days unless told otherwise, 92 at most. Alarms of which people found nothing wrong count nothing.
    """
    wanted, lost, tariff = await read_losses(portal, since, until, district, lamp)
    return {
        **_times(wanted),
        "district": district,
        "lamp": lamp,
        "tariff": tariff and {"price_per_kwh": tariff.price_per_kwh, "currency": tariff.currency},
        "all": [_numbers(one, tariff) for one in together(lost)],
        "items": _items(lost, tariff, await districts(portal.pool)),
        "next": None,
    }


@router.get(
    "/api/v1/energy.csv",
    summary="Energy lost by faults, as CSV",
    response_class=Response,
    responses={200: described(_COLUMNS)},
)
async def energy_csv(
    portal: PortalDep, since: Since = None, until: Until = None, district: NameQuery = None, lamp: NameQuery = None
) -> Response:
    """Return the same as CSV, a row a loss and district."""
    wanted, lost, tariff = await read_losses(portal, since, until, district, lamp)
    currency = None if tariff is None else tariff.currency
    items = _items(lost, tariff, await districts(portal.pool))
    return csv_answer("energy", _COLUMNS, [{**_times(wanted), "currency": currency, **item} for item in items])


@router.get("/energy", include_in_schema=False)
async def energy_page(
    portal: PortalDep,
    request: Request,
    district: NameQuery = None,
    days: Annotated[int, Query(ge=1, le=92)] = 30,
) -> Response:
    """Show what faults cost."""
    since = portal.now() - timedelta(days=days)
    if not portal.wants_page(request):
        return JSONResponse(await get_energy(portal, since=since, district=district))
    wanted, lost, tariff = await read_losses(portal, since, None, district)
    names = await districts(portal.pool)
    api = {**_times(wanted), "district": district}
    return await portal.page(
        request,
        "energy.html",
        sums=[_numbers(one, tariff) for one in together(lost)],
        items=_items(lost, tariff, names),
        losses=LOSSES,
        tariff=tariff,
        days=days,
        choices=_DAYS,
        district=district,
        districts=sorted(names.items(), key=lambda one: plain_text(one[1])),
        csv_url=address("/api/v1/energy.csv", **api),
        json_url=address("/api/v1/energy", **api),
    )
