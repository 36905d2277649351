import asyncio
import secrets

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from city.errors import EngineError
from stream.log import Append, TopicPartition
from stream.logs.kafka import open_kafka_log
from stream.logs.kafka_records import KafkaLogOptions
from tests.support.fix_kafka import Kafka
from tests.support.servers import free_port

ONE = TopicPartition("readings", 0)


@pytest.fixture
def options() -> KafkaLogOptions:
    return KafkaLogOptions(prefix=f"test-{secrets.token_hex(6)}.")


async def recreate(bootstrap: str, *topics: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.delete_topics(list(topics))
    async with asyncio.timeout(30):
        while set(topics) & set(await admin.list_topics()):  # noqa: ASYNC110 (the broker tells nobody)
            await asyncio.sleep(0.05)
    await admin.close()


@pytest.mark.parametrize("victim", ["readings", "log-identity"])
def test_topic_that_was_deleted_and_made_again_is_another_log(
    kafka: str, options: KafkaLogOptions, victim: str
) -> None:
    async def main() -> None:
        log = await open_kafka_log(kafka, options)
        await log.create_topics({"readings": 1, "alarms": 1})
        before = log.identity
        await log.close()
        await recreate(kafka, f"{options.prefix}{victim}")
        identities = set()
        for _ in range(2):
            log = await open_kafka_log(kafka, options)
            await log.create_topics({"readings": 1, "alarms": 1})
            identities.add(log.identity)
            await log.close()
        assert len(identities | {before}) == 2

    asyncio.run(main())


def test_cities_with_prefixes_of_their_own_share_a_cluster(kafka: str, options: KafkaLogOptions) -> None:
    async def main() -> None:
        logs = [
            await open_kafka_log(kafka, KafkaLogOptions(prefix=f"{options.prefix}{city}."))
            for city in ("gijon", "other")
        ]
        for number, log in enumerate(logs):
            await log.create_topics({"readings": 1 + number})
            await log.append([Append("readings", 0, "batch", b"x", 1)] * (1 + number))
            consumer = await log.consumer("g", ["readings"])
            await consumer.poll()
            await consumer.commit({ONE: 1 + number})
            await consumer.close()
        assert [await log.committed("g", "readings") for log in logs] == [{0: 1}, {0: 2}]
        assert await logs[0].trim("readings", 1 << 50) == {0: 1}
        assert (await logs[1].bounds("readings"))[0].begin == 0
        assert logs[0].identity != logs[1].identity
        for log in logs:
            await log.close()

    asyncio.run(main())


def test_cluster_that_does_not_answer_is_an_engine_error() -> None:
    async def main() -> None:
        with pytest.raises(EngineError, match="Kafka did not answer"):
            await open_kafka_log(f"127.0.0.1:{free_port()}")

    asyncio.run(main())


def test_append_that_gave_up_is_not_sent_behind_the_callers_back(kafka_server: Kafka, options: KafkaLogOptions) -> None:
    """A repeat that queues behind what an outage left over would grow with each try."""

    async def main() -> None:
        log = await open_kafka_log(kafka_server.bootstrap, KafkaLogOptions(prefix=options.prefix, timeout_s=1.0))
        await log.create_topics({"readings": 1})
        await log.append([Append("readings", 0, "batch", b"before", 0)])
        kafka_server.kill()
        for _ in range(3):
            with pytest.raises(EngineError):
                await log.append([Append("readings", 0, "batch", b"given up", 0)])
        await asyncio.to_thread(kafka_server.start)
        for _ in range(20):
            try:
                await log.append([Append("readings", 0, "batch", b"after", 0)])
                break
            except EngineError:
                await asyncio.sleep(0.2)
        found = [record.value for record in await log.read(ONE, 0)]
        assert found == [b"before", b"after"]
        await log.close()

    try:
        asyncio.run(main())
    finally:
        kafka_server.ensure_started()
