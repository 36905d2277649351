"""paho's client through its public callbacks alone: slower by far, for a release of paho that we do not know."""

import select
import ssl
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from ingest.frame_client import TAKE_BYTES, ClientOptions
from ingest.intake import FLAGS, MARK, SYSTEM, Intake
from ingest.message import Message


class PlainInbox:
    """Messages of one connection until they are taken; has what `MqttSource` needs of a `FrameBuffer`."""

    has_more = False

    def __init__(self, options: ClientOptions, generation: int) -> None:
        self.generation = generation
        self.held_bytes = 0
        self._own = options
        self._messages: list[Message] = []

    @property
    def count(self) -> int:
        """Messages that `cut` will return."""
        return len(self._messages)

    def add(self, message: mqtt.MQTTMessage) -> None:
        """Take a message from paho."""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "a topic that is not UTF-8"
        retained = bool(message.retain)
        self._messages.append(
            Message(topic, bytes(message.payload), message.qos, message.mid, self.generation, retained)
        )
        self.held_bytes += len(message.payload)

    def cut(self) -> Intake:
        """Return the messages that came."""
        taken = Intake.of(self._messages, self.generation)
        for index, message in enumerate(self._messages):
            if message.topic == self._own.mark:
                taken.frames[index, FLAGS] |= MARK
            elif self._own.system and message.topic.startswith(self._own.system):
                taken.frames[index, FLAGS] |= SYSTEM
        self._messages, self.held_bytes = [], 0
        return taken


class PlainClient(mqtt.Client):
    """paho's client as it is, behind the methods that `MqttSource` calls."""

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
        self.frames = PlainInbox(options, 0)
        self.on_message = lambda _client, _data, message: self.frames.add(message)

    def renew(self, generation: int) -> None:
        """Begin a connection's messages."""
        self.frames = PlainInbox(self._own, generation)

    def receive(self, max_messages: int) -> MQTTErrorCode:
        """Let paho read packets until the socket is empty or enough is there."""
        outcome = MQTTErrorCode.MQTT_ERR_AGAIN
        while self.frames.count < max_messages and self.frames.held_bytes < TAKE_BYTES and self._readable():
            outcome = self.loop_read()
            if outcome != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return outcome
        return outcome

    def acknowledge(self, intake: Intake) -> None:
        """Acknowledge in the order of receipt."""
        for token in intake.tokens.tolist():
            self.ack(token, 1)

    def ping(self) -> None:
        """Let paho ping if it is time."""
        self.loop_misc()

    def close_socket(self) -> None:
        """Drop the connection without a goodbye: the broker redelivers what was not acknowledged."""
        sock: Any = self.socket()
        if sock is not None:
            sock.close()

    def _readable(self) -> bool:
        sock: Any = self.socket()
        if sock is None or sock.fileno() < 0:
            return False
        if isinstance(sock, ssl.SSLSocket) and sock.pending():
            return True
        return bool(select.select([sock], [], [], 0)[0])
