"""One ingest process under measurement: the product's own source, bridge and log, and a registry in memory."""

import argparse
import asyncio
import logging
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.kernels import warm
from bench.load import DEVICES, GATEWAYS
from bench.measure import Meter
from city.clock import SystemClock
from city.registry import IngestRegistry, KnownDevice, SeriesTarget
from city.topics import PARTITIONS
from ingest.bridge import Bridge, BridgeOptions
from ingest.division import Division, Split
from ingest.intake import Intake, Source
from stream import codec
from stream.log import Append, EventLog

METRICS = {"active_power_w": (-5.0, 5_000.0), "supply_voltage_v": (0.0, 500.0), "dimming_level_pct": (0.0, 100.0)}


def registry() -> IngestRegistry:
    """Return devices on gateways over all partitions."""
    devices = {}
    for device in range(DEVICES):
        gateway = device % GATEWAYS
        targets = {
            metric: SeriesTarget(device * 3 + index, gateway % 12, low, high)
            for index, (metric, (low, high)) in enumerate(METRICS.items())
        }
        devices[f"D-{device:05}"] = KnownDevice(f"D-{device:05}", f"G-{gateway:02}", targets)
    return IngestRegistry({f"G-{gateway:02}": gateway for gateway in range(GATEWAYS)}, devices, 1)


class Metered:
    """A source whose acknowledged messages are counted: they are on the log, here or by the process whose they are."""

    def __init__(self, source: Any, meter: Meter, division: Division | None) -> None:
        self._source = source
        self._meter = meter
        self._division = division

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def acknowledge(self, intake: Intake) -> None:
        self._source.acknowledge(intake)
        self._meter.add((intake if self._division is None else self._division.ours(intake)).messages)


class TimedLog:
    """A log that notes how long ago what it has appended was sent; devices' times are those of sending."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._ages_us: list[NDArray[np.int64]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, records: Sequence[Append]) -> list[int]:
        offsets: list[int] = await self._log.append(records)
        now = time.time_ns() // 1000
        for record in records:
            if record.kind == codec.BATCH:
                self._ages_us.append(now - codec.decode_batch(record.value).observed_at)
        return offsets

    def percentile_ms(self, percent: float) -> float:
        """Return a percentile over all but the first tenth, in which everything is still cold."""
        ages = np.concatenate(self._ages_us)
        return float(np.percentile(ages[len(ages) // 10 :], percent)) / 1000


def division_of(arguments: argparse.Namespace) -> Division:
    """Return what this process hears of gateways that are divided by name."""
    split = Split(arguments.split)
    division = Division(split, {gateway: split.falls_to(gateway) for gateway in registry().gateways})
    division.present = frozenset(range(1, split.processes + 1))
    return division


async def open_source(arguments: argparse.Namespace) -> Source:
    """Open the source that is asked for; drivers are imported only then."""
    if arguments.source == "mosquitto":
        from ingest.mqtt_session import MqttOptions
        from ingest.source import MqttSource

        options = MqttOptions(
            f"mqtt://127.0.0.1:{arguments.port}",
            f"citynerve-ingest-{arguments.number}",
            arguments.share,
            version=arguments.version,
        )
        source = MqttSource(options)
        if arguments.split:
            source.listen(*division_of(arguments).filters(registry().gateways, ()))
        return source
    from ingest.broker import BrokerOptions, EmbeddedBroker

    broker = EmbeddedBroker(BrokerOptions(port=arguments.port, settle_s=0.0, rate=0.0))
    await broker.start()
    return broker


async def open_log(arguments: argparse.Namespace) -> EventLog:
    """Open the log that is asked for."""
    if arguments.kafka:
        from stream.logs.kafka import KafkaLogOptions, open_kafka_log

        return await open_kafka_log(arguments.kafka, KafkaLogOptions(prefix=arguments.topic + "."))
    from stream.logs.postgres import open_postgres_log

    return await open_postgres_log(arguments.postgres)


async def run(arguments: argparse.Namespace) -> None:
    """Move messages until as many as expected have been acknowledged."""
    warm(Path(tempfile.gettempdir()), "ingest")
    log = await open_log(arguments)
    await log.create_topics(PARTITIONS)
    timed = TimedLog(log)
    source = await open_source(arguments)
    meter = Meter(arguments.count)
    known = registry()
    into: Any = timed if arguments.timed else log
    division = division_of(arguments) if arguments.split else None
    bridge = Bridge(Metered(source, meter, division), into, lambda: known, SystemClock(), BridgeOptions())
    if division is not None:
        bridge.hears(division)
    stop, left = asyncio.Event(), asyncio.Event()
    tasks = [asyncio.create_task(bridge.run(stop)), asyncio.create_task(source.run(left))]
    while not source.listening:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    meter.ready()
    while not meter.done() and not meter.idle():  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    more = {"p50_ms": timed.percentile_ms(50), "p99_ms": timed.percentile_ms(99)} if arguments.timed else {}
    meter.report(**more, memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    stop.set()
    await tasks[0]
    left.set()
    await tasks[1]
    await log.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", choices=["mosquitto", "embedded"], required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--kafka", default="")
    parser.add_argument("--postgres", default="")
    parser.add_argument("--topic", default="")
    parser.add_argument("--number", type=int, default=1, help="of this process among those that share the messages")
    parser.add_argument("--share", default="")
    parser.add_argument("--split", default="")
    parser.add_argument("--version", default="3.1.1", help="of MQTT")
    parser.add_argument("--timed", action="store_true", help="note how long messages take")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--qos", type=int, required=True)
    logging.basicConfig(level=logging.ERROR)
    logging.getLogger("amqtt").setLevel(logging.CRITICAL)
    logging.getLogger("transitions").setLevel(logging.CRITICAL)
    asyncio.run(run(parser.parse_args()))
