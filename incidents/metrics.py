"""Instruments of the desk; without a registry they count nowhere."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from city.ticket import TicketState


class DeskMetrics:
    """What the desk tells. Gauges are read from the database: several desks tell the same."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.alarm_events = Counter(
            "citynerve_desk_alarm_events_total",
            "Decisions about alarms taken, repeats included, by what happened",
            ("kind",),
            registry=registry,
        )
        self.tickets = Gauge("citynerve_desk_tickets", "Tickets by state", ("state",), registry=registry)
        self.outbox = Gauge(
            "citynerve_desk_outbox_records", "Changes of tickets that the log has not been told of", registry=registry
        )
        self.outbox_lag_seconds = Gauge(
            "citynerve_desk_outbox_lag_seconds",
            "Time for which the outbox has not been seen empty",
            registry=registry,
        )
        self.published = Counter(
            "citynerve_desk_published_total", "Changes of tickets put on the log", registry=registry
        )
        self.publish_failures = Counter(
            "citynerve_desk_publish_failures_total", "Times that publishing did not work", registry=registry
        )

    def tell_tickets(self, counts: dict[str, int]) -> None:
        """Set the gauge of every state, also of those without a ticket."""
        for state in TicketState:
            self.tickets.labels(state).set(counts.get(state, 0))
