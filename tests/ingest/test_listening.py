"""What both sources listen to, and what they send back."""

import asyncio
import threading

import paho.mqtt.client as mqtt

from ingest.intake import Source
from ingest.message import OWN_FILTERS
from tests.ingest.conftest import OpenSource, listening
from tests.ingest.world import Publisher, running, take_all

FOREIGN = "application/7/device/0102030405060708/event/up"
OTHER = "v3/app/devices/lamp-1/up"


async def topics_of(source: Source, count: int) -> list[str]:
    return [message.topic for message in await take_all(source, count)]


def test_topics_of_integrations_are_heard_from_when_they_are_listened_to_until_they_are_not(
    open_source: OpenSource,
) -> None:
    async def main() -> None:
        async with open_source() as (source, port), running(source), Publisher(port) as publisher:
            await listening(source)
            publisher.publish(1, topic=FOREIGN)
            publisher.publish(2, topic="citynerve/v1/G-1/senml")
            assert await topics_of(source, 1) == ["citynerve/v1/G-1/senml"]
            source.listen([*OWN_FILTERS, "application/+/device/+/event/up"])
            await asyncio.sleep(0.3)
            publisher.publish(3, topic=FOREIGN)
            publisher.publish(4, topic=OTHER)
            publisher.publish(5, topic="citynerve/v1/G-1/readings")
            assert await topics_of(source, 2) == [FOREIGN, "citynerve/v1/G-1/readings"]
            source.listen([*OWN_FILTERS, "v3/+/devices/+/up"])
            await asyncio.sleep(0.3)
            publisher.publish(6, topic=FOREIGN)
            publisher.publish(7, topic=OTHER)
            assert await topics_of(source, 1) == [OTHER]

    asyncio.run(main())


def test_integrations_are_listened_to_again_after_a_reconnection(open_source: OpenSource) -> None:
    async def main() -> None:
        async with open_source() as (source, port), running(source), Publisher(port) as publisher:
            source.listen([*OWN_FILTERS, "v3/+/devices/+/up"])
            await listening(source)
            await source.reconnect()
            await asyncio.sleep(0.1)
            await listening(source)
            await asyncio.sleep(0.5)
            publisher.publish(1, topic=OTHER)
            assert await topics_of(source, 1) == [OTHER]

    asyncio.run(main())


def test_a_message_is_sent_to_whoever_subscribes(open_source: OpenSource) -> None:
    heard: list[tuple[str, bytes]] = []
    came, subscribed = threading.Event(), threading.Event()

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        heard.append((message.topic, message.payload))
        came.set()

    async def main() -> None:
        async with open_source() as (source, port), running(source):
            await listening(source)
            client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "edge-node")
            client.on_message = on_message
            client.on_subscribe = lambda *_: subscribed.set()
            await asyncio.to_thread(client.connect, "127.0.0.1", port)
            client.loop_start()
            try:
                client.subscribe("spBv1.0/city/NCMD/E-1")
                assert await asyncio.to_thread(subscribed.wait, 10)
                source.send("spBv1.0/city/NCMD/E-1", b"rebirth")
                assert not len(await source.take(max_messages=10, wait_s=0.5, gather_s=0.0))
                assert await asyncio.to_thread(came.wait, 10)
            finally:
                client.disconnect()
                await asyncio.to_thread(client.loop_stop)

    asyncio.run(main())
    assert heard == [("spBv1.0/city/NCMD/E-1", b"rebirth")]
