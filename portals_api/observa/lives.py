"""How long lamps may still last, and which to change together: page, JSON, CSV."""

import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from city.errors import NotFoundError
from observatory.lives_read import CityLives, city_lives
from observatory.read import districts
from observatory.relamping import Life, best_age
from portals_api import reads
from portals_api.answers.lives import LifeOut, LifePage, LivesPage
from portals_api.codes import N_
from portals_api.i18n import plain_text
from portals_api.observa.csv_answers import csv_answer, described
from portals_api.observa.lives_chart import survival_chart
from portals_api.paging import decode_cursor, page
from portals_api.params import LIMIT_DEFAULT, Id, Limit, NameQuery, Next
from portals_api.portal import Portal, address
from portals_api.routing import PortalDep, documented

router = APIRouter(tags=["lives"])

_COLUMNS = tuple(name for name in LifeOut.model_fields if name != "url")
_KEPT_S = 900.0
"""Lives change from day to day; they are asked for by every page of a lamp."""
_EMPTY_KEPT_S = 15.0
"""A city that has just begun has its first counters within minutes, and nobody should be told otherwise for longer."""
_SHOWN = 20
_SHARE = N_("Share of lamps that reach an age: {type}")
_HOURS = N_("hours of burning")


async def lives_of(portal: Portal) -> CityLives:
    """Return what is expected of the city's lamps, at most a quarter of an hour old.

    Raises
    ------
    EngineError
        The database did not answer.
    """
    async with portal.lives_lock:
        kept_s = _KEPT_S if portal.lives and portal.lives[1].lives else _EMPTY_KEPT_S
        if portal.lives is None or time.monotonic() - portal.lives[0] > kept_s:
            portal.lives = (time.monotonic(), await city_lives(portal.pool))
        return portal.lives[1]


def _life(one: Life, due: frozenset[str]) -> dict[str, Any]:
    return {
        "lamp": one.lamp_id,
        "url": f"/lamps/{one.lamp_id}",
        "district": one.district or None,
        "type": one.lamp_type,
        "age_h": round(one.age_h),
        "hours_a_year": round(one.hours_a_year),
        "failures": one.failures,
        "risk": round(one.risk, 2),
        "drifts": one.drifts,
        "switches_often": one.switches_often,
        "failed": one.dark,
        "remaining_low_h": round(one.low_h),
        "remaining_median_h": round(one.median_h),
        "remaining_high_h": round(one.high_h),
        "failure_within_year": round(one.within_year, 4),
        "change": one.lamp_id in due,
    }


def _due(found: CityLives) -> frozenset[str]:
    return frozenset(name for one in found.rounds for name in one.lamps)


def _likeliest(found: CityLives, district: str | None) -> list[Life]:
    mine = [one for one in found.lives if district in (None, one.district)]
    return sorted(mine, key=lambda one: (-round(one.within_year, 4), one.lamp_id))


async def _whole(portal: Portal, district: str | None) -> dict[str, Any]:
    found = await lives_of(portal)
    names = await districts(portal.pool)
    count: dict[str, int] = {}
    for one in found.lives:
        count[one.lamp_type] = count.get(one.lamp_type, 0) + 1
    types = []
    for name, fitted in found.fits.items():
        low, median, high = fitted.median_h
        at = None if found.prices is None else best_age(fitted, found.prices)
        hours = {"median_h": round(median), "median_low_h": round(low), "median_high_h": round(high)}
        told = {"type": name, "lamps": count.get(name, 0), "failures": fitted.failures}
        types.append({**told, **hours, "change_at_h": at and round(at)})
    items = [
        {
            "district": one.district or None,
            "name": names.get(one.district),
            "type": one.lamp_type,
            "change": len(one.lamps),
            "change_at_h": one.change_at_h and round(one.change_at_h),
            "expected_failures": round(one.expected, 2),
            "others": one.others,
            "others_expected_failures": round(one.others_expected, 2),
            "cost": one.cost if one.cost is None else round(one.cost, 2),
            "cost_of_failures": one.cost_left if one.cost_left is None else round(one.cost_left, 2),
        }
        for one in found.rounds
        if district in (None, one.district)
    ]
    prices = found.prices
    told_prices = prices and {"planned": prices.planned, "fault": prices.fault, "currency": prices.currency}
    return {"district": district, "prices": told_prices, "types": types, "items": items, "next": None}


