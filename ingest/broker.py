"""The embedded MQTT broker: amqtt in this process, made to acknowledge a device only after the append.

amqtt acknowledges a PUBLISH once it is queued in memory. Here every connection gets a handler whose messages on topics
of ours and of integrations go to the bridge first, and are acknowledged (PUBACK at QoS 1, PUBREC at QoS 2) when the
bridge says that the log has them. Nobody is read from while too much is unacknowledged, and no connection takes the
room of all.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from amqtt.errors import BrokerError
from paho.mqtt.client import topic_matches_sub

from city.errors import SettingsError
from ingest.broker_clients import AmqttBroker, GatewayHandler
from ingest.broker_options import BrokerOptions, amqtt_config, cannot_bind
from ingest.broker_share import Bucket, Share
from ingest.credentials import model
from ingest.credentials.engines.embedded import EmbeddedAccess
from ingest.intake import FLAGS, MARK, QOS, TOKEN, Intake
from ingest.message import OWN_FILTERS, Message
from ingest.metrics import IngestMetrics
from ingest.tasks import pause

__all__ = ["BrokerOptions", "EmbeddedBroker"]

logger = logging.getLogger(__name__)

_TAKE_BYTES = 2 * 1024 * 1024


@dataclass(slots=True)
class _Held:
    """A message that nobody has acknowledged yet, and who waits for that."""

    size: int
    acknowledged: "asyncio.Future[bool] | None"
    handler: GatewayHandler | None


class EmbeddedBroker:
    """An MQTT 3.1.1 broker that is its own source; see `ingest.intake.Source` for the promises."""

    def __init__(
        self,
        options: BrokerOptions | None = None,
        metrics: IngestMetrics | None = None,
        access: EmbeddedAccess | None = None,
    ) -> None:
        self._options = options or BrokerOptions()
        self.access = access or EmbeddedAccess()
        self.access.disconnect = self._disconnect
        self._buckets: dict[str, Bucket] = {}
        self._metrics = metrics or IngestMetrics()
        self._broker: AmqttBroker | None = None
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
        self.handlers: set[GatewayHandler] = set()
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

    @property
    def greeting_max(self) -> int:
        """How many from one address may be about to say it."""
        return self._options.greeting_max

    def wants(self, topic: str) -> bool:
        """Tell whether messages of a topic are ours to append."""
        return any(topic_matches_sub(name, topic) for name in self._filters)

    @property
    def shares(self) -> bool:
        return False

    @property
    def life(self) -> None:
        return None

    @property
    def generation(self) -> int:
        return self._generation

    @property
    def listening(self) -> bool:
        return monotonic() - self._started_at >= self._options.settle_s

    async def start(self) -> None:
        """Bind and listen.

        Raises
        ------
        SettingsError
            The port is taken or may not be used, or the certificate cannot be read.
        """
        options = self._options
        try:
            broker = AmqttBroker(amqtt_config(options, self.access), self)
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
                if held.handler is not None:
                    held.handler.share.give_back(held.size)
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

    def listen(self, filters: Sequence[str], unwanted: Sequence[str] = (), ordered: Sequence[str] = ()) -> None:
        self._filters = tuple(filters)

    def send(self, topic: str, payload: bytes) -> None:
        if self._broker is not None:
            self._broker.send(topic, payload)

    def mark(self, payload: bytes) -> None:
        self._inbox.append(Message("", payload, 0, 0, self._generation))
        self._arrived.set()

    def hand_over(
        self, topic: str, payload: bytes, qos: int, handler: GatewayHandler | None
    ) -> "asyncio.Future[bool] | None":
        """Take a message from a client; the future says whether it may be acknowledged. None at QoS 0."""
        self._token += 1
        waiter = asyncio.get_running_loop().create_future() if qos else None
        self._held[self._token] = _Held(len(payload), waiter, handler)
        self._held_bytes += len(payload)
        if handler is not None:
            handler.share.take(len(payload))
        self._inbox.append(Message(topic, payload, qos, self._token, self._generation))
        self._arrived.set()
        self._open_or_shut()
        return waiter

    async def wait_for_room(self) -> None:
        """Return when more may be read from clients."""
        await self._room.wait()

    def share_of(self, login: str) -> Share:
        """Return what a new connection of a login may take; all connections of one credential share its rate."""
        options = self._options
        bucket = None
        if options.rate and login and not login.startswith(model.OUR_PREFIX):
            bucket = self._buckets.setdefault(login, Bucket(options.rate, options.rate * options.burst_s))
        return Share(
            max(1, int(options.held_messages_max * options.held_share)),
            max(1, int(options.held_bytes_max * options.held_share)),
            bucket,
        )

    async def _disconnect(self, logins: frozenset[str]) -> None:
        """End connections and sessions of logins that may no longer do what they did."""
        for login in logins:
            self._buckets.pop(login, None)
        if self._broker is not None:
            await self._broker.end_sessions(logins)

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
            if held.handler is not None:
                held.handler.share.give_back(held.size)
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
