"""Parts an intake: what isolated gateways sent goes aside, the rest is read. Pure."""

import numpy as np

from city.errors import DataError
from city.integration import Routes
from city.topics import gateway_of_state
from ingest.bundle import Bundled
from ingest.intake import Intake

Apart = dict[str, list[Bundled]]
"""Gateway → its messages, in the order of receipt."""


def divide(intake: Intake, routes: Routes, isolated: frozenset[str]) -> tuple[Intake, Apart]:
    """Return the messages of all others, marks and states among them, and those of the isolated."""
    keep = np.ones(len(intake), bool)
    apart: Apart = {}
    for index in range(len(intake)):
        topic = intake.topic(index)
        gateway = _gateway(topic, routes)
        if gateway in isolated:
            keep[index] = False
            bundled = Bundled(topic, intake.payload(index), intake.retained(index))
            apart.setdefault(gateway, []).append(bundled)
    return (intake.select(keep), apart) if apart else (intake, apart)


def _gateway(topic: str, routes: Routes) -> str | None:
    """Return who answers for a message in the ledger; None for a mark or a state."""
    if not topic or gateway_of_state(topic) is not None:
        return None
    try:
        return routes.origin_of(topic).gateway
    except DataError:
        return ""