@router.get("/api/v1/lives", summary="Lives of lamps", **documented(LivesPage))
async def get_lives(portal: PortalDep, district: NameQuery = None) -> dict[str, Any]:
    """Return how long lamps last by type, and which to change together this year, by district.

    Lives are Weibull with censoring, in hours of burning. Only lamps that report their operating hours are counted.
    """
    return await _whole(portal, district)


@router.get("/api/v1/lives/lamps", summary="Lives of single lamps", **documented(LifePage, 400))
async def list_lives(
    portal: PortalDep, limit: Limit = LIMIT_DEFAULT, cursor: Next = None, district: NameQuery = None
) -> dict[str, Any]:
    """List lamps with their remaining life, the likeliest to fail within a year first."""
    found = await lives_of(portal)
    due, after = _due(found), decode_cursor(cursor, float, str)
    rows = [_life(one, due) for one in _likeliest(found, district)]
    if after is not None:
        rows = [row for row in rows if (-row["failure_within_year"], row["lamp"]) > (-after[0], after[1])]
    return page(rows[: limit + 1], limit, lambda row: [float(row["failure_within_year"]), row["lamp"]])


@router.get(
    "/api/v1/lives.csv", summary="Lives of lamps, as CSV", response_class=Response, responses={200: described(_COLUMNS)}
)
async def lives_csv(portal: PortalDep, district: NameQuery = None) -> Response:
    """Return every lamp with its remaining life, the likeliest to fail within a year first."""
    found = await lives_of(portal)
    due = _due(found)
    return csv_answer("lives", _COLUMNS, [_life(one, due) for one in _likeliest(found, district)])


@router.get("/api/v1/lamps/{lamp_id}/life", summary="Life of a lamp", **documented(LifeOut, 404))
async def get_life(portal: PortalDep, lamp_id: Id) -> dict[str, Any]:
    """Return how long one lamp may still last."""
    await reads.lamp(portal.pool, await portal.viewer(), lamp_id)
    life = await life_of(portal, lamp_id)
    if life is None:
        raise NotFoundError("nobody counts the hours that this lamp burns: its device reports no operating_hours_h")
    return life


async def life_of(portal: Portal, lamp_id: str) -> dict[str, Any] | None:
    """Return what is expected of one lamp; None where nobody counts its hours."""
    found = await lives_of(portal)
    one = found.of(lamp_id)
    return None if one is None else _life(one, _due(found))


@router.get("/lives", include_in_schema=False)
async def lives_page(request: Request, portal: PortalDep, district: NameQuery = None) -> Response:
    """Show how long lamps last, and what to change together."""
    told = await _whole(portal, district)
    if not portal.wants_page(request):
        return JSONResponse(told)
    words, found = await portal.words(request), await lives_of(portal)
    label = await portal.labels(words)
    charts = {
        one["type"]: survival_chart(
            found.fits[one["type"]],
            one["change_at_h"],
            words.text(_SHARE).format(type=label.lamp_type(one["type"] or "–")),
            words.text(_HOURS),
            words,
        )
        for one in told["types"]
    }
    due = _due(found)
    names = await districts(portal.pool)
    return await portal.page(
        request,
        "lives.html",
        **{name: told[name] for name in ("prices", "types", "items")},
        charts=charts,
        likeliest=[_life(one, due) for one in _likeliest(found, district) if not one.dark][:_SHOWN],
        district=district,
        districts=sorted(names.items(), key=lambda one: plain_text(one[1])),
        csv_url=address("/api/v1/lives.csv", district=district),
        json_url=address("/api/v1/lives", district=district),
    )
