"""Counters of ingest; without a registry they count nowhere."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from city.reading import CAUSES


class IngestMetrics:
    """What an operator watches at the door."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.dropped: int | None = None
        self.received = Counter(
            "citynerve_ingest_received_messages_total",
            "Messages taken from the broker, those that come again included",
            registry=registry,
        )
        self.messages = Counter("citynerve_ingest_messages_total", "Messages appended", registry=registry)
        self.readings = Counter("citynerve_ingest_readings_total", "Readings appended", registry=registry)
        self.quarantined = Counter(
            "citynerve_ingest_quarantined_total",
            "Readings or unreadable messages set aside",
            ("reason",),
            registry=registry,
        )
        self.times_of_receipt = Counter(
            "citynerve_ingest_times_of_receipt_total",
            "Readings that have the time of receipt, by why: the device told none, its clock was never set, is ahead of"
            " ours, or of when its gateway sent the message",
            ("cause",),
            registry=registry,
        )
        for cause in CAUSES.values():
            self.times_of_receipt.labels(cause)
        self.codec_seconds = Counter(
            "citynerve_ingest_codec_seconds_total", "Time that vendors' codecs took", registry=registry
        )
        self.codec_pauses = Counter(
            "citynerve_ingest_codec_pauses_total",
            "Times that a codec was left alone for taking too long",
            registry=registry,
        )
        self.append_failures = Counter(
            "citynerve_ingest_append_failures_total", "Appends that the log did not take", registry=registry
        )
        self.reconnects = Counter(
            "citynerve_ingest_reconnects_total", "Connections to the broker that were lost or let go", registry=registry
        )
        self.broker_dropped = Gauge(
            "citynerve_ingest_broker_dropped_messages",
            "Messages that the broker says it dropped since it started, its queues full (Mosquitto)",
            registry=registry,
        )
        self.broker_deaths = Counter(
            "citynerve_ingest_broker_deaths_total",
            "Times that the broker died and came back, by what it says of its age (Mosquitto)",
            registry=registry,
        )
        self.stale_acknowledgements = Counter(
            "citynerve_ingest_stale_acknowledgements_total",
            "Acknowledgements held back because their connection is gone",
            registry=registry,
        )
        self.isolated = Counter(
            "citynerve_ingest_isolated_messages_total",
            "Messages of isolated gateways, set aside unread",
            registry=registry,
        )
        self.isolated_gateways = Gauge(
            "citynerve_ingest_isolated_gateways",
            "Gateways that send more than their share, or nothing that is understood",
            registry=registry,
        )
        self.ticks = Counter("citynerve_ingest_ticks_total", "Ticks appended to every partition", registry=registry)
        self.in_flight = Gauge("citynerve_ingest_in_flight_messages", "Taken, not yet acknowledged", registry=registry)
        self.listening = Gauge(
            "citynerve_ingest_listening", "1 while connected to the broker and subscribed, or bound", registry=registry
        )
        self.flush_messages = Histogram(
            "citynerve_ingest_flush_messages",
            "Messages appended together",
            buckets=(1, 4, 16, 64, 256, 1024, 4096),
            registry=registry,
        )
        self.append_seconds = Histogram(
            "citynerve_ingest_append_seconds",
            "Time until the log has a flush",
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
            registry=registry,
        )

    def tell_dropped(self, count: int) -> None:
        """Take note of what the broker says it dropped since it started."""
        self.dropped = count
        self.broker_dropped.set(count)
