"""The embedded broker: acknowledgement after the append in order, held-back senders, hostile clients, settings."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from city.errors import SettingsError
from ingest.broker import BrokerOptions, EmbeddedBroker
from tests.ingest.world import Publisher, RawClient, acknowledge, eventually, publish_frame, take_all


@asynccontextmanager
async def broker(**options: Any) -> AsyncIterator[EmbeddedBroker]:
    embedded = EmbeddedBroker(BrokerOptions(port=0, settle_s=0.0, **options))
    await embedded.start()
    stop = asyncio.Event()
    task = asyncio.create_task(embedded.run(stop))
    try:
        yield embedded
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


def test_acknowledgements_go_out_in_the_order_of_receipt() -> None:
    async def main() -> None:
        async with broker() as embedded:
            client = await asyncio.to_thread(RawClient, embedded.port)
            ids = [7, 3, 65535, 1, 9, 2, *range(100, 150)]
            for packet_id in ids:
                client.publish(packet_id, b"{}")
            taken = await take_all(embedded, len(ids))
            acknowledge(embedded, taken[:3])
            acknowledge(embedded, taken[3:])
            assert await asyncio.to_thread(client.acknowledgements, len(ids)) == ids
            client.close()

    asyncio.run(main())


def test_qos_2_is_received_only_after_the_append() -> None:
    async def main() -> None:
        async with broker() as embedded, Publisher(embedded.port) as gateway:
            gateway.publish(1, b"two", qos=2)
            (message,) = await take_all(embedded, 1)
            await asyncio.sleep(0.1)
            assert gateway.acknowledged == []
            acknowledge(embedded, [message])
            await eventually(lambda: gateway.acknowledged == [1])

    asyncio.run(main())


def test_senders_are_held_back_while_nothing_is_acknowledged() -> None:
    async def main() -> None:
        async with broker(held_messages_max=50, held_share=1.0) as embedded:
            client = await asyncio.to_thread(RawClient, embedded.port)
            for packet_id in range(1, 501):
                client.publish(packet_id, b"%d" % packet_id)
            await asyncio.sleep(0.5)
            held = len(embedded._inbox)
            assert 50 <= held <= 80, "a few more of each connection may be on their way"
            taken = []
            while len(taken) < 500:
                part = (await embedded.take(max_messages=100, wait_s=1, gather_s=0.0)).single()
                acknowledge(embedded, part)
                taken += part
            assert [int(m.payload) for m in taken] == list(range(1, 501))
            assert await asyncio.to_thread(client.acknowledgements, 500) == list(range(1, 501))
            client.close()

    asyncio.run(main())


def test_a_packet_beyond_all_bounds_ends_its_connection_only() -> None:
    async def main() -> None:
        async with broker() as embedded:
            hostile = await asyncio.to_thread(RawClient, embedded.port, "hostile")
            good = await asyncio.to_thread(RawClient, embedded.port, "good")
            hostile.send(publish_frame("citynerve/v1/G-1/readings", b"x" * 2_000_000)[:1000])
            assert await asyncio.to_thread(hostile.closed)
            good.publish(5, b"fine")
            taken = await take_all(embedded, 1)
            acknowledge(embedded, taken)
            assert await asyncio.to_thread(good.acknowledgements, 1) == [5]
            hostile.close()
            good.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "noise", [b"\x00", b"\xff" * 100, b"\x30\xff\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n", b"\x82\x02\x00\x01" * 50]
)
def test_noise_on_a_connection_harms_nobody_else(noise: bytes) -> None:
    async def main() -> None:
        async with broker() as embedded:
            hostile = await asyncio.to_thread(RawClient, embedded.port, "hostile")
            hostile.send(noise)
            hostile.close()
            good = await asyncio.to_thread(RawClient, embedded.port, "good")
            good.publish(5, b"fine")
            acknowledge(embedded, await take_all(embedded, 1))
            assert await asyncio.to_thread(good.acknowledgements, 1) == [5]
            good.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "greeting",
    [
        b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\xff\xff",  # a client id longer than the packet
        b"\x10\x02\x00\x04",
        b"\x10\xff\xff\xff\x7f\x00\x04MQTT",  # 256 MB of it to come
        b"\x10\xff\xff\xff\xff\xff",
        b"\x32\x04\x00\x01a\x01",
        b"GET / HTTP/1.1\r\n\r\n",
        b"",  # and never a word
    ],
)
def test_whoever_does_not_greet_as_a_client_takes_no_place_from_one(greeting: bytes) -> None:
    async def main() -> None:
        async with broker(connections_max=1, greeting_s=0.5) as embedded:
            for _ in range(2):
                reader, writer = await asyncio.open_connection("127.0.0.1", embedded.port)
                writer.write(greeting)
                assert await asyncio.wait_for(reader.read(), 10) == b""
                writer.close()
            good = await asyncio.to_thread(RawClient, embedded.port, "good")
            good.publish(5, b"fine")
            acknowledge(embedded, await take_all(embedded, 1))
            assert await asyncio.to_thread(good.acknowledgements, 1) == [5]
            good.close()

    asyncio.run(main())


def test_one_address_that_connects_and_says_nothing_takes_no_more_than_its_part() -> None:
    async def main() -> None:
        async with broker(connections_max=4, greeting_max=3) as embedded:
            silent = [await asyncio.open_connection("127.0.0.1", embedded.port) for _ in range(3)]
            await eventually(lambda: len(embedded.connections) == 3)
            # From the same address a fourth has to wait until one of them has spoken or gone.
            reader, writer = await asyncio.open_connection("127.0.0.1", embedded.port)
            assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()
            other, elsewhere = await asyncio.open_connection("127.0.0.1", embedded.port, local_addr=("127.0.0.2", 0))
            elsewhere.write(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a")
            assert await asyncio.wait_for(other.readexactly(4), 10) == b"\x20\x02\x00\x00"
            for _, one in (*silent, (other, elsewhere)):
                one.close()

    asyncio.run(main())


def test_subscribers_get_what_was_appended() -> None:
    async def main() -> None:
        async with broker() as embedded:
            heard: list[bytes] = []
            listener = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "listener")
            listener.on_message = lambda _c, _d, message: heard.append(message.payload)
            ready = asyncio.Event()
            loop = asyncio.get_running_loop()
            listener.on_subscribe = lambda *_: loop.call_soon_threadsafe(ready.set)
            await asyncio.to_thread(listener.connect, "127.0.0.1", embedded.port)
            listener.loop_start()
            listener.subscribe("citynerve/v1/+/readings", 1)
            await asyncio.wait_for(ready.wait(), 10)
            async with Publisher(embedded.port) as gateway:
                gateway.publish(1, b"shown")
                taken = await take_all(embedded, 1)
                acknowledge(embedded, taken)
                await eventually(lambda: heard == [b"shown"])
                await eventually(lambda: gateway.acknowledged == [1])
            listener.disconnect()
            await asyncio.to_thread(listener.loop_stop)

    asyncio.run(main())


def test_a_taken_port_is_explained() -> None:
    async def main() -> None:
        async with broker() as embedded:
            with pytest.raises(SettingsError, match="taken: stop the program that uses it, or choose another port"):
                await EmbeddedBroker(BrokerOptions(port=embedded.port)).start()

    asyncio.run(main())


def test_a_client_that_breaks_its_keep_alive_is_dropped() -> None:
    async def main() -> None:
        async with broker() as embedded:
            client = await asyncio.to_thread(RawClient, embedded.port, keep_alive_s=1)
            assert await asyncio.wait_for(asyncio.to_thread(client.closed), 10)
            client.close()

    asyncio.run(main())


def test_who_asks_for_too_many_filters_at_once_is_let_go() -> None:
    async def main() -> None:
        async with broker() as embedded:
            for count, is_let_go in ((100, False), (101, True)):
                client = await asyncio.to_thread(RawClient, embedded.port, f"asks-{count}")
                body = struct.pack("!H", 7) + b"".join(
                    struct.pack("!H", 6) + b"a/%04d" % number + b"\x00" for number in range(count)
                )
                client.send(b"\x82" + bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) + body)
                if is_let_go:
                    assert await asyncio.to_thread(client.closed)
                else:
                    # It goes on as before.
                    client.publish(5, b"fine")
                    acknowledge(embedded, await take_all(embedded, 1))
                client.close()

    asyncio.run(main())


def test_only_a_state_is_kept_for_whoever_comes_later() -> None:
    async def main() -> None:
        async with broker() as embedded:
            async with Publisher(embedded.port) as gateway:
                gateway.publish(1, b"{}", retain=True)
                gateway.publish(2, b"online", topic="citynerve/v1/G-1/state", retain=True)
                acknowledge(embedded, await take_all(embedded, 2))
                await eventually(lambda: len(gateway.acknowledged) == 2)
            assert embedded._broker is not None
            assert list(embedded._broker._retained_messages) == ["citynerve/v1/G-1/state"]

    asyncio.run(main())
