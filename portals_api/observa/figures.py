"""Observa's figures: as pages, as JSON and as CSV, of the city or a district, by hour or by day."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from city.clock import from_datetime, isoformat
from city.errors import NotFoundError
from observatory.figures import FIGURES, Figure, Kind, Value
from observatory.periods import BUCKETS_MAX, Step, period
from observatory.read import FigureRead, Wanted, districts, latest, read_figures
from portals_api.answers.figures import FigurePage, FigureWhole
from portals_api.i18n import Words, plain_text
from portals_api.observa import figure_words
from portals_api.observa.bars import bar_chart, spark
from portals_api.params import Id, NameQuery, Since, Until
from portals_api.portal import Portal, address
from portals_api.routing import PortalDep, documented
from portals_api.visibility import hidden_kinds

router = APIRouter(tags=["figures"])

_TOGETHER_MAX = 31 * 24
"""So many periods of all ten at once; of one alone there may be more."""
_COLUMNS = ("figure", "district", "from", "to", "value", "unit", "part", "whole", "why")
_CSV = {
    "content": {
        "text/csv": {"schema": {"type": "string"}, "example": "figure,district,from,to,value,unit,part,whole,why\r\n"}
    },
    "description": "CSV with a header",
}
StepQuery = Annotated[Step, Query(description="length of a period; days are the city's, from midnight to midnight")]


async def read_period(
    portal: Portal,
    figures: Iterable[Figure],
    step: Step,
    district: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> tuple[Wanted, dict[str, FigureRead], dict[str, str]]:
    """Return what was asked for, the figures by id, and the names of the districts.

    Raises
    ------
    DataError
        A period that is empty or too long.
    """
    names = await districts(portal.pool)
    timezone = (await portal.installation()).timezone
    now = portal.now()
    wanted = Wanted(
        tuple(figures),
        period(since, until, step, timezone, now, limit),
        now,
        hidden_kinds(await portal.viewer()),
        district,
    )
    return wanted, await read_figures(portal.pool, wanted), names


@router.get("/api/v1/figures", summary="List the figures", **documented(FigurePage, 404))
async def list_figures(
    portal: PortalDep, district: NameQuery = None, since: Since = None, until: Until = None, step: StepQuery = Step.HOUR
) -> dict[str, Any]:
    """List the city's ten figures of a period, with the value of each district."""
    wanted, found, names = await read_period(portal, FIGURES.values(), step, district, since, until, _TOGETHER_MAX)
    return {**_about(wanted), "items": [_plain(one, wanted, names) for one in found.values()], "next": None}


@router.get("/api/v1/figures.csv", summary="List the figures as CSV", response_class=Response, responses={200: _CSV})
async def figures_csv(
    portal: PortalDep, district: NameQuery = None, since: Since = None, until: Until = None, step: StepQuery = Step.HOUR
) -> Response:
    """Return the ten figures over time as CSV."""
    wanted, found, _ = await read_period(portal, FIGURES.values(), step, district, since, until, _TOGETHER_MAX)
    return _csv_answer("figures", _over_time(wanted, found.values()))


@router.get(
    "/api/v1/figures/{figure_id}.csv",
    summary="Get a figure as CSV",
    response_class=Response,
    responses={200: _CSV},
)
async def figure_csv(
    portal: PortalDep,
    figure_id: Id,
    district: NameQuery = None,
    since: Since = None,
    until: Until = None,
    step: StepQuery = Step.HOUR,
    by: Annotated[str, Query(pattern="^(time|district)$", description="a row a period, or a row a district")] = "time",
) -> Response:
    """Return one figure as CSV, over time or by district."""
    wanted, found, _ = await read_period(portal, [_figure(figure_id)], step, district, since, until, BUCKETS_MAX)
    rows = _over_time(wanted, found.values()) if by == "time" else _by_district(wanted, found[figure_id])
    return _csv_answer(f"{figure_id}-by-{by}", rows)


