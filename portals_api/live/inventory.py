"""The inventory in columns: where everything stands, read once for each version of the registry."""

import gzip
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import dict_row

from city.asset import AssetKind
from city.metric import ACTIVE_POWER
from portals_api.i18n import plain_text
from portals_api.live.outline import innermost
from portals_api.visibility import Viewer, visible
from storage import queries
from storage.pool import Pool, transaction

SQL = queries.load(Path(__file__).with_name("live.sql"))
Row = dict[str, Any]
Indices = NDArray[np.int64]

_SCALE = 100_000
"""Positions travel in units of 1e-5 degrees: about a metre, which no map of a city shows."""


@dataclass(frozen=True)
class Lamps:
    """Lamps by id; all columns are as long as there are lamps.

    Attributes
    ----------
    lat, lon : float64[n_lamps], degrees
        NaN where the inventory knows no position.
    rated_w : float64[n_lamps], W
        1 where it is not known.
    street, district : int32[n_lamps]
        Position in `streets` and `districts`.
    """

    ids: list[str]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    rated_w: NDArray[np.float64]
    street: NDArray[np.int32]
    district: NDArray[np.int32]
    streets: list[str]
    districts: list[str]
    below: dict[str, Indices]
    """Lamps below a feeder or cabinet, or served by a gateway."""
    series: NDArray[np.int32]
    series_lamp: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def index(self) -> dict[str, int]:
        """Position by id."""
        return {lamp_id: place for place, lamp_id in enumerate(self.ids)}


@dataclass(frozen=True)
class Packed:
    """A document made once and served many times."""

    body: bytes
    packed: bytes = field(repr=False)
    tag: str

    @classmethod
    def of(cls, document: Any) -> "Packed":
        body = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
        return cls(body, gzip.compress(body, 9, mtime=0), hashlib.sha256(body).hexdigest()[:16])


@dataclass(frozen=True)
class Inventory:
    """The whole city of one registry version."""

    version: int
    lamps: Lamps
    places: list[Row]
    """Facilities, cabinets, gateways and feeders."""
    districts: list[Row]
    """With `boundary`, and `lat` and `lon` of the point farthest inside it; None without one."""

    @cached_property
    def lamps_document(self) -> Packed:
        """What ``/api/v1/map/lamps`` answers."""
        return Packed.of(lamps_document(self.lamps))

    @cached_property
    def reading_order(self) -> Indices:
        """Each lamp's place in the order of districts and streets as people read them; equal along one street."""
        names = {d["id"]: d["name"] for d in self.districts}
        districts = _order([names.get(name, name) for name in self.lamps.districts])
        streets = _order(self.lamps.streets)
        ranks: Indices = districts[self.lamps.district] * max(len(streets), 1) + streets[self.lamps.street]
        return ranks

    def places_of(self, viewer: Viewer) -> list[Row]:
        """Return what `viewer` may know of and the map draws: a feeder is seen by its lamps."""
        return [p for p in self.places if p["kind"] != AssetKind.FEEDER and visible(p["kind"], viewer)]


async def load_inventory(pool: Pool) -> Inventory:
    """Read the inventory whole.

    Raises
    ------
    EngineError
        The database did not answer.
    """
    async with transaction(pool) as connection:
        version = await (await connection.execute(SQL.pulse)).fetchone()
        lamps = sorted(await (await connection.execute(SQL.lamps)).fetchall())
        series = await (await connection.execute(SQL.power_series, {"metric": ACTIVE_POWER})).fetchall()
        async with connection.cursor(row_factory=dict_row) as cursor:
            places = await (await cursor.execute(SQL.places)).fetchall()
            districts = await (await cursor.execute(SQL.districts)).fetchall()
    return Inventory(
        -1 if version is None else version[0], _columns(lamps, series), places, [named(d) for d in districts]
    )


def named(district: Row) -> Row:
    """Return a district with the place of its name."""
    lat, lon = innermost(district["boundary"]) or (None, None)
    return {**district, "lat": lat, "lon": lon}


