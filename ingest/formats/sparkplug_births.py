"""What Sparkplug's births tell of the metrics of nodes and devices, and which of several births a letter is read by."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from city.clock import MINUTE_US
from city.units import UNIT_CHARACTERS_MAX
from ingest.formats.sparkplug_payload import DEPTH_MAX, METRICS_MAX, TEMPLATE, Metric, Payload, read_template
from ingest.formats.values import is_value_name, safe

ANSWER_US = 10 * MINUTE_US
"""A birth that comes so soon behind data without one answers for them: it was asked for because of them."""

_NO_MEASUREMENT = frozenset({"bdSeq"})
_CONTROLS = ("Node Control/", "Device Control/")

NodeKey = tuple[str, str]
"""Group and edge node."""


class Definition(NamedTuple):
    """What a birth says of a metric."""

    datatype: int | None
    unit: str


class Birth(NamedTuple):
    """The metrics of a node, or of one of its devices.

    Attributes
    ----------
    definitions : dict
        Name → what it is; members of templates by the way to them, ``lamp/power``.
    aliases : dict
        Alias → name.
    """

    definitions: dict[str, Definition]
    aliases: dict[int, str]

    def contradicts(self, other: "Birth") -> bool:
        """Tell whether the two would read one message differently."""
        return any(other.aliases.get(alias, name) != name for alias, name in self.aliases.items()) or any(
            other.definitions.get(name, definition) != definition for name, definition in self.definitions.items()
        )


class BirthTold(NamedTuple):
    """A birth as it is kept for replays: it came first and last at these times (µs UTC), with no other in between."""

    node: NodeKey
    device: str
    birth: Birth
    first_at: int
    last_at: int


def birth_in(told: Payload) -> Birth:
    """Return what an NBIRTH or DBIRTH tells."""
    definitions: dict[str, Definition] = {}
    aliases: dict[int, str] = {}
    for metric in told.metrics:
        if metric.name is not None and is_value_name(metric.name) and not is_control(metric.name):
            definitions[metric.name] = Definition(metric.datatype, unit_in(metric.unit))
            if metric.alias is not None:
                aliases[metric.alias] = metric.name
            for name, definition in _members(metric.name, metric, 0):
                if len(definitions) < METRICS_MAX:
                    definitions.setdefault(name, definition)
    return Birth(definitions, aliases)


def _members(name: str, metric: Metric, depth: int, unit: str = "") -> Iterator[tuple[str, Definition]]:
    """Yield the members of a template by their names; one without a unit has that of the member that it is in."""
    if metric.held != TEMPLATE or depth >= DEPTH_MAX or not isinstance(metric.value, bytes):
        return
    try:
        template = read_template(metric.value)
    except ValueError:
        return  # Whoever reads its values says so.
    for member in template.metrics if not template.is_definition else ():
        called = f"{name}/{member.name}"
        if member.name is not None and is_value_name(called):
            own = unit_in(member.unit) or unit
            yield called, Definition(member.datatype, own)
            yield from _members(called, member, depth + 1, own)


def unit_in(told: str) -> str:
    """Return a unit as it may be kept."""
    return safe(told)[:UNIT_CHARACTERS_MAX] if not told.isprintable() else told[:UNIT_CHARACTERS_MAX]


def is_control(name: str) -> bool:
    """Tell whether a metric steers its node rather than measures."""
    return name in _NO_MEASUREMENT or name.startswith(_CONTROLS)


class Ambiguous(ValueError):
    """The births before and after a message say different things of its metrics."""


class BirthBook:
    """Births by their times, for letters that are read again."""

    def __init__(self, told: Iterable[BirthTold] = ()) -> None:
        self._births: dict[tuple[NodeKey, str], list[BirthTold]] = {}
        for one in sorted(told, key=lambda one: one.first_at):
            self._births.setdefault((one.node, one.device), []).append(one)

    def birth_for(self, node: NodeKey, device: str, at_us: int, *, unborn: bool) -> Birth | None:
        """Return the birth by which data of `at_us` (µs UTC) are to be read; None where nobody can tell.

        Parameters
        ----------
        unborn : bool
            None was known when the data came: then what was known before may have changed unheard. The birth that
            answered counts, or the one before where the next one, whenever it came, says nothing else.

        Raises
        ------
        Ambiguous
            It is one of two that contradict each other.
        """
        births = self._births.get((node, device), [])
        place = bisect_right(births, at_us, key=lambda one: one.first_at)
        before = births[place - 1] if place else None
        after = births[place] if place < len(births) else None
        if before is not None and before.first_at == at_us and place > 1:
            # They were received together: nobody can tell which was first.
            _agree(births[place - 2].birth, before.birth)
        if before is not None and at_us <= before.last_at:
            return before.birth
        soon = after if after is not None and after.first_at <= at_us + ANSWER_US else None
        if unborn and soon is None:
            alike = before is not None and after is not None and not before.birth.contradicts(after.birth)
            return before.birth if before is not None and alike else None
        if soon is not None and not unborn and before is not None:
            _agree(before.birth, soon.birth)
            return before.birth
        told = soon or before
        return told.birth if told is not None else None


def _agree(one: Birth, other: Birth) -> None:
    if one.contradicts(other):
        raise Ambiguous("the births before and after it say different things of its metrics")
