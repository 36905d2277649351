"""The broker's own pace: a subscriber on a raw socket that counts and acknowledges messages, and does nothing else."""

import argparse
import socket
import struct

from bench.measure import Meter
from ingest.frames import FrameBuffer
from ingest.intake import pubacks


def subscribe(port: int, qos: int) -> socket.socket:
    """Return a connection that has subscribed."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03raw")
    sock.recv(4, socket.MSG_WAITALL)
    name = b"citynerve/v1/+/readings"
    body = b"\x00\x01" + struct.pack("!H", len(name)) + name + bytes([qos])
    sock.sendall(b"\x82" + bytes([len(body)]) + body)
    sock.recv(5, socket.MSG_WAITALL)
    return sock


def run(port: int, count: int, qos: int) -> None:
    """Read until all messages have come, or (QoS 0) nothing more does."""
    frames = FrameBuffer(1)
    frames.scan(1)  # loads the kernel
    sock = subscribe(port, qos)
    sock.settimeout(0.5)
    meter = Meter(count)
    meter.ready()
    while not meter.done():
        try:
            frames.received(sock.recv_into(frames.space()))
        except TimeoutError:
            continue
        frames.scan(1_000_000)
        intake = frames.cut()
        if len(intake.tokens):
            sock.sendall(pubacks(intake.tokens))
        meter.add(len(intake))
    meter.report()
    sock.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("port", "count", "qos"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    run(given.port, given.count, given.qos)
