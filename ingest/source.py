"""The MQTT source: paho-mqtt as the client, which keeps the session, the subscriptions and the pings.

The socket is left alone for some milliseconds between reads so that batches form, and acknowledgements go out in one
write after the append; `ingest.frame_client` cuts the messages out of what was read.
"""

import asyncio
import logging
import ssl
import uuid
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

import numpy as np
from paho.mqtt import client as mqtt
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from city.errors import SettingsError
from city.topics import is_name
from ingest.address import parse_url
from ingest.broker_life import BrokerLife
from ingest.frame_client import TAKE_BYTES
from ingest.intake import (
    FLAGS,
    MARK,
    PAYLOAD_END,
    PAYLOAD_START,
    SYSTEM,
    TOPIC_END,
    TOPIC_START,
    Intake,
)
from ingest.metrics import IngestMetrics
from ingest.mqtt_session import MqttOptions, new_client, open_session, say_goodbye
from ingest.subscriptions import Subscriptions

logger = logging.getLogger(__name__)

_SYSTEM = "$SYS/"
_DROPPED = "$SYS/broker/publish/messages/dropped"
"""Where Mosquitto tells how many messages it threw away because a queue was full."""
_UPTIME = "$SYS/broker/uptime"
_CLOSED = (MQTTErrorCode.MQTT_ERR_CONN_LOST, MQTTErrorCode.MQTT_ERR_NO_CONN)
_FAREWELL = b"farewell"
"""The mark behind everything that the broker had dealt to a session when it left a shared subscription."""
_FAREWELL_S = 0.2
_SOON_S = 2.0
"""A connection that the broker ends sooner than this was probably taken over."""


