"""Shows people what a Sparkplug payload holds."""

from ingest.formats.sparkplug_payload import Metric, read_payload
from ingest.formats.values import safe


def explain(payload: bytes, characters_max: int = 20_000) -> str:
    """Return what a payload holds, for people; what cannot be read says so."""
    try:
        told = read_payload(payload)
    except ValueError as exc:
        return f"not a Sparkplug B payload: {exc}"
    lines = [f"timestamp {told.timestamp_ms} ms, seq {told.seq}, {len(told.metrics)} metrics"]
    size = len(lines[0])
    for metric in told.metrics:
        line = _shown(metric)
        size += len(line) + 1
        if size > characters_max:
            lines.append("…")
            break
        lines.append(line)
    return "\n".join(lines)


def _shown(metric: Metric) -> str:
    value = f"{len(metric.value)} bytes" if isinstance(metric.value, bytes) else ascii(metric.value)[:200]
    parts = [
        safe(metric.name) if metric.name is not None else "",
        f"alias {metric.alias}" if metric.alias is not None else "",
        f"type {metric.datatype}" if metric.datatype is not None else "",
        f"at {metric.timestamp_ms} ms" if metric.timestamp_ms is not None else "",
        "null" if metric.is_null or not metric.held else f"= {value}",
        safe(metric.unit),
        "historical" if metric.is_historical else "",
        "transient" if metric.is_transient else "",
        f"quality {metric.quality}" if metric.quality is not None else "",
    ]
    return "  " + ", ".join(part for part in parts if part)
