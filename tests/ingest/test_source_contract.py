"""What both sources promise to the bridge: the contract of `ingest.intake.Source`."""

import asyncio
import contextlib

from city.topics import state_topic
from tests.ingest.conftest import OpenSource, listening
from tests.ingest.world import Publisher, acknowledge, eventually, reading, running, take_all


def test_messages_arrive_in_the_order_of_sending(every_source: OpenSource) -> None:
    async def main() -> None:
        async with every_source() as (source, port), running(source):
            await listening(source)
            async with Publisher(port) as gateway:
                for number in range(300):
                    gateway.publish(number, b"%d" % number)
                taken = await take_all(source, 300)
                acknowledge(source, taken)
                await eventually(lambda: len(gateway.acknowledged) == 300)
        assert [int(m.payload) for m in taken] == list(range(300))
        assert {m.topic for m in taken} == {"citynerve/v1/G-1/readings"}

    asyncio.run(main())


def test_what_was_not_acknowledged_comes_again_in_order_after_a_reconnect(every_source: OpenSource) -> None:
    async def main() -> None:
        async with every_source() as (source, port), running(source):
            await listening(source)
            async with Publisher(port) as gateway:
                for number in range(100):
                    gateway.publish(number, b"%d" % number)
                first = await take_all(source, 100)
                acknowledge(source, first[:40])
                await asyncio.sleep(0.3)
                await source.reconnect()
                second = await take_all(source, 60)
                acknowledge(source, second)
                await eventually(lambda: len(gateway.acknowledged) == 100)
        assert [int(m.payload) for m in second] == list(range(40, 100))

    asyncio.run(main())


def test_an_acknowledgement_of_an_older_connection_is_ignored(every_source: OpenSource) -> None:
    async def main() -> None:
        async with every_source() as (source, port), running(source):
            await listening(source)
            async with Publisher(port) as gateway:
                for number in range(20):
                    gateway.publish(number, b"%d" % number)
                stale = await take_all(source, 20)
                await source.reconnect()
                again = await take_all(source, 20)
                # Were these sent, the broker would forget messages whose ids it has given anew.
                acknowledge(source, stale)
                await asyncio.sleep(0.3)
                await source.reconnect()
                third = await take_all(source, 20)
                acknowledge(source, third)
                await eventually(lambda: len(gateway.acknowledged) == 20)
        assert {m.generation for m in stale}.isdisjoint({m.generation for m in again})
        assert [m.payload for m in again] == [m.payload for m in third] == [m.payload for m in stale]

    asyncio.run(main())


def test_a_mark_returns_behind_everything_before_it(every_source: OpenSource) -> None:
    async def main() -> None:
        async with every_source() as (source, port), running(source):
            await listening(source)
            async with Publisher(port) as gateway:
                for number in range(200):
                    gateway.publish(number, b"%d" % number, qos=1)
                # Mosquitto acknowledges what it has; the embedded broker only what is on the log, so nothing here.
                with contextlib.suppress(TimeoutError):
                    await eventually(lambda: len(gateway.acknowledged) == 200, timeout_s=1.0)
                source.mark(b"here")
                taken = []
                while not any(m.payload == b"here" for m in taken):
                    taken += (await source.take(max_messages=1000, wait_s=0.2, gather_s=0.01)).single()
                acknowledge(source, taken)
                await eventually(lambda: len(gateway.acknowledged) == 200)
        assert [m.payload for m in taken] == [b"%d" % n for n in range(200)] + [b"here"]
        assert taken[-1].topic == ""

    asyncio.run(main())


def test_a_last_will_arrives_when_a_gateway_is_cut_off(every_source: OpenSource) -> None:
    async def main() -> None:
        async with every_source() as (source, port), running(source):
            await listening(source)
            async with Publisher(port, will="offline") as gateway:
                gateway.publish(0, b"online", topic=state_topic("G-1"))
                born = await take_all(source, 1)
                acknowledge(source, born)
                gateway.break_connection()
                died = await take_all(source, 1)
                acknowledge(source, died)
        assert [(m.topic, m.payload) for m in born + died] == [
            (state_topic("G-1"), b"online"),
            (state_topic("G-1"), b"offline"),
        ]

    asyncio.run(main())


def test_messages_of_qos_0_arrive_too(every_source: OpenSource) -> None:
    async def main() -> None:
        async with every_source() as (source, port), running(source):
            await listening(source)
            async with Publisher(port) as gateway:
                for number in range(50):
                    gateway.publish(number, qos=0)
                taken = await take_all(source, 50)
                acknowledge(source, taken)
        assert [m.payload for m in taken] == [reading(n) for n in range(50)]
        assert {m.qos for m in taken} == {0}

    asyncio.run(main())


def test_large_messages_do_not_pile_up_in_one_take(every_source: OpenSource) -> None:
    async def main() -> None:
        async with every_source() as (source, port), running(source):
            await listening(source)
            async with Publisher(port) as gateway:
                for number in range(100):
                    gateway.publish(number, b"%d" % number + b" " * 200_000)
                sizes = []
                taken = 0
                while taken < 100:
                    part = (await source.take(max_messages=1000, wait_s=1.0, gather_s=0.2)).single()
                    sizes.append(sum(len(m.payload) for m in part))
                    acknowledge(source, part)
                    taken += len(part)
                await eventually(lambda: len(gateway.acknowledged) == 100)
        assert max(sizes) < 8 * 1024 * 1024

    asyncio.run(main())


def test_a_take_is_bounded_and_the_rest_waits(every_source: OpenSource) -> None:
    async def main() -> None:
        async with every_source() as (source, port), running(source):
            await listening(source)
            async with Publisher(port) as gateway:
                for number in range(100):
                    gateway.publish(number, b"%d" % number)
                await asyncio.sleep(0.5)
                sizes = []
                taken = []
                while len(taken) < 100:
                    part = (await source.take(max_messages=7, wait_s=0.5, gather_s=0.01)).single()
                    sizes.append(len(part))
                    taken += part
                acknowledge(source, taken)
                await eventually(lambda: len(gateway.acknowledged) == 100)
        assert max(sizes) == 7
        assert [int(m.payload) for m in taken] == list(range(100))

    asyncio.run(main())
