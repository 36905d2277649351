"""MQTT to the log: CPU a message and rate, beside a plain bridge in the same run, and on the embedded engines.

Every figure is that of one whole process (ingest, or the plain bridge; the embedded broker is part of ingest) from the
moment it listens to the last acknowledgement, over all messages. Systems take turns; the median of the runs counts.
"""

import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.result import Result
from storage.embedded import EmbeddedPostgres
from storage.migrate import migrate
from tests.support.fix_kafka import make_kafka
from tests.support.fix_mosquitto import Mosquitto
from tests.support.servers import free_port

RUNS = 3
MESSAGES = {"ours": 100_000, "plain": 20_000, "embedded": 10_000}
TIMEOUT_S = 120.0
_ROOT = Path(__file__).parents[1]


def run() -> list[dict[str, Any]]:
    """Measure, in about three minutes; return results for ``bench/results.json``."""
    figures: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="citynerve-bench-")))
        folder.chmod(0o755)
        kafka = _kafka(folder, stack)
        database = _database(folder, stack)
        for _ in range(RUNS):
            for qos in (0, 1):
                for system in ("ours", "plain", "embedded"):
                    figures[system, qos].append(_measure(system, qos, folder, kafka, database))
    return _results(figures)


def _mosquitto(folder: Path) -> Mosquitto:
    """Start a broker of its own for each run: a session that was left behind would bring the messages of the last."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        raise SystemExit("mosquitto is missing: install Debian's package mosquitto")
    place = Path(tempfile.mkdtemp(prefix="mosquitto-", dir=folder))
    broker = Mosquitto(place, program)
    broker.start()
    return broker


def _kafka(folder: Path, stack: ExitStack) -> str:
    place = folder / "kafka"
    place.mkdir()
    broker = make_kafka(place)
    broker.start()
    stack.callback(broker.stop)
    return broker.bootstrap


def _database(folder: Path, stack: ExitStack) -> str:
    server = stack.enter_context(EmbeddedPostgres(folder / "postgres"))
    migrate(server.url)
    return server.url


def _measure(system: str, qos: int, folder: Path, kafka: str, database: str) -> dict[str, float]:
    """Run one process under load, on a fresh broker and fresh topics; return its figures."""
    if system == "embedded":
        return _load(system, qos, free_port(), kafka, database)
    broker = _mosquitto(folder)
    try:
        return _load(system, qos, broker.port, kafka, database)
    finally:
        broker.stop()


def _load(system: str, qos: int, port: int, kafka: str, database: str) -> dict[str, float]:
    count = MESSAGES[system]
    topic = f"bench-{uuid.uuid4().hex[:8]}"
    common = ["--port", str(port), "--count", str(count), "--qos", str(qos), "--topic", topic]
    command = {
        "ours": ["-m", "bench.ingest_process", "--source", "mosquitto", "--kafka", kafka],
        "embedded": ["-m", "bench.ingest_process", "--source", "embedded", "--postgres", database],
        "plain": ["-m", "bench.plain_bridge", "--kafka", kafka],
    }[system]
    if system == "plain":
        _create_topic(kafka, topic)
    process = subprocess.Popen([sys.executable, *command, *common], cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{system} did not start")
        load = [sys.executable, "-m", "bench.load", "--port", str(port), "--count", str(count), "--qos", str(qos)]
        subprocess.run(load, cwd=_ROOT, check=True, stdout=subprocess.DEVNULL, timeout=TIMEOUT_S)
        said, _ = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
        process.wait()
    figures: dict[str, float] = json.loads(said.strip().splitlines()[-1])
    return figures


def _create_topic(bootstrap: str, topic: str) -> None:
    """Give the plain bridge a topic with as many partitions as ours."""

    async def create() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(topic, num_partitions=12, replication_factor=1)])
        finally:
            await admin.close()

    asyncio.run(create())


def _results(figures: dict[tuple[str, int], list[dict[str, float]]]) -> list[dict[str, Any]]:
    def each(system: str, qos: int, name: str) -> list[float]:
        return [run[name] for run in figures[system, qos]]

    def spread(values: list[float]) -> str:
        return f"{min(values):.4g} to {max(values):.4g}"

    results = []
    for qos in (0, 1):
        for name, unit in (("cpu_us", "µs"), ("rate", "msg/s")):
            ours, plain, embedded = (each(system, qos, name) for system in ("ours", "plain", "embedded"))
            lost = MESSAGES["ours"] - min(each("ours", qos, "messages"))
            results.append(
                Result(
                    f"ingest.{name}.qos{qos}",
                    statistics.median(ours),
                    unit,
                    "plain bridge",
                    statistics.median(plain),
                    f"Mosquitto to Apache Kafka, {RUNS} runs: {spread(ours)}, plain {spread(plain)};"
                    f" {lost:g} of {MESSAGES['ours']} messages dropped by the broker",
                )
            )
            note = f"embedded broker (its cost included) to the PostgreSQL log, {RUNS} runs: {spread(embedded)}"
            results.append(Result(f"ingest.embedded.{name}.qos{qos}", statistics.median(embedded), unit, note=note))
    return [result.plain() for result in results]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(), indent=2, ensure_ascii=False) + "\n")
