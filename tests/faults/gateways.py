"""Gateways that keep the promises of the native format at speed: raw sockets, and numbers that are sent again."""

import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable

METRICS = ("active_power_w", "supply_voltage_v", "dimming_level_pct", "co2_ppm", "supply_current_a")
DEVICES = 50
"""Of each gateway."""
_UNACKNOWLEDGED_MAX = 20_000
_PATIENCE_S = 60.0
"""A broker that writes a large back-log down takes nothing meanwhile; who gave up would send all of it again."""


def device_id(gateway: str, index: int) -> str:
    return f"{gateway}-D{index:02}"


def payload(gateway: str, number: int, start_ms: int, *, numbered: bool) -> bytes:
    """Return message `number`: five readings of one device, at a time that no other message of it has."""
    device, at = device_id(gateway, number % DEVICES), start_ms + number
    head = f'{{"n":{number},"epoch":"run",' if numbered else "{"
    values = ",".join(f'"{metric}":{(number + index) % 100}' for index, metric in enumerate(METRICS))
    return f'{head}"device":"{device}","at":{at},{values}}}'.encode()


def frame(topic: bytes, packet_id: int, body: bytes, *, again: bool) -> bytes:
    """Return a PUBLISH at QoS 1."""
    length = 4 + len(topic) + len(body)
    head = bytes([0x3A if again else 0x32, length & 0x7F | 0x80, length >> 7])
    return head + struct.pack("!H", len(topic)) + topic + struct.pack("!H", packet_id) + body


class FastGateway:
    """One MQTT client that sends `rate` messages a second, whatever happens, until it is stopped.

    A numbered one sends what it sent in the last `window_s` again after each reconnection, as the native format asks:
    longer than the broker goes without writing down what it has (a second, and what the writing takes). One without
    numbers sends again what was not acknowledged, as any MQTT client does.
    """

    def __init__(self, port: int, gateway: str, rate: int, *, numbered: bool = True, window_s: float = 15.0) -> None:
        self.gateway = gateway
        self.numbered = numbered
        self.start_ms = int(time.time() * 1000) - 3_600_000
        self.sent = 0
        self.reconnections = 0
        self._port = port
        self._rate = rate
        self._window = int(rate * window_s)
        self._topic = f"citynerve/v1/{gateway}/readings".encode()
        self._waiting: deque[int] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Make no more messages."""
        self._stop.set()

    def finish(self, timeout_s: float = 400.0) -> None:
        """Stop; return when the broker has acknowledged everything."""
        self.stop()
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), f"{self.gateway}: {len(self._waiting)} messages were never acknowledged"

    def _run(self) -> None:
        began = time.monotonic()
        due: Callable[[], int] = lambda: int((time.monotonic() - began) * self._rate)  # noqa: E731
        last = None
        while last is None or self.sent < last or self._waiting:
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=5) as sock:
                    self._greet(sock)
                    sock.settimeout(_PATIENCE_S)
                    self._repeat(sock)
                    while last is None or self.sent < last or self._waiting:
                        if last is None and self._stop.is_set():
                            last = due()
                        most = min(due() if last is None else last, self.sent + 500)
                        if most > self.sent and len(self._waiting) < _UNACKNOWLEDGED_MAX:
                            self._send(sock, range(self.sent, most), again=False)
                            self.sent = most
                        self._take_acknowledgements(sock)
            except OSError:
                self.reconnections += 1
                time.sleep(0.2)

    def _greet(self, sock: socket.socket) -> None:
        name = self.gateway.encode()
        body = b"\x00\x04MQTT\x04\x00" + struct.pack("!HH", 60, len(name)) + name
        sock.sendall(b"\x10" + bytes([len(body)]) + body)
        answer = b""
        while len(answer) < 4:
            if not (part := sock.recv(4 - len(answer))):
                raise OSError("closed")
            answer += part
        if answer[3]:
            raise OSError(f"refused: {answer[3]}")

    def _repeat(self, sock: socket.socket) -> None:
        if self.numbered:
            numbers = list(range(max(0, self.sent - self._window), self.sent))
            older = [number for number in self._waiting if number < self.sent - self._window]
            again = older + numbers
        else:
            again = list(self._waiting)
        self._waiting.clear()
        for start in range(0, len(again), 500):
            self._send(sock, again[start : start + 500], again=True)
            self._take_acknowledgements(sock)

    def _send(self, sock: socket.socket, numbers: "range | list[int]", *, again: bool) -> None:
        frames = []
        for number in numbers:
            body = payload(self.gateway, number, self.start_ms, numbered=self.numbered)
            frames.append(frame(self._topic, number % 65_535 + 1, body, again=again))
            self._waiting.append(number)
        sock.sendall(b"".join(frames))

    def _take_acknowledgements(self, sock: socket.socket) -> None:
        """Read what has come for a moment; the broker acknowledges in the order in which it was sent to."""
        sock.settimeout(0.02)
        try:
            data = sock.recv(65_536)
            if not data:
                raise OSError("closed")
            while len(data) % 4:
                data += sock.recv(4 - len(data) % 4)
        except TimeoutError:
            return
        finally:
            sock.settimeout(_PATIENCE_S)
        for _ in range(min(len(data) // 4, len(self._waiting))):
            self._waiting.popleft()
