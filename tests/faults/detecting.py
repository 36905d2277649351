"""One member of the groups of detection, correlation and desk, for a test that kills it: `python -m` this module."""

import argparse
import asyncio
import signal
from pathlib import Path
from typing import Any

from app import kernels


async def _work(url: str, bootstrap: str, prefix: str) -> None:
    from anomaly.correlate import CorrelateStage
    from anomaly.detector import DetectStage
    from city import topics
    from city.clock import SystemClock
    from incidents.stage import DeskStage
    from incidents.store import Desk
    from storage.pool import open_pool
    from stream.logs.kafka import KafkaLogOptions, open_kafka_log
    from stream.worker import Worker, WorkerOptions

    pool = await open_pool(url, size=6)
    log = await open_kafka_log(bootstrap, KafkaLogOptions(prefix=prefix, session_timeout_s=1.5))
    readings, candidates = await log.partitions(topics.READINGS), await log.partitions(topics.CANDIDATES)
    alarms = await log.partitions(topics.ALARMS)
    # Small polls and frequent checkpoints, so that a death falls into as many different moments as possible.
    options = WorkerOptions(checkpoint_every_s=0.3, max_records=40, poll_timeout_s=0.1, backoff_s_max=0.5)
    stages: list[Any] = [
        DetectStage(candidates),
        CorrelateStage(readings, alarms, candidate_partitions=candidates),
        DeskStage(Desk(SystemClock())),
    ]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await asyncio.gather(*(Worker(stage, log, pool, options).run(stop) for stage in stages))
    await log.close()
    await pool.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("url", "bootstrap", "prefix", "data"):
        parser.add_argument(f"--{name}", required=True)
    arguments = parser.parse_args()
    kernels.warm(Path(arguments.data), "anomaly")
    asyncio.run(_work(arguments.url, arguments.bootstrap, arguments.prefix))
