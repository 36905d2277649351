"""MQTT to the log: CPU a message, rate and time, beside a raw subscriber, a plain bridge and Telegraf in the same run.

CPU is that of one whole process (ingest, or the bridge; the embedded broker is part of ingest) from the moment it
listens to the last acknowledgement, over all messages. Systems take turns; the median of the runs counts.
"""

import asyncio
import json
import os
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

from bench import telegraf
from bench.result import Result
from storage.embedded import EmbeddedPostgres
from storage.migrate import migrate
from tests.support.fix_kafka import make_kafka
from tests.support.fix_mosquitto import Mosquitto
from tests.support.servers import free_port

RUNS = 3
PAIRS = 7
"""Of ingest and a raw subscriber: one pair's ratio wanders by a tenth, with where the processes happen to run."""
MESSAGES = {
    "ours": 300_000,
    "raw": 300_000,
    "plain": 20_000,
    "telegraf": 60_000,
    "embedded": 10_000,
    "several": 120_000,
}
WANTED_CPU = ("≤ 2 µs, a tenth of Telegraf's", "≤ 4 µs, a tenth of Telegraf's")
"""At QoS 0 and 1, on a machine on which Telegraf takes 21 and 33 µs."""
PROCESSES = (1, 2, 3, 4)
WAYS = {"shared": "one shared subscription, MQTT 5", "split": "gateways divided by name, MQTT 3.1.1"}
PACED_S = 8.0
TIMEOUT_S = 120.0
_ROOT = Path(__file__).parents[1]

Figures = dict[tuple[str, int], list[dict[str, float]]]


def run() -> list[dict[str, Any]]:
    """Measure, in about nine minutes; return results for ``bench/results.json``."""
    figures: Figures = defaultdict(list)
    program = shutil.which("telegraf")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="citynerve-bench-")))
        folder.chmod(0o755)
        bench = _Bench(folder, _kafka(folder, stack), _database(folder, stack))
        for number in range(PAIRS):
            for qos in (0, 1):
                for system in ("raw", "ours", "plain", "embedded") if number < RUNS else ("raw", "ours"):
                    figures[system, qos].append(bench.measure(system, qos))
        for qos in (0, 1):
            if program is not None:
                figures["telegraf", qos].append(bench.telegraf(program, qos))
            pace = statistics.median(run["rate"] for run in figures["raw", qos]) / 2
            figures["paced", qos].append(bench.paced(qos, pace))
        for way in WAYS:
            for processes in PROCESSES:
                figures[way, processes].append(bench.several(way, processes))
    return _results(figures)


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


class _Bench:
    """Runs one process, or several, under load, on a fresh broker and fresh topics."""

    def __init__(self, folder: Path, kafka: str, database: str) -> None:
        self._folder = folder
        self._kafka = kafka
        self._database = database

    def measure(self, system: str, qos: int) -> dict[str, float]:
        """Return the figures of one system under as much load as the broker takes."""
        if system == "embedded":
            return self._run(system, qos, free_port())
        with self._mosquitto() as broker:
            return self._run(system, qos, broker.port)

    def paced(self, qos: int, rate: float) -> dict[str, float]:
        """Return how long messages take at a rate (messages a second)."""
        count = int(rate * PACED_S) // 1000 * 1000
        with self._mosquitto() as broker:
            process = self._ours(broker.port, qos, count, _topic(), "--timed")
            return {"pace": rate, **_driven([process], _load(broker.port, count, qos, rate))[0]}

    def several(self, way: str, processes: int) -> dict[str, float]:
        """Return rate and CPU of several processes that share the messages in one of `WAYS`, at QoS 1."""
        count, topic = MESSAGES["several"], _topic()
        with self._mosquitto() as broker:
            # Each is told to expect all: it ends when nothing more comes.
            started = []
            for number in range(1, processes + 1):
                shared = ["--share", "bench", "--version", "5"]
                how = shared if way == "shared" else ["--split", f"{number}/{processes}"]
                started.append(self._ours(broker.port, 1, count, topic, "--number", str(number), *how))
            runs = _driven(started, _load(broker.port, count, 1))
        busy = [run for run in runs if run["messages"]]
        span = max(run["last_at"] for run in busy) - min(run["first_at"] for run in busy)
        messages = sum(run["messages"] for run in busy)
        cpu_us = sum(run["cpu_us"] * run["messages"] for run in busy) / messages
        return {"rate": messages / span, "cpu_us": cpu_us, "messages": messages, "busy": len(busy)}

    def telegraf(self, program: str, qos: int) -> dict[str, float]:
        """Return Telegraf's CPU a message."""
        topic = _topic()
        _create_topic(self._kafka, topic)
        with self._mosquitto() as broker:
            load = _load(broker.port, MESSAGES["telegraf"], qos)
            return {"cpu_us": telegraf.measure(program, self._folder, broker.port, self._kafka, topic, qos, load)}

    def _run(self, system: str, qos: int, port: int) -> dict[str, float]:
        count, topic = MESSAGES[system], _topic()
        common = ["--port", str(port), "--count", str(count), "--qos", str(qos)]
        if system == "ours":
            process = self._ours(port, qos, count, topic)
        elif system == "raw":
            process = _start(["-m", "bench.raw_subscriber", *common])
        elif system == "plain":
            _create_topic(self._kafka, topic)
            process = _start(["-m", "bench.plain_bridge", "--kafka", self._kafka, "--topic", topic, *common])
        else:
            embedded = ["--source", "embedded", "--postgres", self._database]
            process = _start(["-m", "bench.ingest_process", *embedded, *common])
        return _driven([process], _load(port, count, qos))[0]

    def _ours(self, port: int, qos: int, count: int, topic: str, *more: str) -> "subprocess.Popen[str]":
        place = ["--source", "mosquitto", "--kafka", self._kafka, "--topic", topic, "--port", str(port)]
        return _start(["-m", "bench.ingest_process", *place, "--count", str(count), "--qos", str(qos), *more])

    def _mosquitto(self) -> "_Broker":
        """Start a broker of its own for each run: a session left behind would bring the messages of the last."""
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        if program is None:
            raise SystemExit("mosquitto is missing: install Debian's package mosquitto")
        return _Broker(Path(tempfile.mkdtemp(prefix="mosquitto-", dir=self._folder)), program)


