"""Amqtt's broker and its connections as the embedded broker has them: who is let in, what is read, what waits.

`tests/ingest/test_amqtt_contract.py` fails loudly when a release of amqtt changes what this leans on.
"""

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING, Any

from amqtt.adapters import ReaderAdapter, WriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.errors import AMQTTError, MQTTError, NoDataError, ProtocolHandlerError
from amqtt.mqtt.connack import NOT_AUTHORIZED, SERVER_UNAVAILABLE, ConnackPacket
from amqtt.mqtt.disconnect import DisconnectPacket
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.mqtt.puback import PubackPacket
from amqtt.mqtt.publish import PublishPacket
from amqtt.mqtt.subscribe import SubscribePacket
from amqtt.mqtt.unsubscribe import UnsubscribePacket
from amqtt.session import Session

from ingest.broker_share import Share
from ingest.credentials import model
from ingest.credentials.engines.embedded import BUSY, LOGIN

if TYPE_CHECKING:
    from ingest.broker import EmbeddedBroker

logger = logging.getLogger(__name__)

_PACKET_BYTES_MAX = 1024 * 1024
_FILTERS_MAX = 100
"""In one SUBSCRIBE or UNSUBSCRIBE: amqtt takes each by itself, and everybody waits."""
_READS_IN_A_ROW = 48
_FAREWELL_S = 5.0


class AmqttBroker(Broker):  # type: ignore[misc]
    """amqtt's broker with our handler for each connection, and nobody near a session before he is known."""

    def __init__(self, config: BrokerConfig, embedded: "EmbeddedBroker") -> None:
        super().__init__(config)
        self._embedded = embedded
        self._greeting: dict[asyncio.Task[None], str] = {}
        """Connections that have not said who they are, and from where."""

    def send(self, topic: str, payload: bytes) -> None:
        """Publish a message of our own to whoever subscribes."""
        self._broadcast_queue.put_nowait({"session": None, "topic": topic, "data": payload, "qos": 0})

    async def end_sessions(self, logins: frozenset[str]) -> None:
        """End the connections of logins, and forget what they had subscribed to."""
        for client_id, (session, handler) in list(self._sessions.items()):
            if session.attributes.get(LOGIN) in logins:
                await handler.handle_connection_closed()
                await self._delete_session(client_id)

    async def _client_connected(self, listener_name: str, reader: ReaderAdapter, writer: WriterAdapter) -> None:
        """Serve a client; amqtt forgets some connections without closing them, so that is done here."""
        task = asyncio.current_task()
        assert task is not None
        self._embedded.connections.add(task)
        address = str((writer.get_peer_info() or ("",))[0])
        try:
            # Whoever connects and says nothing would take the places of all.
            if list(self._greeting.values()).count(address) >= self._embedded.greeting_max:
                self._embedded.access.refuse("connection")
                return
            self._greeting[task] = address
            await super()._client_connected(listener_name, reader, writer)
        finally:
            self._greeting.pop(task, None)
            self._embedded.connections.discard(task)
            writer._writer.close()

    async def _initialize_client_session(
        self, reader: ReaderAdapter, writer: WriterAdapter, *_: Any
    ) -> tuple["GatewayHandler", Session]:
        """Take a client's greeting, within its time and size, and let it in; then find its session.

        amqtt looks for the session first: whoever named another's client id could end it without any password.
        """
        try:
            async with asyncio.timeout(self._embedded.greeting_s):
                _, session = await BrokerProtocolHandler.init_from_connect(
                    _BoundedReader(reader), writer, self.plugins_manager
                )
            known = await super()._authenticate(session, self.listeners_config["default"])
        except (AMQTTError, MQTTError, NoDataError):
            raise
        except Exception as exc:
            # Whatever its decoder stumbled over: amqtt would count the connection for ever.
            raise MQTTError(f"no CONNECT of an MQTT client: {exc!r}") from exc
        finally:
            task = asyncio.current_task()
            if task is not None:
                self._greeting.pop(task, None)
        if not known:
            busy = session.attributes.get(BUSY, False)
            await ConnackPacket.build(0, SERVER_UNAVAILABLE if busy else NOT_AUTHORIZED).to_stream(writer)
            raise MQTTError("too many passwords wait to be compared" if busy else "not authorized")
        session.client_id = _client_id(session)
        return GatewayHandler(self, self._embedded), await self._session_of(session)

    async def _session_of(self, fresh: Session) -> Session:
        """Return the client's kept session, or the fresh one; its connection before this one ends."""
        kept, handler = self._sessions.get(fresh.client_id, (None, None))
        if handler is not None and handler in self._embedded.handlers:
            await handler.handle_connection_closed()
            deadline = monotonic() + _FAREWELL_S
            while handler in self._embedded.handlers and monotonic() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        if kept is None or fresh.clean_session:
            await self._delete_session(fresh.client_id)
            fresh.parent = 0
            return fresh
        for name in ("will_flag", "will_message", "will_topic", "will_qos", "will_retain", "keep_alive", "attributes"):
            setattr(kept, name, getattr(fresh, name))
        kept.parent = 1
        return kept

    async def _authenticate(self, session: Session, _: ListenerConfig) -> bool:
        """Everybody who has a session was let in before."""
        return LOGIN in session.attributes

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        """Send what is retained to whoever subscribed to it; amqtt would send it to everyone who connects."""
        subscribers = self._subscriptions.get(subscription[0], ())
        if any(subscriber.client_id == session.client_id for subscriber, _ in subscribers):
            await super()._publish_retained_messages_for_subscription(subscription, session)

    async def _handle_disconnect(self, client_session: Session, handler: Any, disconnect_waiter: Any) -> None:
        """Hand a last will to the bridge before amqtt delivers it to subscribers."""
        session = client_session
        abnormal = not isinstance(disconnect_waiter.result(), DisconnectPacket)
        if abnormal and session.will_flag:
            topic = str(session.will_topic)
            if not self._embedded.access.may(session.attributes.get(LOGIN, ""), topic, publish=True):
                self._embedded.access.refuse("message")
                session.will_flag = False
            elif self._embedded.wants(topic):
                self._embedded.hand_over(topic, bytes(session.will_message or b""), 0, None)
        await super()._handle_disconnect(client_session, handler, disconnect_waiter)

    async def _client_message_loop(self, client_session: Session, handler: Any) -> None:
        self._embedded.handlers.add(handler)
        if not self._embedded.access.knows(client_session.attributes.get(LOGIN, "")):
            # Revoked between its greeting and now.
            await handler.handle_connection_closed()
        try:
            await super()._client_message_loop(client_session, handler)
        finally:
            self._embedded.handlers.discard(handler)


