"""What a change of the registry changed: field by field, before and after, as text."""

from collections.abc import Mapping, Sequence
from typing import Any

FIELDS = (
    "asset",
    "gateway",
    "profile",
    "address",
    "name",
    "lat",
    "lon",
    "district",
    "network_operator",
    "metrics",
    "names",
    "ignore",
    "report_interval_s",
    "silence_intervals",
    "codec",
    "retired",
)
"""In the order in which they are told; a field of a later release follows them."""


def differences(detail: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what an event's detail tells: of a change what is another now, of an addition all that it says.

    `before` is empty where nothing was, `after` where nothing is any more.
    """
    was = detail.get("was")
    told = {name for name in (*detail, *(was or {})) if name != "was"}
    found = []
    for field in sorted(told, key=lambda name: (FIELDS.index(name) if name in FIELDS else len(FIELDS), name)):
        before, after = _text((was or {}).get(field)), _text(detail.get(field))
        if before != after:
            found.append({"field": field, "before": before, "after": after})
    return found


def _text(value: Any) -> str:
    if value is None or value is False or value in ("", [], {}):
        return ""
    if value is True:
        return "yes"
    if isinstance(value, Mapping):
        if {"name", "metric"} <= set(value):  # A name on the wire, as a profile has it.
            unit = f" ({value['unit']})" if value.get("unit") else ""
            return f"{value['name']} → {value['metric']}{unit}"
        return ", ".join(f"{key}: {_text(one)}" for key, one in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_text(one) for one in value)
    return f"{value:g}" if isinstance(value, float) and value == int(value) else str(value)
