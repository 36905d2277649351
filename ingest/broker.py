"""The embedded MQTT broker: amqtt in this process, made to acknowledge a device only after the append.

amqtt acknowledges a PUBLISH once it is queued in memory. Here every connection gets a handler whose messages on topics
of ours and of integrations go to the bridge first, and are acknowledged (PUBACK at QoS 1, PUBREC at QoS 2) when the
bridge says that the log has them. Nobody is read from while too much is unacknowledged.
`tests/ingest/test_amqtt_contract.py` fails loudly when a release of amqtt changes what this leans on.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from amqtt.adapters import ReaderAdapter, WriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig
from amqtt.errors import AMQTTError, BrokerError, MQTTError, NoDataError, ProtocolHandlerError
from amqtt.mqtt.disconnect import DisconnectPacket
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.mqtt.puback import PubackPacket
from amqtt.mqtt.publish import PublishPacket
from amqtt.session import Session
from paho.mqtt.client import topic_matches_sub

from city.errors import SettingsError
from ingest.broker_options import BrokerOptions, amqtt_config, cannot_bind
from ingest.intake import FLAGS, MARK, QOS, TOKEN, Intake
from ingest.message import OWN_FILTERS, Message
from ingest.metrics import IngestMetrics
from ingest.tasks import pause

__all__ = ["BrokerOptions", "EmbeddedBroker"]

logger = logging.getLogger(__name__)

_PACKET_BYTES_MAX = 1024 * 1024
_READS_IN_A_ROW = 48
_TAKE_BYTES = 2 * 1024 * 1024


@dataclass(slots=True)
class _Held:
    """A message that nobody has acknowledged yet, and who waits for that."""

    size: int
    acknowledged: "asyncio.Future[bool] | None"
    handler: "_GatewayHandler | None"


class EmbeddedBroker:
    """An MQTT 3.1.1 broker that is its own source; see `ingest.intake.Source` for the promises."""

    def __init__(self, options: BrokerOptions | None = None, metrics: IngestMetrics | None = None) -> None:
        self._options = options or BrokerOptions()
        self._metrics = metrics or IngestMetrics()
        self._broker: _Broker | None = None
        self._started_at = float("inf")
        self._inbox: deque[Message] = deque()
        self._arrived = asyncio.Event()
        self._held: dict[int, _Held] = {}
        self._held_bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        self._token = 0
        self._generation = 1
        self._filters: tuple[str, ...] = OWN_FILTERS
        self.handlers: set[_GatewayHandler] = set()
        self.connections: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port that clients connect to, once started."""
        assert self._broker is not None
        sockets = self._broker._servers["default"].instance.sockets
        return int(sockets[0].getsockname()[1])

    @property
    def greeting_s(self) -> float:
        """How long a client may take to say who it is."""
        return self._options.greeting_s

    def wants(self, topic: str) -> bool:
        """Tell whether messages of a topic are ours to append."""
        return any(topic_matches_sub(name, topic) for name in self._filters)

    @property
    def listening(self) -> bool:
        return monotonic() - self._started_at >= self._options.settle_s

    async def start(self) -> None:
        """Bind and listen.

        Raises
        ------
        SettingsError
            The port is taken or may not be used, or nobody could ever sign in.
        """
        options = self._options
        try:
            broker = _Broker(amqtt_config(options), self)
            await broker.start()
        except BrokerError as exc:
            raise SettingsError(cannot_bind(options, exc.__cause__)) from exc
        self._broker = broker
        self._started_at = monotonic()

    async def run(self, stop: asyncio.Event) -> None:
        if self._broker is None:
            await self.start()
        assert self._broker is not None
        try:
            while not stop.is_set():
                await pause(stop, 1.0)
                await self._drop_the_silent()
        finally:
            self._started_at = float("inf")
            await self._release_all()
            await self._broker.shutdown()
            self._broker = None
            await self._end_connections()

    async def take(self, *, max_messages: int, wait_s: float, gather_s: float) -> Intake:
        if not self._inbox:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), wait_s)
            except TimeoutError:
                return Intake.empty(self._generation)
        if len(self._inbox) < max_messages:
            await asyncio.sleep(gather_s)
        taken: list[Message] = []
        size = 0
        while self._inbox and len(taken) < max_messages and size < _TAKE_BYTES:
            taken.append(self._inbox.popleft())
            size += len(taken[-1].payload)
        return Intake.of(taken, self._generation)

    def acknowledge(self, intake: Intake) -> None:
        stale = 0
        for token, flags in intake.frames[:, TOKEN : FLAGS + 1].tolist():
            held = None if flags & MARK else self._held.pop(token, None)
            if held is not None:
                self._held_bytes -= held.size
                if held.acknowledged is not None and not held.acknowledged.done():
                    held.acknowledged.set_result(True)
            elif flags & QOS:
                stale += 1
        if stale:
            self._metrics.stale_acknowledgements.inc(stale)
        self._open_or_shut()

    async def reconnect(self) -> None:
        self._metrics.reconnects.inc()
        await self._release_all()

    def listen(self, filters: Sequence[str]) -> None:
        self._filters = tuple(filters)

    def send(self, topic: str, payload: bytes) -> None:
        if self._broker is not None:
            self._broker.send(topic, payload)

    def mark(self, payload: bytes) -> None:
        self._inbox.append(Message("", payload, 0, 0, self._generation))
        self._arrived.set()

    def hand_over(
        self, topic: str, payload: bytes, qos: int, handler: "_GatewayHandler | None"
    ) -> "asyncio.Future[bool] | None":
        """Take a message from a client; the future says whether it may be acknowledged. None at QoS 0."""
        self._token += 1
        waiter = asyncio.get_running_loop().create_future() if qos else None
        self._held[self._token] = _Held(len(payload), waiter, handler)
        self._held_bytes += len(payload)
        self._inbox.append(Message(topic, payload, qos, self._token, self._generation))
        self._arrived.set()
        self._open_or_shut()
        return waiter

    async def wait_for_room(self) -> None:
        """Return when more may be read from clients."""
        await self._room.wait()

    def _open_or_shut(self) -> None:
        options = self._options
        if len(self._held) < options.held_messages_max and self._held_bytes < options.held_bytes_max:
            self._room.set()
        else:
            self._room.clear()

    async def _release_all(self) -> None:
        """Forget what is unacknowledged and close the connections that it came from: devices send it again."""
        self._generation += 1
        kept = [message for message in self._inbox if message.qos == 0 and message.topic]
        self._inbox = deque(kept)
        tokens = {message.token for message in kept}
        dropped = [held for token, held in self._held.items() if token not in tokens]
        self._held = {token: held for token, held in self._held.items() if token in tokens}
        self._held_bytes = sum(held.size for held in self._held.values())
        for held in dropped:
            if held.acknowledged is not None and not held.acknowledged.done():
                held.acknowledged.set_result(False)
        for handler in {held.handler for held in dropped if held.handler is not None}:
            await handler.handle_connection_closed()
        self._open_or_shut()

    async def _end_connections(self) -> None:
        """End what amqtt's shutdown leaves behind."""
        tasks = list(self.connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def _drop_the_silent(self) -> None:
        """Close connections that have kept quiet for longer than they promised, so that their wills are heard."""
        if not self._room.is_set():
            return
        now = monotonic()
        for handler in [h for h in self.handlers if h.silent_since(now)]:
            logger.info("an MQTT client fell silent, connection closed")
            await handler.handle_connection_closed()


class _Broker(Broker):  # type: ignore[misc]
    """amqtt's broker with our handler for each connection."""

    def __init__(self, config: BrokerConfig, embedded: EmbeddedBroker) -> None:
        super().__init__(config)
        self._embedded = embedded

    def send(self, topic: str, payload: bytes) -> None:
        """Publish a message of our own to whoever subscribes."""
        self._broadcast_queue.put_nowait({"session": None, "topic": topic, "data": payload, "qos": 0})

    async def _client_connected(self, listener_name: str, reader: ReaderAdapter, writer: WriterAdapter) -> None:
        """Serve a client; amqtt forgets some connections without closing them, so that is done here."""
        task = asyncio.current_task()
        assert task is not None
        self._embedded.connections.add(task)
        try:
            await super()._client_connected(listener_name, reader, writer)
        finally:
            self._embedded.connections.discard(task)
            writer._writer.close()

    async def _initialize_client_session(
        self, reader: ReaderAdapter, *others: Any
    ) -> tuple["_GatewayHandler", Session]:
        """Take a client's greeting, within its time and size."""
        try:
            async with asyncio.timeout(self._embedded.greeting_s):
                _, session = await super()._initialize_client_session(_BoundedReader(reader), *others)
        except (AMQTTError, MQTTError, NoDataError):
            raise
        except Exception as exc:
            # Whatever its decoder stumbled over: amqtt would count the connection for ever.
            raise MQTTError(f"no CONNECT of an MQTT client: {exc!r}") from exc
        return _GatewayHandler(self, self._embedded), session

    async def _handle_disconnect(self, client_session: Session, handler: Any, disconnect_waiter: Any) -> None:
        """Hand a last will to the bridge before amqtt delivers it to subscribers."""
        session = client_session
        abnormal = not isinstance(disconnect_waiter.result(), DisconnectPacket)
        if abnormal and session.will_flag and self._embedded.wants(str(session.will_topic)):
            self._embedded.hand_over(session.will_topic, bytes(session.will_message or b""), 0, None)
        await super()._handle_disconnect(client_session, handler, disconnect_waiter)

    async def _client_message_loop(self, client_session: Session, handler: Any) -> None:
        self._embedded.handlers.add(handler)
        try:
            await super()._client_message_loop(client_session, handler)
        finally:
            self._embedded.handlers.discard(handler)


class _GatewayHandler(BrokerProtocolHandler):  # type: ignore[misc]
    """One connection; what it publishes under our prefix waits for the append."""

    def __init__(self, broker: _Broker, embedded: EmbeddedBroker) -> None:
        super().__init__(broker.plugins_manager, loop=broker._loop)
        self._amqtt = broker
        self._embedded = embedded
        self._gate: _GatedReader | None = None
        self._silence_s = 0.0

    def attach(self, session: Session, reader: ReaderAdapter, writer: WriterAdapter) -> None:
        # amqtt's own timer would cancel a read in the middle of a packet; ours closes the connection instead.
        self._silence_s = session.keep_alive * 1.5
        session.keep_alive = 0
        self._gate = _GatedReader(reader, self._embedded)
        super().attach(session, self._gate, writer)

    def silent_since(self, now: float) -> bool:
        """Tell whether the client has broken its keep-alive."""
        return bool(self._silence_s) and self._gate is not None and now - self._gate.heard_at > self._silence_s

    async def handle_publish(self, publish_packet: PublishPacket) -> None:
        topic, payload, qos = publish_packet.topic_name, publish_packet.data, publish_packet.qos
        if not topic or payload is None or not self._embedded.wants(topic):
            await super().handle_publish(publish_packet)
            return
        waiter = self._embedded.hand_over(topic, bytes(payload), qos, self)
        if waiter is not None and not await waiter:
            return
        if qos == 2 or publish_packet.retain_flag or self._amqtt.subscriptions:
            await super().handle_publish(publish_packet)
        elif qos == 1:
            try:
                await self._send_packet(PubackPacket.build(publish_packet.variable_header.packet_id))
            except ProtocolHandlerError:
                # amqtt's word for a connection that ended meanwhile: the client sends the message again.
                logger.debug("an acknowledgement went down with its connection")


class _BoundedReader(ReaderAdapter):  # type: ignore[misc]
    """Reads never a packet that could not be one of ours."""

    def __init__(self, reader: ReaderAdapter) -> None:
        self._reader = reader

    async def read(self, n: int = -1) -> bytes:
        if n > _PACKET_BYTES_MAX:
            raise ValueError(f"a packet of {n} bytes: send fewer readings a message")
        data: bytes = await self._reader.read(n)
        return data

    def feed_eof(self) -> None:
        self._reader.feed_eof()


class _GatedReader(_BoundedReader):
    """Reads a client only while there is room."""

    def __init__(self, reader: ReaderAdapter, embedded: EmbeddedBroker) -> None:
        super().__init__(reader)
        self._embedded = embedded
        self._reads = 0
        self.heard_at = monotonic()

    async def read(self, n: int = -1) -> bytes:
        self._reads += 1
        if self._reads % _READS_IN_A_ROW == 0:
            # Reading what is buffered never yields, and the tasks of the packets before would not run to fill the room.
            await asyncio.sleep(0)
        await self._embedded.wait_for_room()
        data = await super().read(n)
        self.heard_at = monotonic()
        return data