def _columns(rows: Sequence[tuple[Any, ...]], series: Sequence[tuple[int, str]]) -> Lamps:
    """Turn rows of ``lamps``, sorted, into columns."""
    ids, lat, lon, street, district, parent, root, gateway, rated = list(zip(*rows, strict=True)) or [()] * 9
    streets, street_of = _coded(street)
    districts, district_of = _coded(district)
    index = {lamp_id: place for place, lamp_id in enumerate(ids)}
    below: dict[str, list[int]] = {}
    for place, above in enumerate(zip(parent, root, gateway, strict=True)):
        for asset in set(above):
            below.setdefault(asset, []).append(place)
    known = [(number, index[asset]) for number, asset in series if asset in index]
    return Lamps(
        list(ids),
        np.array([math.nan if v is None else v for v in lat], np.float64),
        np.array([math.nan if v is None else v for v in lon], np.float64),
        np.array([v or 1.0 for v in rated], np.float64),
        street_of,
        district_of,
        streets,
        districts,
        {asset: np.array(places, np.int64) for asset, places in below.items()},
        np.array([number for number, _ in known], np.int32),
        np.array([place for _, place in known], np.int32),
    )


def _coded(names: Sequence[str]) -> tuple[list[str], NDArray[np.int32]]:
    """Return the different names in the order of their first appearance, and each one's position among them."""
    found: dict[str, int] = {}
    places = [found.setdefault(name, len(found)) for name in names]
    return list(found), np.array(places, np.int32)


def _order(names: Sequence[str]) -> Indices:
    """Return each name's place among them, without accents and case."""
    ranks = np.zeros(len(names), np.int64)
    ranks[sorted(range(len(names)), key=lambda at: (plain_text(names[at]), names[at]))] = np.arange(len(names))
    return ranks


def lamps_document(lamps: Lamps) -> Row:
    """Return the lamps' columns as JSON: small before it is compressed, because neighbours differ by little.

    ``ids`` are runs ``[prefix, first, width, count]`` or single ids; ``lat`` and ``lon`` are differences from the lamp
    before in 1e-5 degrees; ``street`` and ``district`` are runs ``[position in the names, count]``. ``nowhere`` lists
    the lamps of which no position is known: theirs repeats the one before.
    """
    placed = np.isfinite(lamps.lat) & np.isfinite(lamps.lon)
    return {
        "count": len(lamps),
        "scale": _SCALE,
        "ids": _id_runs(lamps.ids),
        "lat": _differences(lamps.lat, placed),
        "lon": _differences(lamps.lon, placed),
        "nowhere": np.flatnonzero(~placed).tolist(),
        "streets": lamps.streets,
        "street": _runs(lamps.street),
        "districts": lamps.districts,
        "district": _runs(lamps.district),
    }


def _differences(degrees: NDArray[np.float64], placed: NDArray[np.bool_]) -> list[int]:
    whole = np.round(np.where(placed, degrees, 0.0) * _SCALE).astype(np.int64)
    last = np.maximum.accumulate(np.where(placed, np.arange(len(whole)), 0))
    filled = whole[last] if len(whole) else whole
    differences: list[int] = np.diff(filled, prepend=0).tolist()
    return differences


def _runs(codes: NDArray[np.int32]) -> list[list[int]]:
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    counts = np.diff(np.append(starts, len(codes)))
    return [[int(codes[start]), int(count)] for start, count in zip(starts, counts, strict=True)]


def _id_runs(ids: Sequence[str]) -> list[Any]:
    """Join ids that count up: ``["L-", 1, 5, 50000]`` is L-00001 to L-50000."""
    runs: list[Any] = []
    for identity in ids:
        prefix = identity.rstrip("0123456789")
        digits = identity[len(prefix) :]
        if not digits or len(digits) > 15:
            runs.append(identity)
            continue
        number = int(digits)
        last = runs[-1] if runs and isinstance(runs[-1], list) else None
        if last and last[0] == prefix and last[1] + last[3] == number and last[2] == len(digits):
            last[3] += 1
        else:
            runs.append([prefix, number, len(digits), 1])
    return runs
