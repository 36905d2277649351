"""Every instrument of an installation: who has which, and the port on which Prometheus reads them."""

import platform
from dataclasses import dataclass
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Gauge, Info, ProcessCollector, start_http_server
from prometheus_client.metrics import MetricWrapperBase

from app.doors import check_free
from app.settings import Settings
from city.clock import SECOND_US, Clock, SystemClock


def registry_of(process: str) -> CollectorRegistry:
    """Return the registry of one process, which already knows what it is and what it takes of the machine."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    build = Info("citynerve_build", "Version of the program, and which of its processes this is", registry=registry)
    build.info({"version": version("citynerve"), "process": process, "python": platform.python_version()})
    return registry


def watch_clock(registry: CollectorRegistry, clock: Clock) -> None:
    """Tell city time and its pace."""
    at = Gauge("citynerve_city_time_seconds", "City time, seconds since 1970 UTC", registry=registry)
    at.set_function(lambda: clock.now_us() / SECOND_US)
    speed = Gauge("citynerve_city_clock_speed", "City seconds in a second of the machine's clock", registry=registry)
    speed.set(clock.speed)


def serve_metrics(settings: Settings, registry: CollectorRegistry) -> None:
    """Let Prometheus read on a port of its own, which is not for the public; nothing where none is set.

    Raises
    ------
    SettingsError
        The port is taken or may not be used.
    """
    if settings.metrics_port:
        check_free(settings.host, settings.metrics_port, "CITYNERVE_METRICS_PORT")
        start_http_server(settings.metrics_port, settings.host, registry)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One row of ``docs/metrics.md``; `name` as Prometheus stores it, without the endings of a histogram."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def describe() -> dict[str, list[Instrument]]:
    """Return every instrument of our own, by the process that has it; what all have comes first, under `""`."""
    from anomaly.metrics import CorrelateMetrics, DetectMetrics
    from incidents.metrics import DeskMetrics
    from ingest.credentials.metrics import AccessMetrics
    from ingest.metrics import IngestMetrics
    from ingest.web.metrics import WebMetrics
    from portals_api.meter import ApiMetrics
    from sim.metrics import SimMetrics
    from stream.metrics import StoreMetrics, WorkerMetrics

    owners: dict[str, tuple[type, ...]] = {
        "store, detect, desk": (WorkerMetrics,),
        "ingest": (IngestMetrics, AccessMetrics),
        "store": (StoreMetrics,),
        "detect": (DetectMetrics, CorrelateMetrics),
        "desk": (DeskMetrics,),
        "api": (ApiMetrics, WebMetrics),
        "sim": (SimMetrics,),
    }
    shared = registry_of("")
    watch_clock(shared, SystemClock())
    found = {"": _instruments(shared)}
    for process, kinds in owners.items():
        registry = CollectorRegistry()
        for kind in kinds:
            kind(registry)
        found[process] = _instruments(registry)
    return found


def _instruments(registry: CollectorRegistry) -> list[Instrument]:
    collectors = [c for c in registry._collector_to_names if isinstance(c, MetricWrapperBase)]
    found = []
    for collector in collectors:
        (family,) = collector.describe()
        name = family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = collector._labelnames or (("version", "process", "python") if family.type == "info" else ())
        found.append(Instrument(name, family.type, tuple(labels), family.documentation))
    return sorted(found, key=lambda instrument: instrument.name)
