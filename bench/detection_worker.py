"""A detection worker under measurement, in a process of its own: tells when it stands where, and what held it up."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from app import kernels


async def _work(url: str, bootstrap: str, until_offset: int, rounds: int) -> None:
    from anomaly.detector import DetectStage
    from anomaly.state import DetectorState
    from storage.pool import open_pool
    from stream import codec
    from stream.log import Record
    from stream.logs.kafka import open_kafka_log
    from stream.worker import Outcome, Worker, WorkerOptions

    class Watched(DetectStage):
        """Notes when readings were judged first, and, once it is live, how long copies hold the next step up.

        Who catches up waits for the log to bring thousands of readings at once, checkpoint or not.
        """

        def __init__(self) -> None:
            super().__init__(1)
            self.first_at = self.first_cpu_s = self.frozen_at = self.ended_at = 0.0
            self.live = False
            self.pauses: list[float] = []
            self.waits: list[float] = []
            self.copies: list[float] = []

        def step(self, state: DetectorState, records: Sequence[Record]) -> Outcome:
            if self.live and self.frozen_at:
                self.pauses.append(time.monotonic() - self.frozen_at)
            elif self.live and self.ended_at:
                self.waits.append(time.monotonic() - self.ended_at)
            self.frozen_at = 0.0
            outcome = super().step(state, records)
            self.ended_at = time.monotonic()
            if not self.first_at and any(record.kind == codec.BATCH for record in records):
                self.first_at, self.first_cpu_s = time.monotonic(), time.process_time()
            return outcome

        def freeze(self, state: DetectorState) -> Callable[[], bytes]:
            if not self.frozen_at:
                self.frozen_at = time.monotonic()
                self.copies.append(0.0)
            cpu = time.thread_time()
            pack = super().freeze(state)
            self.copies[-1] += time.thread_time() - cpu
            return pack

    pool = await open_pool(url, size=4)
    log = await open_kafka_log(bootstrap)
    stage, stop = Watched(), asyncio.Event()
    worker = Worker(stage, log, pool, WorkerOptions())
    running = asyncio.create_task(worker.run(stop))
    while not stage.live or len(stage.pauses) < rounds:
        if running.done():
            running.result()
        stage.live = stage.live or sum(p.next_offset for p in worker.positions().values()) >= until_offset
        await asyncio.sleep(0.01)
    told = {
        "first_at": stage.first_at,
        "first_cpu_s": stage.first_cpu_s,
        "there_at": time.monotonic(),
        "there_cpu_s": time.process_time(),
        "copies_ms": [1000 * copy for copy in stage.copies],
        "pauses_ms": [1000 * pause for pause in stage.pauses],
        "waits_ms": [1000 * wait for wait in stage.waits],
    }
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    # Whoever measures kills this process: that is how workers die.
    await asyncio.sleep(600)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("url", "bootstrap", "data"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--until-offset", type=int, required=True)
    parser.add_argument("--rounds", type=int, default=0)
    arguments = parser.parse_args()
    kernels.warm(Path(arguments.data), "anomaly")
    asyncio.run(_work(arguments.url, arguments.bootstrap, arguments.until_offset, arguments.rounds))
