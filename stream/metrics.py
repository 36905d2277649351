"""Instruments of workers, store and rollups; without a registry they count nowhere."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from stream.timing import HORIZONS, Clock


class WorkerMetrics:
    """What every worker tells of itself, by the name of its group."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        group = ("group",)
        self.records = Counter("citynerve_worker_records_total", "Records stepped", group, registry=registry)
        self.restarts = Counter("citynerve_worker_restarts_total", "States thrown away", group, registry=registry)
        self.partitions = Gauge("citynerve_worker_partitions", "Partitions owned", group, registry=registry)
        self.poll_seconds = Histogram(
            "citynerve_worker_poll_seconds",
            "Time to step, append and write one poll that brought something",
            group,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
            registry=registry,
        )
        place = ("group", "topic", "partition")
        self.lag_records = Gauge(
            "citynerve_worker_lag_records",
            "Records on the log that the worker has not stepped",
            place,
            registry=registry,
        )
        self.lag_city_seconds = Gauge(
            "citynerve_worker_lag_city_seconds",
            "City time since the last record stepped; 0 where nothing waits",
            place,
            registry=registry,
        )
        self.checkpoint_age_seconds = Gauge(
            "citynerve_worker_checkpoint_age_seconds",
            "Time since the oldest step that no checkpoint holds; 0 where all are held",
            group,
            registry=registry,
        )


class StoreMetrics:
    """What the sink of readings and the keeper of rollups tell."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.readings = Counter(
            "citynerve_store_readings_total",
            "Readings written, by what became of them; a transaction that is tried again counts again",
            ("outcome",),
            registry=registry,
        )
        self.late = Counter(
            "citynerve_store_late_readings_total",
            "Readings by how old they were when they came, from a minute on; a transaction that is tried again counts"
            " again",
            ("over",),
            registry=registry,
        )
        self.out_of_order = Counter(
            "citynerve_store_out_of_order_readings_total",
            "Readings observed more than 5 s before one of their gateway that came earlier",
            registry=registry,
        )
        self.gateway_clocks = Gauge(
            "citynerve_store_gateway_clocks",
            "Gateways heard live in the last two hours, by whether their clock is within a minute of ours",
            ("state",),
            registry=registry,
        )
        self.clock_off_city_seconds = Gauge(
            "citynerve_store_gateway_clock_off_city_seconds",
            "City time by which the worst clock of a gateway is ahead, or behind at most",
            ("direction",),
            registry=registry,
        )
        self.marks = Gauge(
            "citynerve_rollups_marks",
            "Marks of touched buckets that wait for their rollup, counted up to 100,000",
            registry=registry,
        )
        self.oldest_mark = Gauge(
            "citynerve_rollups_oldest_mark_city_seconds",
            "City time since the start of the oldest hour that waits for its rollup; 0 where none waits",
            registry=registry,
        )
        self.rollup_lag_seconds = Gauge(
            "citynerve_rollups_lag_seconds",
            "Time for which the oldest touched bucket has waited for its rollup; 0 where none waits",
            registry=registry,
        )
        self.refresh_failures = Counter(
            "citynerve_rollups_failures_total", "Refreshes that the database did not take", registry=registry
        )
        for outcome in ("stored", "duplicate", "conflicting"):
            self.readings.labels(outcome)
        for over, _ in HORIZONS:
            self.late.labels(over)
        self.tell_clocks([], 0.0)

    def tell_clocks(self, clocks: Sequence[Clock], off_s: float) -> None:
        """Set the gauges of gateways' clocks; `off_s` from the machine's on they count as off."""
        ahead = sum(clock.ahead_s > off_s for clock in clocks)
        behind = sum(clock.behind_s_max > off_s for clock in clocks)
        for state, count in (("ahead", ahead), ("behind", behind), ("right", len(clocks) - ahead - behind)):
            self.gateway_clocks.labels(state).set(count)
        worst = self.clock_off_city_seconds.labels
        worst("ahead").set(max((clock.ahead_s for clock in clocks), default=0.0))
        worst("behind").set(max((clock.behind_s_max for clock in clocks), default=0.0))
