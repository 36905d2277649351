"""Finds lamps, streets, facilities, districts, equipment by what people type: part of a name, accents aside, misspelt.

In memory, from the inventory that the board holds anyway: some thousand names answer within milliseconds on any engine.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np

from portals_api.i18n import plain_text
from portals_api.live.inventory import Inventory, Lamps
from portals_api.visibility import Viewer, visible

QUERY_MAX = 80
_ALIKE = 0.34
"""Share of three-letter pieces in common from which a misspelt name is still meant."""
_KINDS = ("street", "facility", "district", "lamp", "cabinet", "gateway", "feeder")
_ADDRESSES = {
    "lamp": "/lamps/",
    "facility": "/facilities/",
    "district": "/districts/",
    "cabinet": "/cabinets/",
    "gateway": "/gateways/",
    "feeder": "/feeders/",
}
"""Where each kind has its pages; a street has none."""


@dataclass(frozen=True, slots=True)
class Name:
    """Something that may be found."""

    kind: str
    identity: str
    name: str
    district: str
    lat: float | None
    lon: float | None
    plain: str
    key: str
    """The identity, written as `plain` is."""
    pieces: frozenset[str]

    def answer(self) -> dict[str, object]:
        """Return it in the shape of the API."""
        lead = _ADDRESSES.get(self.kind)
        return {
            "kind": self.kind,
            "id": self.identity,
            "name": self.name,
            "district": self.district,
            "lat": self.lat,
            "lon": self.lon,
            "url": lead + quote(self.identity, safe="") if lead else None,
        }


class SearchIndex:
    """The names of one inventory."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        districts = {d["id"]: d["name"] for d in inventory.districts}
        lamps = inventory.lamps
        self._names = [
            *_streets(lamps, districts),
            *(
                _name(p["kind"], p["id"], p["name"], districts.get(p["district"], ""), p["lat"], p["lon"])
                for p in inventory.places
            ),
            *(_name("district", d["id"], d["name"], "", d["lat"], d["lon"]) for d in inventory.districts),
        ]
        self._districts = districts
        self._lamp_keys = sorted((lamp_id.lower(), place) for place, lamp_id in enumerate(lamps.ids))

    def find(self, query: str, viewer: Viewer, limit: int) -> list[dict[str, object]]:
        """Return what fits best, best first."""
        wanted = plain_text(query[:QUERY_MAX]).strip()
        if not wanted:
            return []
        found = [(0 if lamp.plain == wanted else 1, lamp) for lamp in self._lamps(wanted, limit)]
        words = wanted.split()
        seen = [name for name in self._names if visible(name.kind, viewer)]
        for name in seen:
            if name.key == wanted:
                found.append((0, name))
            elif all(word in name.plain for word in words):
                found.append((_rank(name.plain, wanted), name))
        if not found:
            pieces = _pieces(wanted)
            alike = ((len(pieces & name.pieces) / (len(pieces | name.pieces) or 1), name) for name in seen)
            found = [(10 - int(10 * share), name) for share, name in alike if share >= _ALIKE]
        found.sort(key=lambda pair: (pair[0], _KINDS.index(pair[1].kind), len(pair[1].plain), pair[1].plain))
        return [name.answer() for _, name in found[:limit]]

    def _lamps(self, wanted: str, limit: int) -> Iterable[Name]:
        """Yield lamps whose number begins so, or is that number: ``42`` finds L-00042."""
        lamps = self.inventory.lamps
        places: list[int] = []
        at = bisect_left(self._lamp_keys, (wanted, -1))
        while at < len(self._lamp_keys) and len(places) < limit and self._lamp_keys[at][0].startswith(wanted):
            places.append(self._lamp_keys[at][1])
            at += 1
        if wanted.isdecimal() and lamps.ids:
            prefix = lamps.ids[0].rstrip("0123456789")
            exact = f"{prefix}{wanted.zfill(len(lamps.ids[0]) - len(prefix))}"
            if exact in lamps.index and lamps.index[exact] not in places:
                places.insert(0, lamps.index[exact])
        for place in places[:limit]:
            lat, lon = float(lamps.lat[place]), float(lamps.lon[place])
            known = np.isfinite(lat) and np.isfinite(lon)
            street = lamps.streets[lamps.street[place]]
            name = f"{lamps.ids[place]}, {street}" if street else lamps.ids[place]
            district = self._districts.get(lamps.districts[lamps.district[place]], "")
            found = _name("lamp", lamps.ids[place], name, district, lat if known else None, lon if known else None)
            yield Name(**{**{f: getattr(found, f) for f in Name.__slots__}, "plain": lamps.ids[place].lower()})


def _streets(lamps: Lamps, districts: dict[str, str]) -> Iterable[Name]:
    """Yield every street with the lamp in its middle."""
    order = np.argsort(lamps.street, kind="stable")
    starts = np.searchsorted(lamps.street[order], np.arange(len(lamps.streets) + 1))
    for code, street in enumerate(lamps.streets):
        if not street or starts[code] == starts[code + 1]:
            continue
        middle = order[(starts[code] + starts[code + 1]) // 2]
        lat, lon = float(lamps.lat[middle]), float(lamps.lon[middle])
        known = np.isfinite(lat) and np.isfinite(lon)
        district = districts.get(lamps.districts[lamps.district[middle]], "")
        yield _name("street", street, street, district, lat if known else None, lon if known else None)


def _name(kind: str, identity: str, name: str, district: str, lat: float | None, lon: float | None) -> Name:
    plain = plain_text(name if name != identity else identity)
    return Name(kind, identity, name, district, lat, lon, plain, plain_text(identity), _pieces(plain))


def _pieces(plain: str) -> frozenset[str]:
    words = re.findall(r"[a-z0-9]+", plain)
    return frozenset(f" {word} "[i : i + 3] for word in words for i in range(len(word)))


def _rank(plain: str, wanted: str) -> int:
    if plain == wanted:
        return 0
    if plain.startswith(wanted):
        return 1
    return 2 if f" {wanted}" in plain else 3
