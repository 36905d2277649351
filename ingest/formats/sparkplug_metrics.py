"""The metrics of a Sparkplug message, read with what a birth says of them, as readings by their times."""

from collections.abc import Mapping

from ingest.formats.parsed import KEYS_MAX, NAME_CHARACTERS_MAX, OBJECTS_MAX, ParsedMessage, ParsedObject, kept_name
from ingest.formats.sparkplug_births import Birth, Definition, is_control, unit_in
from ingest.formats.sparkplug_payload import METRICS_MAX, Metric, Payload
from ingest.formats.sparkplug_values import Told, Unfit, check_quality, values_of
from ingest.formats.times import MILLISECONDS_MAX
from ingest.formats.values import is_value_name, safe


class _Groups:
    """Readings by their times: those of one time are one object, or several where they are many."""

    def __init__(self, message: ParsedMessage, device: str) -> None:
        self._message = message
        self._device = device
        self._places: dict[int | None, int] = {}
        self._open: dict[int | None, ParsedObject] = {}

    def position(self, at_us: int | None) -> int:
        """Return the place of a time among those of the message: a replay counts the same."""
        return self._places.setdefault(at_us, len(self._places))

    def add(self, at_us: int | None, told: Told, unit: str) -> None:
        item = self._open.get(at_us)
        if item is None or len(item.readings) >= KEYS_MAX or told.name in item.readings:
            item = ParsedObject(self.position(at_us), self._device, at_us, {}, {})
            if len(self._message.objects) >= OBJECTS_MAX:
                raise Unfit("too-many-objects", f"values of over {OBJECTS_MAX} times: send several messages")
            self._open[at_us] = item
            self._message.objects.append(item)
        item.readings[told.name] = told.value
        if unit:
            item.units[told.name] = unit


def read_metrics(message: ParsedMessage, sender: str, told: Payload, birth: Birth | None) -> None:
    """Read a message's metrics with what the birth says of them; `sender` is the node, or ``node/device``."""
    if told.timestamp_ms is not None and told.timestamp_ms <= MILLISECONDS_MAX:
        message.sent_at_us = told.timestamp_ms * 1000
    groups = _Groups(message, sender)
    count = 0
    for metric in told.metrics:
        at_us = message.sent_at_us
        if metric.timestamp_ms is not None and metric.timestamp_ms <= MILLISECONDS_MAX:
            at_us = metric.timestamp_ms * 1000
        position = groups.position(at_us)
        name = metric.name or (birth.aliases.get(metric.alias) if birth and metric.alias is not None else None)
        if metric.is_null or metric.is_transient or (name is not None and is_control(name)):
            continue
        try:
            _check_time(metric.timestamp_ms)
            for value, unit in _values(metric, name, birth):
                count += 1
                if count > METRICS_MAX:
                    raise Unfit("too-many-keys", f"over {METRICS_MAX} values in one message: divide it")
                own_at = at_us if value.timestamp_ms is None else value.timestamp_ms * 1000
                if value.unfit is not None:
                    _refuse(message, groups.position(own_at), value.name, value.unfit)
                else:
                    groups.add(own_at, value, unit)
        except Unfit as exc:
            _refuse(message, position, name if name is not None else f"alias {metric.alias}", exc)


def _values(metric: Metric, name: str | None, birth: Birth | None) -> list[tuple[Told, str]]:
    """Return the values of one metric with their units.

    Raises
    ------
    Unfit
    """
    if name is None and metric.alias is None:
        raise Unfit("bad-metric-name", "a metric with neither name nor alias")
    if name is None:
        detail = "an alias of no birth that is known: it was asked for, then replay"
        raise Unfit("no-birth", detail, whole=True)
    check_quality(metric)
    definitions = birth.definitions if birth is not None else {}
    found = []
    for told in values_of(name, metric, definitions):
        own = (told.unit, _unit(definitions, told.name)) if told.name != name else (told.unit,)
        unit = unit_in(next((unit for unit in (*own, metric.unit, _unit(definitions, name)) if unit), ""))
        found.append((_checked(told, unit, born=birth is not None), unit))
    return found


def _unit(definitions: Mapping[str, Definition], name: str) -> str:
    return definitions[name].unit if name in definitions else ""


def _checked(told: Told, unit: str, *, born: bool) -> Told:
    """Return a value, or why it is refused: its name, its time, or that only a birth can tell its unit.

    Words and truths have no unit.
    """
    if told.unfit is not None and told.timestamp_ms is None:
        return told
    try:
        _check_time(told.timestamp_ms)
    except Unfit as exc:
        return told._replace(unfit=told.unfit or exc, timestamp_ms=None)
    if told.unfit is None and not is_value_name(told.name):
        detail = f"a metric is called by 1 to {NAME_CHARACTERS_MAX} printable characters"
        return told._replace(unfit=Unfit("bad-metric-name", detail))
    if told.unfit is None and not born and not unit and not isinstance(told.value, str | bool):
        detail = "a number whose unit only a birth tells: it was asked for, then replay"
        return told._replace(unfit=Unfit("no-birth", detail))
    return told


def _check_time(at_ms: int | None) -> None:
    if at_ms is not None and at_ms > MILLISECONDS_MAX:
        raise Unfit("bad-time", "not milliseconds since 1970")


def _refuse(message: ParsedMessage, position: int, name: str, why: Unfit) -> None:
    """Set one value aside; where only a birth can say what it is called, all of its time stands for it."""
    message.refuse(why.reason, f"{safe(name)}: {why}", position, "" if why.whole else kept_name(name))
