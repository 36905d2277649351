"""paho's client with PUBLISH frames taken whole from one buffer; everything else goes paho's way.

Reading its way (three calls of the kernel and two objects a message) would cost more than all that stands behind it.
`ingest.paho_contract` looks at what this leans on; where that has changed, `ingest.plain_client` takes over.
"""

import socket
import ssl
from dataclasses import dataclass
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from ingest.frames import FrameBuffer
from ingest.intake import Intake, pubacks

TAKE_BYTES = 2 * 1024 * 1024
"""A flush is not gathered beyond this, however large its messages are."""
_PUBACK = 0x40
_PINGREQ = b"\xc0\x00"
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """Who a client is.

    Attributes
    ----------
    mark, system : str
        A topic, and how topics begin, that are flagged: our own marks, and what the broker says of itself.
    """

    client_id: str
    mqtt5: bool = False
    mark: str = ""
    system: str = ""


class FrameClient(mqtt.Client):
    """paho's client, fed from our own buffer."""

    def __init__(self, options: ClientOptions) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            options.client_id,
            clean_session=None if options.mqtt5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if options.mqtt5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self._own = options
        self.frames = self._buffer(0)
        self._feed = memoryview(b"")

    def renew(self, generation: int) -> None:
        """Begin a connection's messages."""
        self.frames = self._buffer(generation)

    def receive(self, max_messages: int) -> MQTTErrorCode:
        """Read the socket until it is empty or enough is there; PUBLISH stays in `frames`, all else goes to paho."""
        frames = self.frames
        sock: Any = self.socket()
        if sock is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        outcome = MQTTErrorCode.MQTT_ERR_AGAIN
        while frames.room and frames.count < max_messages and frames.held_bytes < TAKE_BYTES:
            try:
                received = sock.recv_into(frames.space())
            except _NOT_NOW:
                break
            except (OSError, ValueError):
                return MQTTErrorCode.MQTT_ERR_CONN_LOST
            if not received:
                return MQTTErrorCode.MQTT_ERR_CONN_LOST
            outcome = MQTTErrorCode.MQTT_ERR_SUCCESS
            frames.received(received)
            if (rc := self._scan(max_messages)) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return rc
        if frames.has_more and outcome is MQTTErrorCode.MQTT_ERR_AGAIN:
            return self._scan(max_messages)
        return outcome

    def acknowledge(self, intake: Intake) -> None:
        """Acknowledge in the order of receipt, in one write."""
        self._packet_queue(_PUBACK, pubacks(intake.tokens), 0, 0)

    def ping(self) -> None:
        """Say that we are there."""
        self._packet_queue(_PINGREQ[0], _PINGREQ, 0, 0)

    def close_socket(self) -> None:
        """Drop the connection without a goodbye: the broker redelivers what was not acknowledged."""
        self._sock_close()

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        """Shake hands as paho does, but close what failed: paho leaves it to the garbage collector."""
        assert self._ssl_context is not None
        sock = self._ssl_context.wrap_socket(tcp_sock, server_hostname=self._host, do_handshake_on_connect=False)
        try:
            sock.settimeout(self.connect_timeout)
            sock.do_handshake()
        except BaseException:
            sock.close()
            raise
        return sock

    def _buffer(self, generation: int) -> FrameBuffer:
        own = self._own
        return FrameBuffer(generation, mqtt5=own.mqtt5, mark=own.mark.encode(), system=own.system.encode())

    def _scan(self, max_messages: int) -> MQTTErrorCode:
        try:
            others = self.frames.scan(max_messages)
        except ValueError:
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        for frame in others:
            self._feed = memoryview(frame)
            if (rc := self.loop_read()) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return rc
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self._feed:
            raise BlockingIOError
        data = bytes(self._feed[:bufsize])
        self._feed = self._feed[bufsize:]
        return data