class MqttSource:
    """One persistent session on a broker; see `ingest.intake.Source` for the promises.

    Parameters
    ----------
    over : bool
        The session is of a process that is gone: it is entered once, emptied by `withdraw`, and ended.
    """

    def __init__(self, options: MqttOptions, metrics: IngestMetrics | None = None, *, over: bool = False) -> None:
        self._options = options
        self._over = over
        self._farewell = asyncio.Event()
        self._metrics = metrics or IngestMetrics()
        self._address = parse_url(options.url)
        if not is_name(options.client_id):
            raise SettingsError(f"MQTT client id {options.client_id[:80]!r}: use up to 64 letters, digits, '-' or '_'")
        self._mark_topic = f"citynerve/ingest/{options.client_id}"
        self._mark_nonce = uuid.uuid4().bytes
        self._subscriptions = Subscriptions(options.share, [self._mark_topic], [_DROPPED, _UPTIME])
        self._client = new_client(options, self._mark_topic, _SYSTEM)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_unsubscribe = self._on_unsubscribe
        self._generation = 0
        self._changed = asyncio.Event()
        self._lost = asyncio.Event()
        self._lost.set()
        self._readable: asyncio.Future[None] | None = None
        self._heard_at = 0.0
        self._connected_at = 0.0
        self.life = BrokerLife()
        self._unread = False

    @property
    def shares(self) -> bool:
        return bool(self._options.share)

    @property
    def broker(self) -> str:
        """Where the broker is."""
        return f"{self._address.host}:{self._address.port}"

    @property
    def session(self) -> tuple[str, str]:
        """The client id under which the broker keeps the session, and the name of the shared subscription or none."""
        return self._options.client_id, self._options.share

    def of_gone(self, client_id: str, share: str) -> "MqttSource":
        """Return a source of what the broker keeps for a process that is gone."""
        return MqttSource(replace(self._options, client_id=client_id, share=share), over=True)

    @property
    def generation(self) -> int:
        return self._generation

    @property
    def listening(self) -> bool:
        return self._subscriptions.complete

    async def take(self, *, max_messages: int, wait_s: float, gather_s: float) -> Intake:
        deadline = monotonic() + wait_s
        while True:
            if not await self._await_bytes(deadline - monotonic()):
                return Intake.empty(self._generation)
            frames = self._client.frames
            self._read(max_messages)
            if frames.count:
                break
        # More may come while the flush before is on its way: read on in bursts, never byte by byte.
        deadline = monotonic() + gather_s
        while frames.count < max_messages and frames.held_bytes < TAKE_BYTES and (left := deadline - monotonic()) > 0:
            await asyncio.sleep(min(self._options.pause_s, left))
            if self._client.frames is not frames or self._lost.is_set():
                break
            self._read(max_messages)
        return self._own(frames.cut())

    def acknowledge(self, intake: Intake) -> None:
        tokens = intake.tokens
        if not len(tokens):
            return
        if intake.generation != self._generation:
            self._metrics.stale_acknowledgements.inc(len(tokens))
        elif not self._lost.is_set():
            self._client.acknowledge(intake)

    async def reconnect(self) -> None:
        self._drop("asked to")

    def listen(self, filters: Sequence[str], unwanted: Sequence[str] = (), ordered: Sequence[str] = ()) -> None:
        self._subscriptions.listen(self._client, filters, unwanted, ordered)

    def leave_shares(self, names: Sequence[str]) -> None:
        """Leave shared subscriptions of other names at every connection from the next one on."""
        self._subscriptions.former = tuple(names)

    async def withdraw(self, enough: asyncio.Event) -> bool:
        """Leave our part of a shared subscription to the others, and wait until `take` gave all that we had of it.

        Returns
        -------
        bool
            False where that was not done before `enough` was set: the rest waits in the session.
        """
        self._subscriptions.withdraw(self._client, wholly=self._over)
        while not self._farewell.is_set() and not enough.is_set():
            if self._subscriptions.withdrawn:
                self.mark(_FAREWELL)
            elif self._over and self._generation and self._lost.is_set():
                break
            await _wait(self._farewell, _FAREWELL_S, enough)
        return self._farewell.is_set()

    def send(self, topic: str, payload: bytes) -> None:
        if self._subscriptions.complete:
            self._client.publish(topic, payload)

    def mark(self, payload: bytes) -> None:
        if self._subscriptions.complete:
            self._client.publish(self._mark_topic, self._mark_nonce + payload, qos=1)

    async def run(self, stop: asyncio.Event) -> None:
        backoff_s = 0.1
        while not stop.is_set():
            if await self._connect():
                connected_at = monotonic()
                await self._stay_connected(stop)
                if self._over:
                    # Whoever comes back to its session has it: it is not taken a second time.
                    break
                if monotonic() - connected_at > self._options.backoff_s_max:
                    backoff_s = 0.1
            if not stop.is_set():
                await _wait(stop, backoff_s)
                backoff_s = min(backoff_s * 2, self._options.backoff_s_max)
        self._leave()

    async def _connect(self) -> bool:
        """Open the connection; the broker's answer comes through `take`."""
        host, port = self._address.host, self._address.port
        try:
            await asyncio.to_thread(open_session, self._client, self._options)
        except (OSError, ValueError) as exc:
            logger.warning(
                "cannot reach the MQTT broker, trying again",
                extra={"host": host, "port": port, "reason": str(exc)[:200]},
            )
            return False
        self._generation += 1
        self._client.renew(self._generation)
        self._heard_at = self._connected_at = monotonic()
        self._lost.clear()
        self._changed.set()
        return True

    async def _stay_connected(self, stop: asyncio.Event) -> None:
        """Ping, and watch for silence, until the connection is lost."""
        pinged_at = monotonic()
        while not stop.is_set() and not self._lost.is_set():
            await _wait(self._lost, 0.5, stop)
            now = monotonic()
            if self._lost.is_set():
                break
            if now - pinged_at > self._options.keepalive_s / 2:
                self._client.ping()
                pinged_at = now
            # Held back by the log we do not read, so silence means nothing then.
            if self._readable is not None and now - self._heard_at > self._options.keepalive_s * 1.5:
                self._drop("it fell silent")

    def _leave(self) -> None:
        """Say goodbye; the broker keeps the session and what is not acknowledged, unless it is over and empty."""
        self._subscriptions.forget()
        self._wake()
        say_goodbye(self._client, self._options, end=self._over and self._farewell.is_set())
        self._client.close_socket()
        self._lost.set()
        self._changed.set()

    async def _await_bytes(self, timeout_s: float) -> bool:
        """Wait until the socket has something to read, without watching it any longer than that."""
        if self._unread:
            return True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while self._lost.is_set():
            self._changed.clear()
            if (left := deadline - loop.time()) <= 0:
                return False
            await _wait(self._changed, left)
        sock = self._client.socket()
        if sock is None:
            return False
        if isinstance(sock, ssl.SSLSocket) and sock.pending():
            # Already deciphered: the kernel will not tell of it.
            return True
        self._readable = loop.create_future()
        loop.add_reader(sock, _resolve, self._readable)
        try:
            while not self._readable.done() and (left := deadline - loop.time()) > 0:
                pause = 0.01 if self._flush_writes() else left
                await asyncio.wait([self._readable], timeout=min(left, pause))
            return self._readable.done() and not self._lost.is_set()
        finally:
            if sock.fileno() >= 0:
                loop.remove_reader(sock)
            self._readable = None

    def _read(self, max_messages: int) -> None:
        """Read what is there into the client's buffer of frames."""
        if self._lost.is_set():
            return
        outcome = self._client.receive(max_messages)
        self._flush_writes()
        if outcome is MQTTErrorCode.MQTT_ERR_PROTOCOL:
            self._drop("what came is no MQTT, or a message of QoS 2, for which only another client can have asked")
            return
        if outcome in _CLOSED:
            soon = monotonic() - self._connected_at < _SOON_S
            hint = f" at once: does another client call itself {self._options.client_id}?" if soon else ""
            self._drop(f"the broker closed the connection{hint}")
            return
        self._unread = self._client.frames.has_more
        if outcome is MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._heard_at = monotonic()

    def _own(self, intake: Intake) -> Intake:
        """Take out what was meant for us alone, and return marks under the empty topic."""
        flags = intake.frames[:, FLAGS]
        if not (flags & (MARK | SYSTEM)).any():
            return intake
        for index in np.flatnonzero(flags & SYSTEM).tolist():
            self._take_system(intake.topic(index), intake.payload(index))
        for index in np.flatnonzero(flags & MARK).tolist():
            row = intake.frames[index]
            # A mark of an earlier process has nothing left to say.
            ours = intake.payload(index).startswith(self._mark_nonce)
            if intake.payload(index) == self._mark_nonce + _FAREWELL:
                self._farewell.set()
            row[TOPIC_END] = row[TOPIC_START]
            row[PAYLOAD_START] = row[PAYLOAD_START] + len(self._mark_nonce) if ours else row[PAYLOAD_END]
        return intake.select((flags & SYSTEM) == 0)

    def _take_system(self, topic: str, payload: bytes) -> None:
        """Take what the broker says of itself: how much it threw away, and how long it has lived."""
        number = payload.split(b" ")[0]
        if not number.isdigit() or len(number) > 15:
            return
        if topic == _DROPPED:
            self._metrics.tell_dropped(int(number))
        elif topic == _UPTIME and self.life.lived(int(number), monotonic()):
            self._metrics.broker_deaths.inc()
            logger.warning("the broker had died: what it had acknowledged and not handed on is lost but for repeats")

    def _flush_writes(self) -> bool:
        """Write what the socket did not take before; tell whether something is left."""
        if self._client.want_write():
            self._client.loop_write()
        return self._client.want_write()

    def _drop(self, reason: str) -> None:
        if self._lost.is_set():
            return
        logger.warning("MQTT connection lost, connecting again", extra={"reason": reason})
        self._metrics.reconnects.inc()
        self.life.lost()
        self._subscriptions.forget()
        self._unread = False
        self._wake()
        self._client.close_socket()
        self._lost.set()

    def _wake(self) -> None:
        """Stop watching the socket before it is closed."""
        sock = self._client.socket()
        if self._readable is not None and sock is not None:
            asyncio.get_running_loop().remove_reader(sock)
            _resolve(self._readable)

    def _on_connect(self, client: mqtt.Client, _: Any, __: Any, reason: ReasonCode, ___: Any) -> None:
        if reason.is_failure:
            logger.error(
                "the MQTT broker refuses us: check user, password and client id in CITYNERVE_MQTT_URL",
                extra={"reason": str(reason)},
            )
            return
        self._subscriptions.ask(client)

    def _on_subscribe(self, _: mqtt.Client, __: Any, number: int, codes: list[ReasonCode], ___: Any) -> None:
        self._subscriptions.answered(number, codes)

    def _on_unsubscribe(self, _: mqtt.Client, __: Any, number: int, ___: Any, ____: Any) -> None:
        self._subscriptions.left(number)


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


async def _wait(event: asyncio.Event, timeout_s: float, other: asyncio.Event | None = None) -> None:
    """Wait for one of two events, or for the time to pass."""
    waiters = [asyncio.ensure_future(e.wait()) for e in (event, other) if e is not None]
    try:
        await asyncio.wait(waiters, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiters:
            waiter.cancel()
