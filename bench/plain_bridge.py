"""The peer: a careful plain bridge of paho, pydantic and aiokafka, which acknowledges after the send."""

import argparse
import asyncio
from collections import deque
from datetime import datetime

import paho.mqtt.client as mqtt
from aiokafka import AIOKafkaProducer
from pydantic import BaseModel, ConfigDict

from bench.measure import Meter


class LampMessage(BaseModel):
    """What one lamp reports."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    device: str
    at: datetime
    active_power_w: float
    supply_voltage_v: float
    dimming_level_pct: float


async def run(port: int, kafka: str, topic: str, count: int, qos: int) -> None:
    """Move messages until `count` have been acknowledged."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=10)
    await producer.start()
    inbox: deque[mqtt.MQTTMessage] = deque()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "plain", clean_session=False, manual_ack=True)
    client.on_message = lambda _client, _data, message: inbox.append(message)
    subscribed = asyncio.Event()
    loop = asyncio.get_running_loop()
    client.on_subscribe = lambda *_: loop.call_soon_threadsafe(subscribed.set)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe("citynerve/v1/+/readings", 1)
    await subscribed.wait()
    meter = Meter(count)
    meter.ready()
    while not meter.done():
        await asyncio.sleep(0.01)
        taken = [inbox.popleft() for _ in range(min(len(inbox), 2_000))]
        sent = []
        for message in taken:
            reading = LampMessage.model_validate_json(message.payload)
            value = reading.model_dump_json().encode()
            sent.append(await producer.send(topic, value, key=reading.device.encode()))
        if not taken:
            continue
        await asyncio.gather(*sent)
        for message in taken:
            client.ack(message.mid, message.qos)
        meter.add(len(taken))
    meter.report()
    client.disconnect()
    client.loop_stop()
    await producer.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--qos", type=int, required=True)
    given = parser.parse_args()
    asyncio.run(run(given.port, given.kafka, given.topic, given.count, given.qos))
