"""A load generator that costs little: PUBLISH frames made beforehand, written to a raw socket."""

import argparse
import json
import socket
import struct
import sys
import threading
import time

import numpy as np

MESSAGE_BYTES = 111
GATEWAYS = 48
DEVICES = 4_800
_WINDOW = 2_000
_CHUNK = 250
_TURN_S = 0.005


def payload(number: int) -> bytes:
    """Return one message of 111 bytes: three readings of one lamp."""
    body = (
        f'{{"device":"D-{number % DEVICES:05}","at":{1_790_000_000_000 + number * 10},'
        f'"active_power_w":36.{number % 10},"supply_voltage_v":229.8,"dimming_level_pct":'
    )
    return f"{body}{100:>{MESSAGE_BYTES - len(body) - 1}}}}".encode()


def frame(number: int, qos: int) -> bytes:
    """Return the PUBLISH of message `number`."""
    topic = b"citynerve/v1/G-%02d/readings" % (number % DEVICES % GATEWAYS)
    packet_id = struct.pack("!H", number % 65_535 + 1) if qos else b""
    body = struct.pack("!H", len(topic)) + topic + packet_id + payload(number)
    return bytes([0x30 | qos << 1, len(body) & 0x7F | 0x80, len(body) >> 7]) + body


class _Acknowledged:
    """Counts PUBACKs in a thread of its own."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._bytes = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, count: int, timeout_s: float = 120.0) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._bytes >= 4 * count, timeout_s)

    def _read(self) -> None:
        while data := self._sock.recv(65536):
            with self._changed:
                self._bytes += len(data)
                self._changed.notify_all()


def send(port: int, count: int, qos: int) -> float:
    """Send `count` messages as fast as the broker takes them; return how long that took, in seconds."""
    chunks = [
        b"".join(frame(number, qos) for number in range(start, min(start + _CHUNK, count)))
        for start in range(0, count, _CHUNK)
    ]
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04load")
    sock.recv(4, socket.MSG_WAITALL)
    acknowledged = _Acknowledged(sock)
    started = time.monotonic()
    for index, chunk in enumerate(chunks):
        if qos and not acknowledged.wait_for((index + 1) * _CHUNK - _WINDOW):
            raise TimeoutError("the broker stopped acknowledging")
        sock.sendall(chunk)
    if qos and not acknowledged.wait_for(count):
        raise TimeoutError("the broker stopped acknowledging")
    elapsed = time.monotonic() - started
    sock.sendall(b"\xe0\x00")
    return elapsed


def send_paced(port: int, count: int, qos: int, rate: float) -> float:
    """Send `count` messages at `rate` a second, each dated with the millisecond in which it is sent."""
    size = max(1, int(rate * _TURN_S))
    chunks = [
        np.frombuffer(bytearray(b"".join(frame(number, qos) for number in range(start, start + size))), np.uint8)
        for start in range(0, count - size + 1, size)
    ]
    length = len(chunks[0]) // size
    date = chunks[0][:length].tobytes().index(b'"at":') + 5
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04load")
    sock.recv(4, socket.MSG_WAITALL)
    acknowledged = _Acknowledged(sock)
    started = time.monotonic()
    for index, chunk in enumerate(chunks):
        time.sleep(max(0.0, started + index * size / rate - time.monotonic()))
        now = b"%d" % (time.time_ns() // 1_000_000)
        chunk.reshape(size, length)[:, date : date + len(now)] = np.frombuffer(now, np.uint8)
        sock.sendall(chunk.data)
    if qos and not acknowledged.wait_for(len(chunks) * size):
        raise TimeoutError("the broker stopped acknowledging")
    elapsed = time.monotonic() - started
    sock.sendall(b"\xe0\x00")
    return elapsed


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=0.0, help="messages a second; 0: as fast as they are taken")
    for name in ("port", "count", "qos"):
        parser.add_argument(f"--{name}", type=int, required=True)
    arguments = parser.parse_args()
    port, count, qos, rate = arguments.port, arguments.count, arguments.qos, arguments.rate
    seconds = send_paced(port, count, qos, rate) if rate else send(port, count, qos)
    sys.stdout.write(json.dumps({"seconds": seconds}) + "\n")
