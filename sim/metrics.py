"""Instruments of the simulated city; without a registry they count nowhere."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class SimMetrics:
    """What the simulated gateways tell."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.published = Counter(
            "citynerve_sim_published_messages_total",
            "Messages handed to the broker, repeats included",
            registry=registry,
        )
        self.acknowledged = Counter(
            "citynerve_sim_acknowledged_messages_total", "Messages that the broker acknowledged", registry=registry
        )
        self.dropped = Counter(
            "citynerve_sim_dropped_messages_total",
            "Messages that gateways forgot, their memory full",
            registry=registry,
        )
        self.under_way = Gauge(
            "citynerve_sim_under_way_messages", "Messages that wait for their acknowledgement", registry=registry
        )
        self.connected = Gauge("citynerve_sim_connected_gateways", "Gateways with a connection now", registry=registry)
        self.gateways = Gauge("citynerve_sim_gateways", "Gateways of the simulated city", registry=registry)
