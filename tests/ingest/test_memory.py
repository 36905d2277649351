"""Whatever comes while the log is away, ingest holds a few flushes and leaves the rest to the broker."""

import asyncio
import os
import socket
import struct
import threading
from pathlib import Path

from city.clock import SystemClock
from city.topics import READINGS
from ingest.bridge import Bridge, BridgeOptions
from ingest.metrics import IngestMetrics
from ingest.mqtt_session import MqttOptions
from ingest.source import MqttSource
from stream import codec
from stream.codec import RecordMeta
from stream.logs.postgres import open_postgres_log
from tests.ingest.world import HeldLog, eventually, make_topics, port_of, reading, records_of, registry, running
from tests.support.fix_mosquitto import Mosquitto

REGISTRY = registry()
COUNT = 40_000
GROWTH_MAX = 48 * 1024 * 1024
PADDING = b" " * 2_000
"""So that what is flooded weighs more than what may be held."""


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Flood:
    """A gateway that sends `COUNT` messages of QoS 1 as fast as the broker takes them, without looking at answers."""

    def __init__(self, port: int) -> None:
        self.acknowledged = 0
        self._sock = socket.create_connection(("127.0.0.1", port))
        self._sock.sendall(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05flood")
        assert self._sock.recv(4, socket.MSG_WAITALL) == b"\x20\x02\x00\x00"
        threading.Thread(target=self._read, daemon=True).start()

    def send(self) -> None:
        topic = b"citynerve/v1/G-1/readings"
        for number in range(COUNT):
            payload = reading(number) + PADDING
            body = struct.pack("!H", len(topic)) + topic + struct.pack("!H", number % 65_535 + 1) + payload
            self._sock.sendall(bytes([0x32, len(body) & 0x7F | 0x80, len(body) >> 7]) + body)

    def close(self) -> None:
        self._sock.close()

    def _read(self) -> None:
        try:
            while data := self._sock.recv(65_536):
                self.acknowledged += len(data)
        except OSError:
            return


def test_memory_is_bounded_while_the_log_is_away_and_everything_comes_afterwards(
    mosquitto: Mosquitto, database_url: str
) -> None:
    async def main() -> None:
        log = await open_postgres_log(database_url)
        await make_topics(log)
        held, metrics = HeldLog(log), IngestMetrics()
        source = MqttSource(MqttOptions(mosquitto.url), metrics)
        options = BridgeOptions(messages_max=1_000)
        async with running(Bridge(source, held, lambda: REGISTRY, SystemClock(), options, metrics), source):
            await eventually(lambda: source.listening)
            held.open.clear()
            flood = Flood(port_of(mosquitto.url))
            before = resident_bytes()
            await asyncio.to_thread(flood.send)
            await eventually(lambda: flood.acknowledged == 4 * COUNT, 120)
            await asyncio.sleep(1)
            grown, in_flight = resident_bytes() - before, metrics.in_flight._value.get()
            held.open.set()
            assert in_flight <= 3 * options.messages_max
            assert grown < GROWTH_MAX < COUNT * len(PADDING)
            await eventually(lambda: metrics.messages._value.get() >= COUNT, 120)
        metas = [codec.decode(RecordMeta, record.meta) for record in await records_of(log, READINGS)]
        assert sum(count.count for meta in metas for count in meta.counts) == COUNT
        await log.close()
        flood.close()

    asyncio.run(main())
