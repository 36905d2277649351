"""What the map shows, as lists: the same states, the same filters, the same counts, from the same board."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portals_api.i18n import plain_text
from portals_api.live.view import STATES, View
from portals_api.paging import decode_cursor, page


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which lamps; `cursor` is `next` of the page before."""

    state: str | None
    district: str | None
    street: str | None
    cursor: str | None
    limit: int


def lamps_by_place(view: View, query: ListQuery) -> dict[str, Any]:
    """Return one page of lamps by district, street and number, and the counts of all that fit but for their state.

    Raises
    ------
    CursorError
        `query.cursor` is not of this list.
    """
    key = decode_cursor(query.cursor, int, int)
    assert view.inventory is not None
    lamps = view.inventory.lamps
    fits = np.ones(len(lamps), np.bool_)
    if query.district is not None:
        fits &= _is(lamps.district, lamps.districts, query.district)
    if query.street is not None:
        wanted = plain_text(query.street)
        alike = [code for code, name in enumerate(lamps.streets) if wanted in plain_text(name)]
        fits &= np.isin(lamps.street, alike)
    counts = view.counts(view.states[fits])
    if query.state is not None:
        fits &= view.states == STATES.index(query.state)
    places = np.flatnonzero(fits)
    rank = view.inventory.reading_order[places]
    order = np.lexsort((places, rank))
    places, rank = places[order], rank[order]
    start = 0
    if key is not None:
        start = int(np.searchsorted(rank, key[0]))
        start += int(np.searchsorted(places[start : int(np.searchsorted(rank, key[0], "right"))], key[1], "right"))
    items = [
        {
            "id": lamps.ids[place],
            "state": STATES[view.states[place]],
            "street": lamps.streets[lamps.street[place]] or None,
            "district": lamps.districts[lamps.district[place]] or None,
            "url": f"/lamps/{lamps.ids[place]}",
            "_key": [int(of), int(place)],
        }
        for place, of in zip(
            places[start : start + query.limit + 1], rank[start : start + query.limit + 1], strict=True
        )
    ]
    body = page(items, query.limit, lambda item: list(item["_key"]))
    for item in items:
        del item["_key"]
    return {**body, "total": len(places), "counts": counts}


def by_district(view: View) -> list[dict[str, Any]]:
    """Return the counts of every district, by name."""
    assert view.inventory is not None
    lamps = view.inventory.lamps
    found = []
    for district in sorted(view.inventory.districts, key=lambda d: plain_text(d["name"])):
        states = view.states[_is(lamps.district, lamps.districts, district["id"])]
        tickets = len(tickets_of(view, district["id"]))
        counts = view.counts(states)
        found.append({"id": district["id"], "name": district["name"], "counts": counts, "tickets": tickets})
    return found


def tickets_of(view: View, district: str | None) -> list[dict[str, Any]]:
    """Return the open tickets of a district, or of all."""
    return [t for t in view.tickets.values() if district is None or t["district"] == district]


def _is(codes: NDArray[np.int32], names: list[str], wanted: str) -> NDArray[np.bool_]:
    chosen: NDArray[np.bool_] = codes == (names.index(wanted) if wanted in names else -1)
    return chosen
