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
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except (urllib.error.URLError, ConnectionError):
        return {}
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            found.setdefault(one.name, []).append((one.labels, one.value))
    return found
