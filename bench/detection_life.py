"""How a detection worker starts, saves and comes back: a process of its own on Apache Kafka and PostgreSQL, killed."""

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from bench.detection_city import City, mixed, records, tick
from bench.result import Result
from city import topics
from storage.embedded import EmbeddedPostgres
from storage.migrate import migrate
from stream import codec
from stream.log import Append
from stream.logs.kafka import open_kafka_log
from tests.support.fix_kafka import make_kafka

SMALL, LARGE = 1_000, 200_000
PARTITIONS = 12
ROUNDS = 3
SHARE = 40
FED_EVERY_S = 0.02


@dataclass
class Place:
    """Where log and database are, and a folder."""

    url: str
    bootstrap: str
    folder: Path

    def worker(self, until_offset: int, rounds: int = 0) -> tuple[float, dict[str, Any], "subprocess.Popen[str]"]:
        """Start a worker; return when that was, what it says once it stands there, and the process."""
        began = time.monotonic()
        command = [sys.executable, "-m", "bench.detection_worker", "--url", self.url, "--bootstrap", self.bootstrap]
        command += ["--data", str(self.folder), "--until-offset", str(until_offset), "--rounds", str(rounds)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker ended with {process.wait()}")
        return began, json.loads(line), process


def _city(city: City, readings: int, partitions: int) -> list[Append]:
    """Return the same part of a city for each partition: what detection holds of one is nothing to the other."""
    made = [Append(topics.READINGS, 0, codec.REGISTRY, codec.encode(root), 0) for root in city.roots]
    for number, record in enumerate(records(city, readings)):
        made.append(Append(topics.READINGS, 0, codec.BATCH, record.value, record.at_us))
        if number % 25 == 24:
            made.append(Append(topics.READINGS, 0, codec.TICK, tick(record.at_us).value, record.at_us))
    return [replace(append, partition=partition) for append in made for partition in range(partitions)]


def _append(place: Place, appends: list[Append], partitions: int) -> int:
    """Append in shares; return how many records the log has then."""

    async def main() -> int:
        log = await open_kafka_log(place.bootstrap)
        await log.create_topics({topics.READINGS: partitions, topics.CANDIDATES: 1})
        for start in range(0, len(appends), SHARE):
            await log.append(appends[start : start + SHARE])
        end = sum(bounds.end for bounds in (await log.bounds(topics.READINGS)).values())
        await log.close()
        return end

    return asyncio.run(main())


def _feed(place: Place, appends: list[Append], stop: threading.Event) -> None:
    """Let readings come while the worker saves."""

    async def main() -> None:
        log = await open_kafka_log(place.bootstrap)
        for append in appends:
            if stop.is_set():
                break
            await log.append([append])
            await asyncio.sleep(FED_EVERY_S)
        await log.close()

    asyncio.run(main())


def _killed(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()


def _with_engines(measure: Any) -> list[Result]:
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder, "postgres")) as server:
        migrate(server.url)
        home = Path(folder, "kafka")
        home.mkdir()
        broker = make_kafka(home)
        broker.start()
        try:
            found: list[Result] = measure(Place(server.url, broker.bootstrap, Path(folder)))
        finally:
            broker.stop()
    return found


def _start(place: Place) -> list[Result]:
    end = _append(place, _city(mixed(SMALL), 20_000, 1), 1)
    taken, cpu = [], []
    for _ in range(ROUNDS):
        began, told, process = place.worker(end)
        taken.append(told["first_at"] - began)
        cpu.append(told["first_cpu_s"])
        _killed(process)
        with psycopg.connect(place.url, autocommit=True) as connection:
            connection.execute("DELETE FROM checkpoints")
    return [
        Result(
            "detect.start_s", sorted(taken)[ROUNDS // 2], "s", wanted="≤ 10 s",
            note="from starting the process to its first reading judged, kernels compiled before, from Apache Kafka;"
            f" {ROUNDS} runs: {min(taken):.3g} to {max(taken):.3g}, of CPU time {min(cpu):.3g} to {max(cpu):.3g}",
        )
    ]  # fmt: skip


def _checkpoints(place: Place) -> list[Result]:
    city = mixed(LARGE // PARTITIONS)
    appends = _city(city, 3 * LARGE // PARTITIONS, PARTITIONS)
    split = len(appends) - 5 * PARTITIONS
    end = _append(place, appends[:split], PARTITIONS)
    series = PARTITIONS * city.series
    stop = threading.Event()
    more = [append for append in appends[split:] if append.kind == codec.BATCH]
    feeding = threading.Thread(target=_feed, args=(place, more * 600, stop))
    feeding.start()
    _, told, process = place.worker(end, PARTITIONS)
    _killed(process)
    stop.set()
    feeding.join()
    end = _append(place, [], PARTITIONS)
    with psycopg.connect(place.url) as connection:
        row = connection.execute(
            "SELECT sum(octet_length(state)), sum(next_offset) FROM checkpoints WHERE worker_group = 'detect'"
        ).fetchone()
    assert row is not None
    began, again, process = place.worker(end)
    _killed(process)
    pauses = told["pauses_ms"]
    return [
        Result(
            "detect.checkpoint_pause_ms", max(pauses), "ms", wanted="≤ 200 ms",
            note=f"longest of {len(pauses)} while readings come live: from before the state of one of {PARTITIONS}"
            f" partitions, {series} series together, is copied to the next step, waiting for readings included. The"
            f" longest wait for them without a checkpoint: {max(told['waits_ms'], default=0.0):.3g} ms. The copy took"
            f" {max(told['copies_ms']):.3g} ms of CPU time at"
            f" most, and they take {float(row[0]) / 1e6:.3g} MB in PostgreSQL",
        ),
        Result(
            "detect.restore_s", again["there_at"] - began, "s", wanted="< 20 s",
            note=f"killed, started again, and live: {series} series, {end - row[1]} records since the checkpoint;"
            f" {again['there_cpu_s']:.3g} s of CPU time",
        ),
    ]  # fmt: skip


def life() -> list[Result]:
    """Measure start, checkpoints and coming back."""
    return [*_with_engines(_start), *_with_engines(_checkpoints)]