class _Broker(Mosquitto):
    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _topic() -> str:
    return f"bench-{uuid.uuid4().hex[:8]}"


def _start(arguments: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, *arguments], cwd=_ROOT, stdout=subprocess.PIPE, text=True)


def _load(port: int, count: int, qos: int, rate: float = 0.0) -> list[str]:
    numbers = ["--port", str(port), "--count", str(count), "--qos", str(qos), "--rate", str(rate)]
    return [sys.executable, "-m", "bench.load", *numbers]


def _driven(processes: "list[subprocess.Popen[str]]", load: list[str]) -> list[dict[str, float]]:
    """Wait until all processes are ready, run the load, return what each has to say."""
    try:
        for process in processes:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "ready":
                raise RuntimeError("a process under measurement did not start")
        subprocess.run(load, cwd=_ROOT, check=True, stdout=subprocess.DEVNULL, timeout=TIMEOUT_S)
        said = [process.communicate(timeout=TIMEOUT_S)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [json.loads(text.strip().splitlines()[-1]) for text in said]


def _create_topic(bootstrap: str, topic: str) -> None:
    """Give a bridge a topic with as many partitions as ours."""

    async def create() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(topic, num_partitions=telegraf.PARTITIONS, replication_factor=1)])
        finally:
            await admin.close()

    asyncio.run(create())


def _each(figures: Figures, system: str, key: int, name: str) -> list[float]:
    return [run[name] for run in figures.get((system, key), [])]


def _spread(values: list[float]) -> str:
    return f"{min(values):.4g} to {max(values):.4g}"


def _results(figures: Figures) -> list[dict[str, Any]]:
    results = []
    for qos in (0, 1):
        for name, unit in (("cpu_us", "µs"), ("rate", "msg/s")):
            results += _beside(figures, qos, name, unit)
        ratios = [
            ours / raw
            for ours, raw in zip(_each(figures, "ours", qos, "rate"), _each(figures, "raw", qos, "rate"), strict=True)
        ]
        note = f"of the rate of a raw subscriber on the same broker just before, {PAIRS} pairs: {_spread(ratios)}"
        results.append(
            Result(f"ingest.rate_of_raw.qos{qos}", statistics.median(ratios), "of 1", note=note, wanted="≥ 0.95")
        )
        [paced] = figures["paced", qos]
        name = "ingest.p99_ms" if qos else "ingest.p99_ms.qos0"
        note = (
            f"QoS {qos}, from the publisher's send to the end of the append, at {paced['pace']:.0f} messages a second,"
            f" half of the raw subscriber's; median {paced['p50_ms']:.3g} ms; {paced['memory_mb']:.0f} MB of memory"
        )
        results.append(Result(name, paced["p99_ms"], "ms", note=note, wanted="< 50 ms"))
    return [result.plain() for result in results + _several(figures)]


def _several(figures: Figures) -> list[Result]:
    results = []
    for way, words in WAYS.items():
        for processes in PROCESSES:
            [several] = figures[way, processes]
            note = (
                f"processes: {processes}, of which {several['busy']:g} had messages; {words}, QoS 1;"
                f" {several['cpu_us']:.3g} µs of CPU a message; broker, load, Kafka and all of them on"
                f" {os.cpu_count()} cores"
            )
            results.append(Result(f"ingest.{way}.{processes}.rate", several["rate"], "msg/s", note=note))
    return results


def _beside(figures: Figures, qos: int, name: str, unit: str) -> list[Result]:
    """Return a figure of ours beside the others', and of the embedded engines."""
    ours, plain, embedded = (_each(figures, system, qos, name) for system in ("ours", "plain", "embedded"))
    lost = MESSAGES["ours"] - min(_each(figures, "ours", qos, "messages"))
    note = (
        f"Mosquitto to Apache Kafka, {PAIRS} runs: {_spread(ours)}, plain in {RUNS}: {_spread(plain)};"
        f" {lost:g} of {MESSAGES['ours']} messages dropped by the broker"
    )
    median = statistics.median(ours)
    wanted = WANTED_CPU[qos] if name == "cpu_us" else ""
    results = [
        Result(f"ingest.{name}.qos{qos}", median, unit, "plain bridge", statistics.median(plain), note, wanted),
    ]
    beside = _each(figures, "telegraf", qos, "cpu_us")
    if beside and name == "cpu_us":
        told = "Telegraf, the same way, JSON"
        results.append(Result(f"ingest.telegraf.cpu_us.qos{qos}", beside[0], unit, "ingest", median, told))
    note = f"embedded broker (its cost included) to the PostgreSQL log, {RUNS} runs: {_spread(embedded)}"
    results.append(Result(f"ingest.embedded.{name}.qos{qos}", statistics.median(embedded), unit, note=note))
    return results


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(), indent=2, ensure_ascii=False) + "\n")
