"""Reads what a city pack says of other makers' messages: names of values in a profile, and integrations."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from city import packfile
from city.asset import WireName
from city.integration import FORMATS, Integration, names_of, template_problem
from city.metric import Metric
from city.packfile import Cells, shown
from city.smartmodels import MODELS
from city.topics import is_name
from city.units import UNIT_CHARACTERS_MAX, conversion, is_known

_NAME_MAX = 128


def parse_names(
    cells: Cells, text: str, profile: str, reported: Sequence[str], metrics: Mapping[str, Metric]
) -> tuple[WireName, ...]:
    """Read the table ``names`` of a profile: ``"ActivePower" = "active_power_w"``, or a table that says more."""
    if "names" not in cells.values:
        return ()
    told = packfile.table(cells.notes, cells.file, text, cells.values["names"], (profile, "names"))
    names = []
    for name, value in told.values.items():
        found = _wire_name(told, name, value, reported, metrics)
        if found is not None:
            names.append(found)
    cells.sound = cells.sound and told.sound
    return tuple(names)


def _wire_name(
    cells: Cells, name: str, value: object, reported: Sequence[str], metrics: Mapping[str, Metric]
) -> WireName | None:
    body: Any = {"metric": value} if isinstance(value, str) else value
    if not isinstance(body, dict) or not isinstance(body.get("metric"), str) or body.keys() - _NAME_KEYS:
        cells.wrong(name, f'{shown(name)} must be a metric, or a table such as {{ metric = "…", unit = "kW" }}')
        return None
    if not name.isprintable() or not 0 < len(name) <= _NAME_MAX:
        cells.wrong(name, f"{shown(name)} cannot be what a value is called: use 1 to {_NAME_MAX} printable characters")
        return None
    metric, unit = body["metric"], body.get("unit", "")
    if metric not in reported:
        cells.wrong(name, f"{shown(metric)} is none of the profile's metrics: add it to metrics, or mend the name")
        return None
    if name in metrics and name != metric:
        cells.wrong(name, f"{shown(name)} is a metric itself: it cannot stand for {metric}")
        return None
    if not isinstance(unit, str) or len(unit) > UNIT_CHARACTERS_MAX or (unit and not is_known(unit)):
        cells.wrong(name, f"unit {shown(unit)} is not known: write a UCUM symbol such as kW, mA or Cel")
        return None
    own = metrics[metric].unit if metric in metrics else ""
    if unit and conversion(unit, own) is None:
        cells.wrong(name, f"{unit} cannot be turned into {own}, the unit of {metric}: mend one of them")
        return None
    return WireName(name, metric, unit, _words(cells, name, body.get("values", {})))


_NAME_KEYS = frozenset({"metric", "unit", "values"})


def _words(cells: Cells, name: str, values: object) -> tuple[tuple[str, float], ...]:
    if not isinstance(values, dict):
        cells.wrong(name, "values must be a table of words and their numbers, such as { on = 1, off = 0 }")
        return ()
    found = []
    for word, number in values.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            cells.wrong(name, f"{shown(word)} must stand for a number, not {shown(number)}")
        else:
            found.append((word, float(number)))
    return tuple(found)


def model_of(
    cells: Cells, told: tuple[WireName, ...], reported: Sequence[str], metrics: Mapping[str, Metric]
) -> tuple[tuple[WireName, ...], tuple[str, ...]]:
    """Read ``model`` of a profile: return the names of that data model, and what is ignored of it.

    Names that the profile tells itself come first; a measurement whose metric it does not report is ignored.
    """
    if "model" not in cells.values:
        return (), ()
    model = MODELS.get(cells.text("model"))
    if model is None:
        cells.wrong("model", f"model {shown(cells.values['model'])} is not known: write one of {', '.join(MODELS)}")
        return (), ()
    own = {name.name for name in told}
    names: list[WireName] = []
    for name in model.names:
        if name.metric not in reported or name.metric not in metrics or name.name in own:
            continue
        if name.unit and conversion(name.unit, metrics[name.metric].unit) is None:
            unit = metrics[name.metric].unit
            cells.wrong("model", f"{name.name} comes in {name.unit}, which cannot be turned into {unit}: rename it")
        else:
            names.append(name)
    used = own | {name.name for name in names}
    left = {name.name for name in model.names} | model.others
    return tuple(names), tuple(sorted(left - used))


def parse_integration(cells: Cells, identity: str, refer: Callable[[Cells, str, str, str], None]) -> Integration:
    """Read one table of ``integrations.toml``."""
    if not cells.only(("format", "topics", "gateway")):
        return Integration(identity, "", (), "")
    kind = cells.values["format"]
    if kind not in FORMATS:
        cells.wrong("format", f"format {shown(kind)} is not known: write one of {', '.join(FORMATS)}")
    topics = cells.names("topics")
    for topic in topics:
        if (problem := template_problem(topic)) is not None:
            cells.wrong("topics", f"{shown(topic)}: {problem}")
    gateway = cells.text("gateway")
    if gateway.startswith("{") and gateway.endswith("}"):
        for topic in topics:
            if gateway[1:-1] not in names_of(topic):
                cells.wrong("gateway", f"{gateway} is no level of {shown(topic)}: name the gateway there, or by its id")
    elif not is_name(gateway):
        cells.wrong("gateway", f"{shown(gateway)} is neither a gateway's id nor a level such as {{gateway}}")
    else:
        refer(cells, "gateway", "gateway", gateway)
    return Integration(identity, str(kind), topics, gateway)
