"""Counters of ingest; without a registry they count nowhere."""

from collections.abc import Iterable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric

from city.reading import CAUSES


class _ToldGauge(Gauge):
    """Tells nothing until it is told something: a 0 before that would look like a count that began anew."""

    told = False

    def set(self, value: float) -> None:
        super().set(value)
        self.told = True

    def collect(self) -> Iterable[Metric]:
        families = list(super().collect())
        if not self.told:
            for family in families:
                family.samples = []
        return families


class IngestMetrics:
    """What an operator watches at the door."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        histogram = partial(Histogram, registry=registry)
        self.dropped: int | None = None
        self.received = counter(
            "citynerve_ingest_received_messages_total",
            "Messages taken from the broker, those that come again included",
        )
        self.messages = counter("citynerve_ingest_messages_total", "Messages appended")
        self.readings = counter("citynerve_ingest_readings_total", "Readings appended")
        self.quarantined = counter(
            "citynerve_ingest_quarantined_total",
            "Readings or unreadable messages set aside",
            ("reason",),
        )
        self.times_of_receipt = counter(
            "citynerve_ingest_times_of_receipt_total",
            "Readings that have the time of receipt, by why: the device told none, its clock was never set, is ahead of"
            " ours, or of when its gateway sent the message",
            ("cause",),
        )
        for cause in CAUSES.values():
            self.times_of_receipt.labels(cause)
        self.codec_seconds = counter("citynerve_ingest_codec_seconds_total", "Time that vendors' codecs took")
        self.codec_pauses = counter(
            "citynerve_ingest_codec_pauses_total",
            "Times that a codec was left alone for taking too long",
        )
        self.append_failures = counter("citynerve_ingest_append_failures_total", "Appends that the log did not take")
        self.too_large = counter(
            "citynerve_ingest_too_large_records_total",
            "Records that the log found too large and that were divided: a mistake of ours, or a limit made smaller",
        )
        self.reconnects = counter(
            "citynerve_ingest_reconnects_total", "Connections to the broker that were lost or let go"
        )
        self.broker_dropped = _ToldGauge(
            "citynerve_ingest_broker_dropped_messages",
            "Messages that the broker says it dropped since it started, its queues full (Mosquitto);"
            " absent until it speaks",
            registry=registry,
        )
        self.broker_deaths = counter(
            "citynerve_ingest_broker_deaths_total",
            "Times that the broker died and came back, by what it says of its age (Mosquitto)",
        )
        self.stale_acknowledgements = counter(
            "citynerve_ingest_stale_acknowledgements_total",
            "Acknowledgements held back because their connection is gone",
        )
        self.isolated = counter(
            "citynerve_ingest_isolated_messages_total",
            "Messages of isolated gateways, set aside unread",
        )
        self.isolated_gateways = gauge(
            "citynerve_ingest_isolated_gateways",
            "Gateways that send more than their share, or nothing that is understood",
        )
        self.left_to_others = counter(
            "citynerve_ingest_left_to_others_messages_total",
            "Messages heard and left to another process, to which their gateways fall (CITYNERVE_MQTT_SPLIT)",
        )
        self.missing_processes = gauge(
            "citynerve_ingest_missing_processes",
            "Other ingest processes, of CITYNERVE_MQTT_SPLIT or of the same shared subscription, that do not listen",
        )
        self.ticks = counter("citynerve_ingest_ticks_total", "Ticks appended to every partition")
        self.in_flight = gauge("citynerve_ingest_in_flight_messages", "Taken, not yet acknowledged")
        self.listening = gauge("citynerve_ingest_listening", "1 while connected to the broker and subscribed, or bound")
        self.flush_messages = histogram(
            "citynerve_ingest_flush_messages",
            "Messages appended together",
            buckets=(1, 4, 16, 64, 256, 1024, 4096),
        )
        self.append_seconds = histogram(
            "citynerve_ingest_append_seconds",
            "Time until the log has a flush",
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
        )

    def tell_dropped(self, count: int) -> None:
        """Take note of what the broker says it dropped since it started."""
        self.dropped = count
        self.broker_dropped.set(count)
