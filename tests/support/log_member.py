"""A member of a consumer group in a process of its own, so that a test can kill it or stop its clock.

Prints one line of JSON for each thing that happens: ``{"owns": [[topic, partition], …], "generation": 3}``,
``{"read": [[topic, partition, offset], …]}``, ``{"fenced": true}``.
"""

import asyncio
import json
import sys
from typing import Any

from city.errors import EngineError, FencedError
from stream.log import EventLog
from stream.logs.kafka import KafkaLogOptions, open_kafka_log
from stream.logs.postgres import open_postgres_log
from stream.logs.postgres_rows import PostgresLogOptions


def say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def run(log: EventLog, group: str, topics: list[str]) -> None:
    consumer = await log.consumer(group, topics)
    told: Any = None
    while True:
        try:
            poll = await consumer.poll(max_records=5)
            if told != (poll.assignment, poll.generation):
                told = (poll.assignment, poll.generation)
                say(owns=sorted(poll.assignment), generation=poll.generation)
            if poll.records:
                say(read=[[*source, record.offset] for source, found in poll.records.items() for record in found])
                await consumer.commit({source: found[-1].offset + 1 for source, found in poll.records.items()})
        except FencedError:
            say(fenced=True)
        except EngineError as exc:
            say(engine=str(exc))


async def main(engine: str, url: str, prefix: str, session_timeout_s: float, group: str, *topics: str) -> None:
    if engine == "postgres":
        log: EventLog = await open_postgres_log(url, PostgresLogOptions(session_timeout_s=session_timeout_s))
    else:
        log = await open_kafka_log(url, KafkaLogOptions(prefix=prefix, session_timeout_s=session_timeout_s))
    await run(log, group, list(topics))


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), *sys.argv[5:]))
