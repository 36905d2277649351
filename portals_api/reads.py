"""What the portals read from the database, as rows in the shape of the API. Times come out as RFC 3339."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from city.clock import from_datetime, to_datetime
from city.errors import DataError, NotFoundError
from city.topics import is_name
from portals_api.i18n import plain_text
from portals_api.paging import CursorError, decode_cursor, page
from portals_api.rows import Row, rows
from portals_api.verdict_reads import with_verdicts
from portals_api.visibility import Viewer, hidden_kinds, visible
from storage import queries
from storage.pool import Pool, engine_errors

_SQL = queries.load(Path(__file__).with_suffix(".sql"))

_LAMPS = {None: _SQL.lamps_any, "ok": _SQL.lamps_ok, "faulty": _SQL.lamps_faulty, "out": _SQL.lamps_out}


@dataclass(frozen=True, slots=True)
class ReadingFilter:
    """Which readings; times are aware."""

    series: int | None = None
    device: str | None = None
    metric: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def installation(pool: Pool) -> Row | None:
    """Return city, time zone, whether it is simulated, and its languages."""
    found = await rows(pool, _SQL.installation)
    return found[0] if found else None


async def figures(pool: Pool, viewer: Viewer, since_us: int) -> Row:
    """Return the city's figures of now."""
    return (await rows(pool, _SQL.figures, hidden=hidden_kinds(viewer), since=to_datetime(since_us)))[0]


async def districts(pool: Pool) -> list[Row]:
    """Return id and name of every district."""
    found = await rows(pool, _SQL.districts)
    return sorted(found, key=lambda district: plain_text(district["name"]))


async def demand_district(pool: Pool, district_id: str) -> None:
    """Do nothing if the city has a district.

    Raises
    ------
    NotFoundError
        There is none of that name; says which there are.
    """
    names = sorted(row["district_id"] for row in await rows(pool, _SQL.districts))
    if district_id not in names:
        known = f"ask for one of {', '.join(names)}" if names else "the city has named none"
        raise NotFoundError(f"there is no district {district_id!r}: {known}")


async def lamps(
    pool: Pool,
    viewer: Viewer,
    *,
    limit: int,
    cursor: str | None = None,
    lamp_id: str | None = None,
    district: str | None = None,
    feeder: str | None = None,
    state: str | None = None,
) -> Row:
    """Return one page of lamps, by id.

    Raises
    ------
    CursorError
        `cursor` is not of this list.
    """
    after = decode_cursor(cursor, str)
    filters: Row = {
        "district": district,
        "feeder": feeder if visible("feeder", viewer) else None,
        "above": visible("feeder", viewer),
        "after": after[0] if after else None,
        "limit": limit + 1,
    }
    ids: list[str | None] = [lamp_id]
    if lamp_id is None:
        ids = [row["id"] for row in await rows(pool, _LAMPS[state], **filters)]
    return page(await lamps_of(pool, viewer, ids), limit, lambda lamp: [lamp["id"]])


async def lamps_of(pool: Pool, viewer: Viewer, ids: Sequence[str | None]) -> list[Row]:
    """Return the lamps of these numbers that exist, by number."""
    found = await rows(pool, _SQL.lamps, ids=list(ids), above=visible("feeder", viewer))
    for lamp in found:
        lamp["url"] = f"/lamps/{lamp['id']}"
        for kind in ("feeder", "cabinet", "gateway"):
            if not visible(kind, viewer):
                lamp[kind] = None
    return found


async def lamp(pool: Pool, viewer: Viewer, lamp_id: str) -> Row:
    """Return one lamp.

    Raises
    ------
    NotFoundError
        There is none of that number.
    """
    found = (await lamps(pool, viewer, limit=1, lamp_id=lamp_id))["items"] if is_name(lamp_id) else []
    if not found:
        raise NotFoundError(f"there is no lamp {lamp_id!r}")
    one: Row = found[0]
    return one


