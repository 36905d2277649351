"""Parts an intake: what isolated gateways sent goes aside, the rest is read. Pure."""

from typing import TYPE_CHECKING

import numpy as np

from city.errors import DataError
from city.registry import IngestRegistry
from city.topics import gateway_of_state, readings_topic
from ingest.bundle import Bundled
from ingest.fairness import UNKNOWN
from ingest.intake import FLAGS, PAYLOAD_END, PAYLOAD_START, RETAINED, Intake

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
    native = {door.place_of[gateway]: gateway for gateway in isolated if gateway in door.place_of}
    mask = np.isin(places, list(native))
    elsewhere = _elsewhere(intake, np.flatnonzero(places == _ELSEWHERE).tolist(), door.registry, isolated)
    mask[list(elsewhere)] = True
    topics = {place: readings_topic(gateway) for place, gateway in native.items()}
    apart: Apart = {}
    data = intake.data
    rows = zip(np.flatnonzero(mask).tolist(), places[mask].tolist(), intake.frames[mask].tolist(), strict=True)
    for index, place, row in rows:
        topic = topics.get(place)
        gateway = elsewhere[index] if topic is None else native[place]
        payload, retained = data[row[PAYLOAD_START] : row[PAYLOAD_END]], bool(row[FLAGS] & RETAINED)
        bundled = Bundled(intake.topic(index) if topic is None else topic, payload, retained)
        found = apart.get(gateway)
        if found is None:
            found = apart[gateway] = []
        found.append(bundled)
    return (intake.select(~mask), apart) if apart else (intake, apart)


def _elsewhere(
    intake: Intake, indices: list[int], registry: IngestRegistry, isolated: frozenset[str]
) -> dict[int, str]:
    """Return message → gateway of what the isolated sent in formats of others, states, and what nobody knows."""
    gateways: dict[int, str] = {}
    states: dict[str, int] = {}
    for index in indices:
        topic = intake.topic(index)
        gateway = _gateway(topic, registry)
        if gateway not in isolated:
            continue
        gateways[index] = gateway
        if gateway != UNKNOWN and gateway_of_state(topic) is not None:
            states[gateway] = index
    for index in states.values():
        del gateways[index]
    return gateways


def _gateway(topic: str, registry: IngestRegistry) -> str:
    """Return on whose account a message goes."""
    try:
        gateway = registry.routes.origin_of(topic).gateway
    except DataError:
        return UNKNOWN
    return gateway if gateway in registry.gateways else UNKNOWN
