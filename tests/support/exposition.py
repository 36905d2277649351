"""Reads what a process tells Prometheus."""

import urllib.error
import urllib.request

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families


def sample(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """Return the value of one series, None where there is none."""
    return registry.get_sample_value(name, labels)


def scrape(port: int) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Return the series that a process tells on its port, by the name of the sample; empty while nobody answers."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(_text(port)):
        for one in family.samples:
            found.setdefault(one.name, []).append((one.labels, one.value))
    return found


def _text(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
            return text
    except (urllib.error.URLError, ConnectionError):
        return ""


def families(port: int, *, endings: bool = True) -> set[str]:
    """Return the names of all metrics that a process tells, also of those without a series yet.

    Parameters
    ----------
    endings : bool
        With what a histogram adds to its name, as queries write it.
    """
    found: set[str] = set()
    for family in text_string_to_metric_families(_text(port)):
        kind = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "info": ("_info",)}
        add = kind.get(family.type, ("",)) if endings or family.type != "histogram" else ("",)
        found |= {family.name + ending for ending in add}
    return found
