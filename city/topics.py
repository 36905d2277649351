"""The grammar of MQTT topics and the names of the log's topics."""

import re

READINGS = "readings"
DEAD_LETTERS = "dead-letters"
CANDIDATES = "candidates"
ALARMS = "alarms"
TICKETS = "tickets"

PARTITIONS = {READINGS: 12, DEAD_LETTERS: 2, CANDIDATES: 2, ALARMS: 2, TICKETS: 2}
"""Partitions of each topic of the log, unless settings say otherwise."""

SHARDS = 1024

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
ROOT = "citynerve/v1"
"""Everything that speaks to us under topics of our own does so below this."""

READINGS_FILTER = f"{ROOT}/+/readings"
STATE = "state"
STATE_FILTER = f"{ROOT}/+/{STATE}"
OWN_FILTER = f"{ROOT}/+/+"
"""Readings, states and every other format that a gateway may name in its topic."""


def is_name(text: str) -> bool:
    """Tell whether `text` may name an asset, a device or a gateway: safe in topics, URLs, file names and SQL."""
    return _NAME.fullmatch(text) is not None


def readings_topic(gateway: str) -> str:
    """Return the MQTT topic on which `gateway` publishes its readings."""
    return f"{ROOT}/{gateway}/readings"


def state_topic(gateway: str) -> str:
    """Return the MQTT topic of `gateway`'s birth message and last will."""
    return f"{ROOT}/{gateway}/{STATE}"


def gateway_of_state(topic: str) -> str | None:
    """Return whose birth message or last will a topic carries; None if it carries something else."""
    match topic.split("/"):
        case ["citynerve", "v1", gateway, "state"] if is_name(gateway):
            return gateway
    return None
