"""Counters of the door for HTTPS; without a registry they count nowhere."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class WebMetrics:
    """What came in over HTTPS."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.messages = Counter("citynerve_webhook_messages_total", "Messages over HTTPS appended", registry=registry)
        self.readings = Counter("citynerve_webhook_readings_total", "Their readings appended", registry=registry)
        self.quarantined = Counter(
            "citynerve_webhook_quarantined_total",
            "Their readings, or unreadable messages, set aside",
            ("reason",),
            registry=registry,
        )
        self.append_failures = Counter(
            "citynerve_webhook_append_failures_total", "Appends that the log did not take", registry=registry
        )
        self.too_large = Counter(
            "citynerve_webhook_too_large_records_total",
            "Records that the log found too large and that were divided: a mistake of ours, or a limit made smaller",
            registry=registry,
        )
        self.refused = Counter(
            "citynerve_webhook_refused_messages_total", "Messages sent away for want of room", registry=registry
        )
        self.waiting = Gauge("citynerve_webhook_waiting_messages", "Messages not yet appended", registry=registry)
