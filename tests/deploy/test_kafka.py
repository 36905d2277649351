"""What the compose file says to Kafka, on a real broker."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.e2e.processes import wait_until
from tests.support.fix_kafka import Kafka, make_kafka

_OF_ITS_PLACE = {"NODE", "PROCESS", "CONTROLLER", "LISTENERS", "ADVERTISED", "LISTENER", "LOG_DIRS", "HEAP"}


@pytest.fixture
def broker(compose: dict[str, Any], tmp_path: Path) -> Iterator[Kafka]:
    """Kafka with the deployed settings but those of its place; what it has on disk is told at once."""
    deployed = {
        name.removeprefix("KAFKA_"): value
        for name, value in compose["services"]["kafka"]["environment"].items()
        if name.startswith("KAFKA_")
    }
    chosen = {n: v for n, v in deployed.items() if not any(n.startswith(place) for place in _OF_ITS_PLACE)}
    # As the image does with its variables.
    lines = [f"{name.lower().replace('_', '.')}={value}\n" for name, value in chosen.items()]
    server = make_kafka(tmp_path)
    with (tmp_path / "server.properties").open("a") as properties:
        properties.writelines(
            [*lines, "log.flush.offset.checkpoint.interval.ms=100\n", "log.initial.task.delay.ms=100\n"]
        )
    server.start()
    yield server
    server.stop()


def test_what_was_acknowledged_is_on_disk_soon_after(broker: Kafka, tmp_path: Path) -> None:
    # Up to where it would not read the log again after the machine lost power: moved by a flush alone.
    told = tmp_path / "data" / "recovery-point-offset-checkpoint"

    async def main() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic("kept", 1, 1)])
        await admin.close()
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all") as producer:
            # The second shows that it goes on: the first might have met the flush that follows the start.
            for record in (1, 2):
                await producer.send_and_wait("kept", b"record")
                await asyncio.to_thread(
                    wait_until,
                    lambda up_to=f"kept 0 {record}": up_to in told.read_text().splitlines(),
                    20,
                    broker.log.read_text,
                )

    asyncio.run(main())
