"""Parts an intake: what isolated gateways sent goes aside, the rest is read. Pure."""

import numpy as np

from city.errors import DataError
from city.registry import IngestRegistry
from city.topics import gateway_of_state
from ingest.bundle import Bundled
from ingest.fairness import UNKNOWN
from ingest.intake import Intake

Apart = dict[str, list[Bundled]]
"""Gateway → its messages, in the order of receipt; those of all unknown ones stand under `UNKNOWN`."""


def divide(intake: Intake, registry: IngestRegistry, isolated: frozenset[str]) -> tuple[Intake, Apart]:
    """Return the messages of all others and our marks, and those of the isolated.

    Of an isolated gateway's states the last one is read: whether it is there says nothing of how much it sends.
    """
    keep = np.ones(len(intake), bool)
    apart: Apart = {}
    states: dict[str, int] = {}
    for index in range(len(intake)):
        topic = intake.topic(index)
        gateway = _gateway(topic, registry)
        if gateway not in isolated:
            continue
        if gateway != UNKNOWN and gateway_of_state(topic) is not None:
            states[gateway] = index
        keep[index] = False
    keep[list(states.values())] = True
    for index in np.flatnonzero(~keep).tolist():
        topic = intake.topic(index)
        bundled = Bundled(topic, intake.payload(index), intake.retained(index))
        apart.setdefault(_gateway(topic, registry) or UNKNOWN, []).append(bundled)
    return (intake.select(keep), apart) if apart else (intake, apart)


def _gateway(topic: str, registry: IngestRegistry) -> str | None:
    """Return on whose account a message goes; None for a mark."""
    if not topic:
        return None
    try:
        gateway = registry.routes.origin_of(topic).gateway
    except DataError:
        return UNKNOWN
    return gateway if gateway in registry.gateways else UNKNOWN
