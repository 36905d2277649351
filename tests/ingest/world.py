"""A handful of devices, devices' messages, and clients that publish them for real."""

import asyncio
import json
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt

from city.errors import EngineError
from city.registry import IngestRegistry, KnownDevice, SeriesTarget
from city.topics import PARTITIONS, READINGS, readings_topic
from ingest.intake import Intake, Source
from ingest.message import Message
from stream import codec
from stream.log import Append, EventLog, Record, TopicPartition

METRICS = {"active_power_w": (-5.0, 5000.0), "supply_voltage_v": (0.0, 500.0), "dimming_level_pct": (0.0, 100.0)}
GATEWAYS = {f"G-{g}": g for g in range(1, 4)}


def registry(devices: int = 12) -> IngestRegistry:
    """D-0 … on G-1 to G-3, each gateway's devices in one partition."""
    known = {}
    for device in range(devices):
        gateway = device % 3 + 1
        targets = {
            metric: SeriesTarget(device * 3 + index, gateway * 3, low, high)
            for index, (metric, (low, high)) in enumerate(METRICS.items())
        }
        known[f"D-{device}"] = KnownDevice(f"D-{device}", f"G-{gateway}", targets)
    return IngestRegistry(dict(GATEWAYS), known, 1)


def reading(number: int, device: int = 0, **more: Any) -> bytes:
    """One object whose value tells it apart: message `number` is observed `number` seconds into a day of 2026."""
    body = {
        "device": f"D-{device}",
        "n": number,
        "at": 1_790_000_000_000 + number * 1000,
        "active_power_w": number % 5000,
    }
    return json.dumps(body | more).encode()