@router.get("/api/v1/figures/{figure_id}", summary="Get a figure", **documented(FigureWhole, 404))
async def get_figure(
    portal: PortalDep,
    figure_id: Id,
    district: NameQuery = None,
    since: Since = None,
    until: Until = None,
    step: StepQuery = Step.HOUR,
) -> dict[str, Any]:
    """Return one figure over time and by district, with its definition."""
    wanted, found, names = await read_period(portal, [_figure(figure_id)], step, district, since, until, BUCKETS_MAX)
    return _whole(found[figure_id], wanted, names)


@router.get("/observa", include_in_schema=False)
async def observa_page(
    portal: PortalDep, request: Request, district: NameQuery = None, step: StepQuery = Step.HOUR
) -> Response:
    """Show the ten figures."""
    wanted, found, names = await read_period(portal, FIGURES.values(), step, district, None, None, _TOGETHER_MAX)
    if not portal.wants_page(request):
        items = [_plain(one, wanted, names) for one in found.values()]
        return JSONResponse({**_about(wanted), "items": items, "next": None})
    words = await portal.words(request)
    cards = [card_of(one, words, wanted) for one in found.values()]
    return await portal.page(
        request,
        "observa.html",
        cards=cards,
        step=str(step),
        district=district,
        districts=_sorted(names),
        csv_url=address("/api/v1/figures.csv", district=district, step=step),
        json_url=address("/api/v1/figures", district=district, step=step),
    )


@router.get("/observa/{figure_id}", include_in_schema=False)
async def figure_page(
    portal: PortalDep,
    request: Request,
    figure_id: Id,
    district: NameQuery = None,
    since: Since = None,
    until: Until = None,
    step: StepQuery = Step.HOUR,
) -> Response:
    """Show one figure over time and by district."""
    wanted, found, names = await read_period(portal, [_figure(figure_id)], step, district, since, until, BUCKETS_MAX)
    one = found[figure_id]
    if not portal.wants_page(request):
        return JSONResponse(_whole(one, wanted, names))
    words = await portal.words(request)
    card = card_of(one, words, wanted)
    filters = {"district": district, "step": str(step)}
    return await portal.page(
        request,
        "figure.html",
        card=card,
        chart=bar_chart(
            [(point.since, point.value.value) for point in one.points],
            unit=card["units"],
            title=card["name"],
            words=words,
            top=100.0 if one.figure.kind is Kind.SHARE else None,
        ),
        rows=[(point.since, _told(one.figure, point.value, words)) for point in reversed(one.points)],
        places=_places(one, words, names),
        step=str(step),
        district=district,
        districts=_sorted(names),
        csv_url=address(f"/api/v1/figures/{figure_id}.csv", **filters),
        csv_district_url=address(f"/api/v1/figures/{figure_id}.csv", step=str(step), by="district"),
        json_url=address(f"/api/v1/figures/{figure_id}", **filters),
    )


def _figure(figure_id: str) -> Figure:
    if figure_id not in FIGURES:
        raise NotFoundError(f"there is no figure {figure_id[:64]!r}: ask for one of {', '.join(FIGURES)}")
    return FIGURES[figure_id]


