"""A real MQTT client that keeps everything it hears."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from city.topics import READINGS_FILTER, STATE_FILTER, gateway_of_state
from sim.link import parse_url
from sim.outbox import readings_of


class Listener:
    """Messages by gateway, in the order of arrival, and the last state of each gateway."""

    def __init__(self, url: str) -> None:
        self.payloads: list[tuple[str, bytes]] = []
        self.states: dict[str, dict[str, Any]] = {}
        self._subscribed = threading.Event()
        address = parse_url(url)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe([(READINGS_FILTER, 1), (STATE_FILTER, 1)])
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._take
        self._client.connect_async(address.host, address.port)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def _take(self, _client: Any, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        gateway = gateway_of_state(message.topic)
        if gateway is not None:
            self.states[gateway] = json.loads(message.payload)
        else:
            self.payloads.append((message.topic.split("/")[2], bytes(message.payload)))

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for _, payload in self.payloads]

    def readings(self) -> list[tuple[str, str, int, float]]:
        return [reading for _, payload in self.payloads for reading in readings_of(payload)]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def listening(url: str) -> Iterator[Listener]:
    listener = Listener(url)
    try:
        yield listener
    finally:
        listener.close()


def until(true: Callable[[], Any], timeout_s: float = 20.0) -> None:
    """Wait for something that real servers bring about."""
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)
