"""Counters of who is let in and who is not; without a registry they count nowhere."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class AccessMetrics:
    """What an operator watches of credentials."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.refused = Counter(
            "citynerve_broker_refused_total",
            "What the embedded broker refused: connections, messages and wills, subscriptions",
            ("what",),
            registry=registry,
        )
        self.held_back_seconds = Counter(
            "citynerve_broker_held_back_seconds_total",
            "Time for which the embedded broker did not read from clients that sent more than their share",
            registry=registry,
        )
        self.valid = Gauge(
            "citynerve_credentials_valid", "Credentials that the broker was last told of", registry=registry
        )
        self.behind = Gauge(
            "citynerve_credentials_behind",
            "1 while the broker is not known to be in line with the table of credentials",
            registry=registry,
        )
        self.unknown = Gauge(
            "citynerve_credentials_to_rotate",
            "Credentials whose password the broker lacks and cannot be given: rotate them (Mosquitto)",
            registry=registry,
        )