def _sorted(names: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(names.items(), key=lambda one: plain_text(one[1]))


# ---------------------------------------------------------------- as data


def _about(wanted: Wanted) -> dict[str, Any]:
    span = wanted.period
    return {
        "from": isoformat(from_datetime(span.since)),
        "to": isoformat(from_datetime(span.until)),
        "step": str(span.step),
        "timezone": span.timezone,
        "district": wanted.district,
    }


def _numbers(value: Value) -> dict[str, Any]:
    return {"value": value.value, "part": value.part, "whole": value.whole, "why": value.why and str(value.why)}


def _plain(one: FigureRead, wanted: Wanted, names: Mapping[str, str]) -> dict[str, Any]:
    figure, words = one.figure, figure_words.WORDS[one.figure.figure_id]
    filters = {"district": wanted.district, "step": str(wanted.period.step)}
    recent = latest(one)
    return {
        "id": figure.figure_id,
        "name": words.name,
        "unit": figure.unit,
        "kind": str(figure.kind),
        "definition": {
            "what": words.what,
            "how": words.how,
            "source": figure_words.SOURCES[figure.source],
            "fresh": figure_words.FRESH[figure.source],
        },
        **_numbers(one.total),
        "latest": recent and {"from": isoformat(from_datetime(recent.since)), **_numbers(recent.value)},
        "districts": [
            {"district": place or None, "name": names.get(place), **_numbers(value)}
            for place, value in one.districts.items()
        ],
        "url": address(f"/observa/{figure.figure_id}", **filters),
        "csv": address(f"/api/v1/figures/{figure.figure_id}.csv", **filters),
    }


def _whole(one: FigureRead, wanted: Wanted, names: Mapping[str, str]) -> dict[str, Any]:
    items = [
        {"from": isoformat(from_datetime(p.since)), "to": isoformat(from_datetime(p.until)), **_numbers(p.value)}
        for p in one.points
    ]
    return {**_plain(one, wanted, names), **_about(wanted), "items": items, "next": None}


def _row(figure: Figure, district: str | None, since: datetime, until: datetime, value: Value) -> list[Any]:
    times = [isoformat(from_datetime(at)) for at in (since, until)]
    shown = ["" if number is None else number for number in (value.value, value.part, value.whole)]
    return [figure.figure_id, district or "", *times, shown[0], figure.unit, *shown[1:], value.why or ""]


def _over_time(wanted: Wanted, found: Iterable[FigureRead]) -> list[list[Any]]:
    return [_row(one.figure, wanted.district, p.since, p.until, p.value) for one in found for p in one.points]


def _by_district(wanted: Wanted, one: FigureRead) -> list[list[Any]]:
    span = wanted.period
    places = one.districts.items() if wanted.district is None else [(wanted.district, one.total)]
    return [_row(one.figure, place, span.since, span.until, value) for place, value in places]


def _csv_answer(name: str, rows: list[list[Any]]) -> Response:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    writer.writerows(rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


# ---------------------------------------------------------------- for people


def _told(figure: Figure, value: Value, words: Words) -> dict[str, str]:
    """Return a value as people read it: number and what stands behind it, or why there is none."""
    if value.value is None:
        why = words.text(figure_words.WHYS[value.why]) if value.why else ""
        return {"number": "–", "unit": "", "basis": why}
    basis = figure_words.basis_of(figure, value)
    part, whole = (words.number(round(number or 0)) for number in (value.part, value.whole))
    return {
        "number": words.number(figure_words.rounded(figure, value.value)),
        "unit": words.text(figure_words.unit_of(figure, value.value)),
        "basis": words.text(basis).format(part=part, whole=whole) if basis else "",
    }


def card_of(one: FigureRead, words: Words, wanted: Wanted) -> dict[str, Any]:
    """Return a figure as a page shows it, in the reader's words."""
    figure, said = one.figure, figure_words.WORDS[one.figure.figure_id]
    recent = latest(one)
    filters = {"district": wanted.district, "step": str(wanted.period.step)}
    return {
        **_told(figure, one.total, words),
        "id": figure.figure_id,
        "name": words.text(said.name),
        "units": words.text(figure_words.UNITS[figure.unit]),
        "what": words.text(said.what),
        "how": words.text(said.how),
        "source": words.text(figure_words.SOURCES[figure.source]),
        "fresh": words.text(figure_words.FRESH[figure.source]),
        "stock": figure.kind is Kind.STOCK,
        "latest": None if recent is None else _told(figure, recent.value, words),
        "latest_at": None if recent is None else recent.since,
        "url": address(f"/observa/{figure.figure_id}", **filters),
        "spark": spark(
            [(point.since, point.value.value) for point in one.points],
            top=100.0 if figure.kind is Kind.SHARE else None,
        ),
    }


def _places(one: FigureRead, words: Words, names: Mapping[str, str]) -> list[dict[str, Any]]:
    rows = [
        {"id": place, "name": names.get(place, ""), **_told(one.figure, value, words)}
        for place, value in one.districts.items()
    ]
    return sorted(rows, key=lambda row: (not row["id"], plain_text(row["name"])))
