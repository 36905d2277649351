"""Integrations: topics that are not ours, the format in which they speak, and the gateway that answers for them."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from city.errors import DataError
from city.topics import ROOT, is_name

FORMATS = (
    "readings",
    "senml",
    "senml-cbor",
    "chirpstack",
    "tts",
    "sparkplug-b",
    "iota-json",
    "ngsi-ld",
    "ngsi-v2",
    "thingsboard",
    "talq",
    "csv",
)
"""Payload formats by the name that a topic's last level or a city pack gives them; ``readings`` is the native one."""

ORDERED_FORMATS = frozenset({"sparkplug-b"})
"""Formats whose messages tell nothing but in their order: one process reads them all."""

_LEVEL = re.compile(r"\{[a-z][a-z0-9_]{0,31}\}|[^+#{}\x00]*")
_TOPIC_MAX = 256


class Origin(NamedTuple):
    """Where a message comes from, as far as its topic tells.

    Attributes
    ----------
    format : str
        One of `FORMATS`, or what a topic of ours names instead.
    gateway : str
        Who answers for it in the ledger.
    levels : dict
        Further named levels of the topic, such as ``device``, each as it stands there.
    """

    topic: str
    format: str
    gateway: str
    levels: dict[str, str]


@dataclass(frozen=True, slots=True)
class Integration:
    """A network server, platform or broker whose topics ingest listens to.

    Attributes
    ----------
    topics : tuple of str
        Levels are literal or named: ``application/{application}/device/{device}/event/up``.
    gateway : str
        The gateway of the registry that answers for all of it; ``{name}`` takes it from a level of the topic.
    """

    integration_id: str
    format: str
    topics: tuple[str, ...]
    gateway: str

    @property
    def filters(self) -> tuple[str, ...]:
        """MQTT topic filters of all its topics."""
        return tuple(re.sub(r"\{[^}]*\}", "+", topic) for topic in self.topics)


def template_problem(template: str) -> str | None:
    """Return what is wrong with a topic of an integration, None if it may stand."""
    levels = template.split("/")
    if not template or len(template) > _TOPIC_MAX or not template.isprintable():
        return f"a topic has 1 to {_TOPIC_MAX} printable characters"
    if any(_LEVEL.fullmatch(level) is None for level in levels):
        return "a level is plain text or one {name}; the wildcards + and # are not written here"
    names = [level for level in levels if level.startswith("{")]
    if len(set(names)) != len(names):
        return "a {name} stands twice"
    if template.startswith((f"{ROOT.split('/')[0]}/", "$")) or levels[0].startswith("{"):
        return "topics of our own, of the broker, and those that begin with a {name} may not be integrated"
    return None


def names_of(template: str) -> frozenset[str]:
    """Return the names of a topic's named levels."""
    return frozenset(level[1:-1] for level in template.split("/") if level.startswith("{"))


class Routes:
    """Finds a topic's origin among our own topics and those of integrations."""

    _REMEMBERED_MAX = 65_536
    _REMEMBERED_CHARACTERS_MAX = 256

    def __init__(self, integrations: tuple[Integration, ...] = ()) -> None:
        self.integrations = integrations
        self._templates = [
            (topic.split("/"), integration) for integration in integrations for topic in integration.topics
        ]
        self._known: dict[str, Origin] = {}

    def origin_of(self, topic: str) -> Origin:
        """Return where a message of this topic comes from.

        Raises
        ------
        DataError
            Nobody listens to such a topic, or the gateway in it cannot be one's name.
        """
        known = self._known.get(topic)
        if known is None:
            known = self._find(topic)
            if len(self._known) < self._REMEMBERED_MAX and len(topic) <= self._REMEMBERED_CHARACTERS_MAX:
                self._known[topic] = known
        return known

    def _find(self, topic: str) -> Origin:
        levels = topic.split("/")
        if topic.startswith(ROOT + "/"):
            match levels:
                case [_, _, gateway, leaf] if is_name(gateway) and leaf:
                    return Origin(topic, leaf, gateway, {})
            raise DataError(f"topic {topic[:200]!r} is not {ROOT}/{{gateway}}/readings, …/state or …/{{format}}")
        for template, integration in self._templates:
            if (named := _matched(template, levels)) is not None:
                return _origin(topic, integration, named)
        raise DataError(f"topic {topic[:200]!r} belongs to no integration of the city pack")


def _matched(template: list[str], levels: list[str]) -> dict[str, str] | None:
    """Return the named levels if a topic is of this template."""
    if len(template) != len(levels):
        return None
    named = {}
    for wanted, level in zip(template, levels, strict=True):
        if wanted.startswith("{"):
            named[wanted[1:-1]] = level
        elif wanted != level:
            return None
    return named


def _origin(topic: str, integration: Integration, named: dict[str, str]) -> Origin:
    gateway = integration.gateway
    if gateway.startswith("{"):
        gateway = named[gateway[1:-1]]
        if not is_name(gateway):
            raise DataError(f"{gateway[:80]!r} in topic {topic[:200]!r} cannot be the id of a gateway")
    return Origin(topic, integration.format, gateway, named)
