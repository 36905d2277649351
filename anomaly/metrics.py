"""Instruments of detection and correlation; without a registry they count nowhere, as in a replay."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class DetectMetrics:
    """What detection tells: work done, not facts of the city. After a crash the replayed part counts again."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.readings = Counter("citynerve_detect_readings_total", "Readings taken in by detection", registry=registry)
        self.ticks = Counter("citynerve_detect_ticks_total", "Ticks judged, one a partition", registry=registry)
        self.suspicions = Counter(
            "citynerve_detect_suspicions_total",
            "Suspicions said and taken back, by fault",
            ("kind", "fault"),
            registry=registry,
        )
        self.devices = Gauge("citynerve_detect_devices", "Devices that are watched", ("partition",), registry=registry)


class CorrelateMetrics:
    """What correlation tells."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.batches = Counter("citynerve_correlate_batches_total", "Batches of candidates heard", registry=registry)
        self.events = Counter(
            "citynerve_correlate_alarm_events_total",
            "Decisions about alarms appended, by what happened and to which fault",
            ("kind", "fault"),
            registry=registry,
        )
        self.waiting = Gauge(
            "citynerve_correlate_waiting_batches",
            "Batches that wait until every partition has been heard",
            ("partition",),
            registry=registry,
        )