def _client_id(session: Session) -> str:
    """Return the id under which a client's session is kept: nobody takes another's by naming it.

    A credential has one connection, whatever it calls itself; citynerve's own processes and who came without a name
    are told apart by what they call themselves.
    """
    login = session.attributes[LOGIN]
    if not login:
        return f"?{session.client_id}"
    return f"{login}/{session.client_id}" if login.startswith(model.OUR_PREFIX) else f"={login}"


def _is_state(topic: str) -> bool:
    """Tell whether a topic is that of a gateway's state, or of a Sparkplug host's."""
    levels = topic.split("/")
    return levels[-1] == "state" or "STATE" in levels[:2]


class GatewayHandler(BrokerProtocolHandler):  # type: ignore[misc]
    """One connection; what it publishes on topics that ingest wants waits for the append."""

    def __init__(self, broker: AmqttBroker, embedded: "EmbeddedBroker") -> None:
        super().__init__(broker.plugins_manager, loop=broker._loop)
        self._amqtt = broker
        self._embedded = embedded
        self._gate: _GatedReader | None = None
        self._silence_s = 0.0
        self._login = ""
        self._refused = False
        self.share = embedded.share_of("")

    def attach(self, session: Session, reader: ReaderAdapter, writer: WriterAdapter) -> None:
        # amqtt's own timer would cancel a read in the middle of a packet; ours closes the connection instead.
        self._silence_s = session.keep_alive * 1.5
        session.keep_alive = 0
        self._login = session.attributes.get(LOGIN, "")
        self.share = self._embedded.share_of(self._login)
        self._gate = _GatedReader(reader, self._embedded, self.share)
        super().attach(session, self._gate, writer)

    def silent_since(self, now: float) -> bool:
        """Tell whether the client has broken its keep-alive."""
        gate = self._gate
        return bool(self._silence_s) and gate is not None and gate.silence_s(now) > self._silence_s

    async def handle_subscribe(self, subscribe: SubscribePacket) -> None:
        if await self._may_ask(subscribe):
            await super().handle_subscribe(subscribe)

    async def handle_unsubscribe(self, unsubscribe: UnsubscribePacket) -> None:
        if await self._may_ask(unsubscribe):
            await super().handle_unsubscribe(unsubscribe)

    async def _may_ask(self, packet: SubscribePacket | UnsubscribePacket) -> bool:
        """Let a client pay for each filter as for a message; whoever sends more than anybody needs is let go."""
        filters = len(packet.payload.topics) if packet.payload is not None else 0
        if filters > _FILTERS_MAX:
            self._embedded.access.refuse("subscription")
            logger.warning(
                "an MQTT client sends too many topic filters at once: its connection ends",
                extra={"login": self._login, "filters": filters, "most": _FILTERS_MAX},
            )
            await self.handle_connection_closed()
            return False
        if self.share.bucket is not None:
            for _ in range(filters):
                self.share.bucket.spend(monotonic())
        return True

    async def handle_publish(self, publish_packet: PublishPacket) -> None:
        topic, payload, qos = publish_packet.topic_name, publish_packet.data, publish_packet.qos
        if self.share.bucket is not None:
            self.share.bucket.spend(monotonic())
        allowed = bool(topic) and self._embedded.access.may(self._login, topic, publish=True)
        if not allowed:
            self._tell_refusal(topic or "")
        if qos < 2 and topic and not allowed:
            # MQTT 3.1.1 has no word for it: unacknowledged, the client would send it for ever.
            self._embedded.access.refuse("message")
            await self._acknowledge(publish_packet)
            return
        if topic and not _is_state(topic):
            # Whatever else was kept for those who come later would fill this process's memory.
            publish_packet.retain_flag = False
        if not allowed or payload is None or not self._embedded.wants(topic):
            await super().handle_publish(publish_packet)
            return
        waiter = self._embedded.hand_over(topic, bytes(payload), qos, self)
        if waiter is not None and not await waiter:
            return
        if qos == 2 or publish_packet.retain_flag or self._amqtt.subscriptions:
            await super().handle_publish(publish_packet)
        else:
            await self._acknowledge(publish_packet)

    async def _acknowledge(self, publish_packet: PublishPacket) -> None:
        if publish_packet.qos != 1:
            return
        try:
            await self._send_packet(PubackPacket.build(publish_packet.variable_header.packet_id))
        except ProtocolHandlerError:
            # amqtt's word for a connection that ended meanwhile: the client sends the message again.
            logger.debug("an acknowledgement went down with its connection")

    def _tell_refusal(self, topic: str) -> None:
        """Say it once a connection; every one is counted."""
        if not self._refused:
            self._refused = True
            logger.warning(
                "an MQTT client may not publish where it does", extra={"login": self._login, "topic": topic[:200]}
            )


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
    """Reads a client only while there is room, for all and in its own share."""

    def __init__(self, reader: ReaderAdapter, embedded: "EmbeddedBroker", share: Share) -> None:
        super().__init__(reader)
        self._embedded = embedded
        self._share = share
        self._reads = 0
        self._waits = False
        self._heard_at = monotonic()

    def silence_s(self, now: float) -> float:
        """Return for how long nothing came; 0 while we do not listen."""
        return 0.0 if self._waits else now - self._heard_at

    async def read(self, n: int = -1) -> bytes:
        self._reads += 1
        if self._reads % _READS_IN_A_ROW == 0:
            # Reading what is buffered never yields, and the tasks of the packets before would not run to fill the room.
            await asyncio.sleep(0)
        self._waits = True
        await self._embedded.wait_for_room()
        held_back_s = await self._share.wait()
        if held_back_s:
            self._embedded.access.held_back(held_back_s)
        self._waits = False
        self._heard_at = monotonic()
        data = await super().read(n)
        self._heard_at = monotonic()
        return data
