"""What one kind of viewer sees of the board: a state for every lamp, the tickets, and the changes of both."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from city.alarm import FaultClass
from portals_api.live.burning import LIT_SHARE, Burning
from portals_api.live.hub import RELOAD, Hub
from portals_api.live.inventory import Inventory, Packed, Row
from portals_api.visibility import Viewer, visible

if TYPE_CHECKING:
    from portals_api.live.board import News

STATES = ("unknown", "off", "lit", "silent", "faulty", "out")
"""By code, as they travel. Silent and out are what tickets say of a lamp whose last reading no longer holds."""
UNKNOWN, OFF, LIT, SILENT, FAULTY, OUT = range(6)

_WORKED_ON = frozenset({"new", "assigned", "in_progress"})
_DIGITS = np.frombuffer(b"012345", np.uint8)


class View:
    """The city as one kind of viewer may see it."""

    def __init__(self, viewer: Viewer, hub: Hub) -> None:
        self.viewer = viewer
        self.hub = hub
        self.inventory: Inventory | None = None
        self.states: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self.tickets: dict[int, Row] = {}
        self.places: dict[str, str] = {}
        self._packed: tuple[Inventory, Packed] | None = None

    @property
    def codes(self) -> str:
        """The state of every lamp as one digit each, in the order of the inventory."""
        return _DIGITS[self.states].tobytes().decode()

    @property
    def places_document(self) -> Packed:
        """What ``/api/v1/map/places`` answers this viewer."""
        assert self.inventory is not None
        if self._packed is None or self._packed[0] is not self.inventory:
            places = {"places": self.inventory.places_of(self.viewer), "districts": self.inventory.districts}
            self._packed = (self.inventory, Packed.of(places))
        return self._packed[1]

    def counts(self, states: NDArray[np.uint8] | None = None) -> dict[str, int]:
        """Return how many lamps are in each state."""
        found = np.bincount(self.states if states is None else states, minlength=len(STATES))
        return {name: int(count) for name, count in zip(STATES, found, strict=True)}

    def update(self, inventory: Inventory, burning: Burning, news: "News") -> None:
        """Take the board's newest and tell the listeners what changed."""
        tickets = {t["id"]: _public(t) for t in news.tickets if visible(t["scope_kind"], self.viewer)}
        states = self._states(inventory, burning, news.tickets)
        places = self._places(inventory, news)
        if inventory is not self.inventory:
            self.inventory, self.states, self.tickets, self.places = inventory, states, tickets, places
            self.hub.publish(RELOAD, {})
            return
        change: dict[str, Any] = {}
        moved = np.flatnonzero(states != self.states)
        if len(moved):
            change["lamps"] = moved.tolist()
            change["states"] = _DIGITS[states[moved]].tobytes().decode()
        told = [ticket for number, ticket in tickets.items() if self.tickets.get(number) != ticket]
        if told:
            change["tickets"] = told
        if gone := [number for number in self.tickets if number not in tickets]:
            change["gone"] = gone
        if other := {name: state for name, state in places.items() if self.places.get(name) != state}:
            change["places"] = other
        self.states, self.tickets, self.places = states, tickets, places
        if change:
            self.hub.publish("change", change)

    def _states(self, inventory: Inventory, burning: Burning, tickets: list[Row]) -> NDArray[np.uint8]:
        lamps = inventory.lamps
        states = np.full(len(lamps), UNKNOWN, np.uint8)
        heard = np.isfinite(burning.power_w)
        lit = burning.power_w > LIT_SHARE * lamps.rated_w
        states[heard & ~lit] = OFF
        states[heard & lit] = LIT
        own: list[tuple[int, int]] = []
        for ticket in tickets:
            kind, scope = ticket["scope_kind"], ticket["scope_id"]
            silent = ticket["fault"] == FaultClass.COMMUNICATION_FAILURE
            if kind == "lamp":
                if scope in lamps.index:
                    own.append((SILENT if silent else FAULTY, lamps.index[scope]))
            elif visible(kind, self.viewer) and ticket["state"] in _WORKED_ON and scope in lamps.below:
                states[lamps.below[scope]] = SILENT if silent else OUT
        for state, lamp in sorted(own):
            states[lamp] = state
        return states

    def _places(self, inventory: Inventory, news: "News") -> dict[str, str]:
        """Return the state of facilities and gateways: ``ok``, ``alarm``, ``online``, ``offline``, ``unknown``."""
        found: dict[str, str] = {}
        for place in inventory.places_of(self.viewer):
            if place["kind"] == "gateway":
                found[place["id"]] = news.gateways.get(place["id"], "unknown")
            elif place["kind"] == "facility":
                found[place["id"]] = "alarm" if place["id"] in news.alarmed else "ok"
        return found


def _public(ticket: Row) -> Row:
    scope = {"kind": ticket["scope_kind"], "id": ticket["scope_id"]}
    kept = ("id", "state", "category", "fault", "severity", "district", "lat", "lon", "opened_at")
    return {**{name: ticket[name] for name in kept}, "scope": scope, "url": f"/tickets/{ticket['id']}"}
