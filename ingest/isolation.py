"""Parts an intake: what isolated gateways sent goes aside, the rest is read. Pure."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from city.errors import DataError
from city.registry import IngestRegistry
from city.topics import gateway_of_state
from ingest.bundle import Bundled
from ingest.fairness import UNKNOWN
from ingest.intake import Intake

if TYPE_CHECKING:
    from ingest.door import Door

_ELSEWHERE = -1
"""Of a message on no gateway's topic of the native format."""

Apart = dict[str, list[Bundled]]
"""Gateway → its messages, in the order of receipt; those of all unknown ones stand under `UNKNOWN`."""


def divide(intake: Intake, door: "Door", isolated: frozenset[str]) -> tuple[Intake, Apart]:
    """Return the messages of all others and our marks, and those of the isolated.

    Of an isolated gateway's states the last one is read: whether it is there says nothing of how much it sends.
    """
    places = door.speakers(intake)
    numbers = {door.place_of[gateway]: gateway for gateway in isolated if gateway in door.place_of}
    native = np.isin(places, list(numbers))
    gateways = {index: numbers[place] for index, place in zip(*_listed(native, places), strict=True)}
    states: dict[str, int] = {}
    # Formats of others, states, and what nobody knows: of these there are few, or their sender pays for each.
    for index in np.flatnonzero(places == _ELSEWHERE).tolist():
        topic = intake.topic(index)
        gateway = _gateway(topic, door.registry)
        if gateway not in isolated:
            continue
        gateways[index] = gateway
        if gateway != UNKNOWN and gateway_of_state(topic) is not None:
            states[gateway] = index
    for index in states.values():
        del gateways[index]
    if not gateways:
        return intake, {}
    keep = np.ones(len(intake), bool)
    apart: Apart = {}
    for index in sorted(gateways):
        keep[index] = False
        bundled = Bundled(intake.topic(index), intake.payload(index), intake.retained(index))
        apart.setdefault(gateways[index], []).append(bundled)
    return intake.select(keep), apart


def _listed(mask: NDArray[np.bool_], places: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    return np.flatnonzero(mask).tolist(), places[mask].tolist()


def _gateway(topic: str, registry: IngestRegistry) -> str:
    """Return on whose account a message goes."""
    try:
        gateway = registry.routes.origin_of(topic).gateway
    except DataError:
        return UNKNOWN
    return gateway if gateway in registry.gateways else UNKNOWN