class HeldLog:
    """A real log whose appends wait until the test lets them go."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = asyncio.Event()
        self.delay_s = 0.0
        self.appends = 0
        self.fail = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, records: Sequence[Append]) -> list[int]:
        self.waiting.set()
        await self.open.wait()
        await asyncio.sleep(self.delay_s)
        if self.fail:
            raise EngineError("the test holds the log back")
        offsets = await self._log.append(records)
        self.appends += 1
        return offsets


class Publisher:
    """A gateway: a real client that knows which of its messages were acknowledged, in which order."""

    def __init__(self, port: int, gateway: str = "G-1", will: str | None = None) -> None:
        self.gateway = gateway
        self._mids: list[int] = []
        self._numbers: dict[int, int] = {}
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, f"test-{gateway}", clean_session=False)
        self._client.max_inflight_messages_set(65535)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_publish = self._on_publish
        self._connected = threading.Event()
        self._client.on_connect = lambda *_: self._connected.set()
        if will is not None:
            self._client.will_set(f"citynerve/v1/{gateway}/state", will, qos=1)
        self._port = port

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._client.connect, "127.0.0.1", self._port)
        self._client.loop_start()
        assert await asyncio.to_thread(self._connected.wait, 10)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def publish(
        self, number: int, payload: bytes | None = None, qos: int = 1, topic: str = "", *, retain: bool = False
    ) -> None:
        info = self._client.publish(
            topic or readings_topic(self.gateway), reading(number) if payload is None else payload, qos, retain
        )
        self._numbers[info.mid] = number

    @property
    def acknowledged(self) -> list[int]:
        """Numbers of the messages that the broker acknowledged (QoS 0: sent), in that order."""
        return [self._numbers.get(mid, -1) for mid in list(self._mids)]

    def break_connection(self) -> None:
        """End the connection as a power cut would: no goodbye."""
        sock = self._client.socket()
        assert isinstance(sock, socket.socket)
        sock.shutdown(socket.SHUT_RDWR)

    def _on_publish(self, _client: Any, _data: Any, mid: int, *_: Any) -> None:
        self._mids.append(mid)


class RawClient:
    """A client that sends frames byte by byte as the test says, and reads what comes."""

    def __init__(
        self, port: int, client_id: str = "raw", keep_alive_s: int = 60, user: tuple[str, str] | None = None
    ) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        words = [word.encode() for word in (client_id, *(user or ()))]
        flags = 0x02 if user is None else 0xC2
        body = b"\x00\x04MQTT\x04" + bytes([flags]) + struct.pack("!H", keep_alive_s)
        body += b"".join(struct.pack("!H", len(word)) + word for word in words)
        self._socket.sendall(b"\x10" + bytes([len(body)]) + body)
        assert self._receive(4) == b"\x20\x02\x00\x00"

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def publish(self, packet_id: int, payload: bytes, topic: str = "citynerve/v1/G-1/readings", qos: int = 1) -> None:
        self.send(publish_frame(topic, payload, qos, packet_id))

    def acknowledgements(self, count: int) -> list[int]:
        """Read PUBACKs; return their packet ids."""
        data = self._receive(4 * count)
        assert all(data[i] == 0x40 for i in range(0, len(data), 4))
        return [struct.unpack("!H", data[i + 2 : i + 4])[0] for i in range(0, len(data), 4)]

    def closed(self) -> bool:
        """Wait until the other side closes."""
        try:
            while self._socket.recv(65536):
                continue
        except OSError:
            return True
        return True

    def close(self) -> None:
        self._socket.close()

    def _receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            chunk = self._socket.recv(count - len(data))
            if not chunk:
                raise ConnectionError("closed")
            data += chunk
        return data


def publish_frame(
    topic: str, payload: bytes, qos: int = 1, packet_id: int = 1, *, properties: bytes | None = None
) -> bytes:
    """Return one PUBLISH of MQTT 3.1.1; with `properties`, be they empty, one of MQTT 5."""
    name = topic.encode()
    body = struct.pack("!H", len(name)) + name + (struct.pack("!H", packet_id) if qos else b"")
    if properties is not None:
        body += _length(len(properties)) + properties
    body += payload
    return bytes([0x30 | qos << 1]) + _length(len(body)) + body


def _length(length: int) -> bytes:
    encoded = b""
    while True:
        length, byte = length >> 7, length & 0x7F
        encoded += bytes([byte | 0x80 if length else byte])
        if not length:
            return encoded


async def eventually(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is waited for happens on a server or in a thread
            await asyncio.sleep(0.01)


async def records_of(log: EventLog, topic: str) -> list[Record]:
    """Return all records of a topic, partition by partition."""
    found: list[Record] = []
    for partition, (begin, end) in sorted((await log.bounds(topic)).items()):
        offset = begin
        while offset < end:
            records = await log.read(TopicPartition(topic, partition), offset)
            found += records
            offset = records[-1].offset + 1
    return found


async def numbers_on(log: EventLog) -> list[int]:
    """Return the numbers of all readings on the log that `reading` made, in the log's order."""
    found: list[int] = []
    for record in await records_of(log, READINGS):
        if record.kind == codec.BATCH:
            batch = codec.decode_batch(record.value)
            found += [int(at // 1_000_000 - 1_790_000_000) for at in batch.observed_at]
    return found


async def readings_reach(log: EventLog, wanted: set[int], timeout_s: float = 30.0) -> list[int]:
    """Wait until all numbers are on the log; return what is there."""
    found: list[int] = []
    try:
        async with asyncio.timeout(timeout_s):
            while not wanted <= set(found := await numbers_on(log)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        missing = sorted(wanted - set(found))
        raise AssertionError(f"{len(missing)} of {len(wanted)} never came: {missing[:20]}") from None
    return found


async def take_all(source: Source, count: int, timeout_s: float = 15.0) -> list[Message]:
    """Take until `count` messages have come."""
    taken: list[Message] = []
    async with asyncio.timeout(timeout_s):
        while len(taken) < count:
            part = await source.take(max_messages=1000, wait_s=0.2, gather_s=0.01)
            taken += [m for m in part.single() if m.topic]
    return taken


def acknowledge(source: Source, messages: Sequence[Message]) -> None:
    """Acknowledge single messages of one connection."""
    source.acknowledge(Intake.of(messages))


@asynccontextmanager
async def running(*things: Any) -> AsyncIterator[asyncio.Event]:
    """Run things that have ``run(stop)``; stop them in their order at the end."""
    stops = [asyncio.Event() for _ in things]
    tasks = [asyncio.create_task(thing.run(stop)) for thing, stop in zip(things, stops, strict=True)]
    try:
        yield stops[0]
    finally:
        for stop, task in zip(stops, tasks, strict=True):
            stop.set()
            await asyncio.wait_for(task, 30)


async def make_topics(log: EventLog) -> None:
    await log.create_topics(PARTITIONS)


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
