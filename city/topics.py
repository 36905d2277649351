"""The grammar of MQTT topics and the names of the log's topics."""

import re
from dataclasses import dataclass

from city.errors import DataError

READINGS = "readings"
DEAD_LETTERS = "dead-letters"
CANDIDATES = "candidates"
ALARMS = "alarms"
TICKETS = "tickets"

PARTITIONS = {READINGS: 12, DEAD_LETTERS: 2, CANDIDATES: 2, ALARMS: 2, TICKETS: 2}
"""Partitions of each topic of the log, unless settings say otherwise."""

SHARDS = 1024

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_ROOT = "citynerve/v1"

READINGS_FILTER = f"{_ROOT}/+/readings"
STATE_FILTER = f"{_ROOT}/+/state"


def is_name(text: str) -> bool:
    """Tell whether `text` may name an asset, a device or a gateway: safe in topics, URLs, file names and SQL."""
    return _NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class GatewayTopic:
    """``citynerve/v1/{gateway}/{readings|state}``: everything that one MQTT client may publish."""

    gateway: str
    leaf: str

    def __str__(self) -> str:
        return f"{_ROOT}/{self.gateway}/{self.leaf}"


def readings_topic(gateway: str) -> str:
    """Return the MQTT topic on which `gateway` publishes its readings."""
    return str(GatewayTopic(gateway, "readings"))


def state_topic(gateway: str) -> str:
    """Return the MQTT topic of `gateway`'s birth message and last will."""
    return str(GatewayTopic(gateway, "state"))


def parse(topic: str) -> GatewayTopic:
    """Take a topic apart.

    Raises
    ------
    DataError
        The topic is not of ours.
    """
    match topic.split("/"):
        case ["citynerve", "v1", gateway, "readings" | "state" as leaf] if is_name(gateway):
            return GatewayTopic(gateway, leaf)
    raise DataError(f"topic {topic[:200]!r} is not citynerve/v1/{{gateway}}/readings or …/state")