async def facilities(
    pool: Pool,
    *,
    limit: int,
    cursor: str | None = None,
    facility_id: str | None = None,
    district: str | None = None,
    kind: str | None = None,
) -> Row:
    """Return one page of facilities, by id.

    Raises
    ------
    CursorError
        `cursor` is not of this list.
    """
    after = decode_cursor(cursor, str)
    found = await rows(
        pool,
        _SQL.facilities,
        id=facility_id,
        district=district,
        kind=kind,
        after=after[0] if after else None,
        limit=limit + 1,
    )
    for facility in found:
        facility["url"] = f"/facilities/{facility['id']}"
    return page(found, limit, lambda facility: [facility["id"]])


async def facility(pool: Pool, facility_id: str) -> Row:
    """Return one facility.

    Raises
    ------
    NotFoundError
        There is none of that name.
    """
    found = (await facilities(pool, limit=1, facility_id=facility_id))["items"] if is_name(facility_id) else []
    if not found:
        raise NotFoundError(f"there is no facility {facility_id!r}")
    one: Row = found[0]
    return one


async def facility_hours(pool: Pool, facility_id: str) -> Row | None:
    """Return when a facility is open, as the pack told it; None where it does not."""
    found = await rows(pool, _SQL.facility_hours, id=facility_id)
    return found[0]["opening"] if found else None


async def asset_alarms(pool: Pool, asset_id: str) -> list[Row]:
    """Return the latest alarms of an asset, each with what was found."""
    return await with_verdicts(pool, await rows(pool, _SQL.asset_alarms, asset=asset_id))


async def asset_series(pool: Pool, asset_id: str) -> list[Row]:
    """Return every metric of an asset with its last reading."""
    return await rows(pool, _SQL.asset_series, asset=asset_id)


async def series_of_asset(pool: Pool, asset_id: str, metric: str) -> int | None:
    """Return the series of one metric of an asset, if a device reports it."""
    found = await rows(pool, _SQL.series_of_asset, asset=asset_id, metric=metric)
    return int(found[0]["series"]) if found else None


async def series_history(
    pool: Pool, series: int, since_us: int, until_us: int, limit: int = 1000
) -> list[tuple[int, float]]:
    """Return (µs UTC, value) of one series in [since_us, until_us], oldest first, the latest `limit`."""
    with engine_errors():
        async with pool.connection() as connection:
            parameters = {
                "series": series,
                "since": to_datetime(since_us),
                "until": to_datetime(until_us),
                "limit": limit,
            }
            found = await (await connection.execute(_SQL.series_history, parameters)).fetchall()
    return [(from_datetime(at), float(value)) for at, value in found]


async def readings(pool: Pool, viewer: Viewer, wanted: ReadingFilter, *, limit: int, cursor: str | None = None) -> Row:
    """Return one page of readings: of named series the newest first, else all in the order of their key.

    Raises
    ------
    CursorError
        `cursor` is not of this list.
    DataError
        A metric without its device.
    """
    key = decode_cursor(cursor, int, int)
    after_at = cursor_moment(key[0]) if key else None
    if wanted.metric is not None and wanted.device is None and wanted.series is None:
        raise DataError("name the device whose metric it is: device=…&metric=…")
    hidden = hidden_kinds(viewer)
    parameters: Row = {
        "from": wanted.since,
        "to": wanted.until,
        "after_at": after_at,
        "after_series": key and key[1],
        "limit": limit + 1,
    }
    if wanted.series is None and wanted.device is None:
        found = await rows(pool, _SQL.readings_all, hidden=hidden, **parameters)
    else:
        known = await rows(
            pool,
            _SQL.series_of,
            hidden=hidden,
            series=wanted.series,
            device=wanted.device,
            metric=wanted.metric,
        )
        by_id = {row["series_id"]: row for row in known}
        found = await rows(pool, _SQL.readings_of, series=list(by_id), **parameters) if by_id else []
        for reading in found:
            reading |= {name: by_id[reading["series"]][name] for name in ("device", "metric", "unit")}
    return page(found, limit, lambda r: [from_datetime(datetime.fromisoformat(r["observed_at"])), r["series"]])


def cursor_moment(at_us: int) -> datetime:
    """Return the time of a cursor."""
    try:
        return to_datetime(at_us)
    except (OverflowError, ValueError, OSError) as exc:
        raise CursorError("`next` is not a cursor of this list: begin again without it") from exc
