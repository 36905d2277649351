"""Instruments of workers, store and rollups; without a registry they count nowhere."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


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
