"""Gateways that publish their outbox in order, and send the last ten minutes again after every reconnection."""

import json
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from city.clock import SECOND_US, Clock, isoformat
from sim.link import Link, LinkEvent, LinkEventKind, parse_url, trust
from sim.metrics import SimMetrics
from sim.outbox import Outbox

logger = logging.getLogger(__name__)

_FORGET_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """How gateways behave towards the broker.

    Attributes
    ----------
    mqtt_url : str
    window : int
        Messages under way at once, for each gateway; a bound for the broker's queue.
    resend_s : float
        After a reconnection, everything is sent again that was acknowledged in so many seconds (of the machine's
        clock) before the connection was lost: brokers acknowledge from memory, and forget it when they are killed.
    keep : bool
        Forget nothing, so that a test can compare everything sent with the database.
    backlog_messages_max : int
        Messages that a gateway keeps while the broker is away; then it forgets the oldest.
    client_prefix : str
        Begins the MQTT client ids.
    ca_file : str
        Certificates to trust with mqtts; empty: the system's.
    """

    mqtt_url: str
    window: int = 64
    resend_s: float = 600.0
    keep: bool = False
    backlog_messages_max: int = 5000
    client_prefix: str = "citynerve-gateway"
    ca_file: str = ""


@dataclass(slots=True)
class _State:
    link: Link
    last_alive_us: int | None
    cursor: int = 0
    handed: int = 0
    up: bool = False
    lost: bool = False
    """It had a connection before, and lost it."""
    more: bool = False
    under_way: dict[int, int] = field(default_factory=dict)


class Numbering:
    """Builds a gateway's messages: at most `size` objects each, numbered without a gap within one epoch."""

    def __init__(self, epoch: str, size: int = 200) -> None:
        self._epoch = epoch
        self._size = size
        self._next: dict[str, int] = {}

    def messages(self, gateway: str, observations: Sequence[dict[str, Any]], sent_at_us: int) -> list[bytes]:
        """Return the bytes of the messages that carry `observations`."""
        found = []
        for start in range(0, len(observations), self._size):
            number = self._next.get(gateway, 0)
            self._next[gateway] = number + 1
            body = {
                "n": number,
                "epoch": self._epoch,
                "sent_at": isoformat(sent_at_us),
                "readings": observations[start : start + self._size],
            }
            found.append(json.dumps(body, separators=(",", ":"), allow_nan=False).encode())
        return found


class Fleet:
    """Some gateways of one process; all methods are for one thread, paho's threads only fill the queue of events."""

    def __init__(
        self,
        gateways: Iterable[str],
        outbox: Outbox,
        clock: Clock,
        options: FleetOptions,
        metrics: SimMetrics | None = None,
    ) -> None:
        self._outbox = outbox
        self._options = options
        self._metrics = metrics or SimMetrics()
        self._events: SimpleQueue[LinkEvent] = SimpleQueue()
        address = parse_url(options.mqtt_url)
        trusted = trust(address, options.ca_file)
        self._states = {
            gateway: _State(
                link=Link(gateway, address, self._events, clock, options.client_prefix, trusted),
                last_alive_us=outbox.last_acknowledged_us(gateway),
                handed=outbox.last_id(gateway),
            )
            for gateway in gateways
        }
        self._metrics.gateways.set(len(self._states))
        self._forgot_at = time.monotonic()
        self.dropped = 0
        """Messages that gateways forgot because their memory was full."""

    def start(self) -> None:
        """Begin to connect all gateways."""
        for state in self._states.values():
            state.link.start()

    @property
    def connected(self) -> int:
        """How many gateways have a connection now."""
        return sum(state.up for state in self._states.values())

    def told(self, gateways: Iterable[str]) -> None:
        """Tell that the outbox has new messages of these gateways."""
        for gateway in gateways:
            state = self._states[gateway]
            state.more = True
            if not state.up:
                self._overflow(gateway, state)

    def say(self, gateway: str, *, online: bool) -> None:
        """Let a gateway's state be known, where it has changed."""
        self._states[gateway].link.say("online" if online else "offline")

    def pump(self, timeout_s: float) -> None:
        """Send what may be sent, then take what happened, waiting up to `timeout_s` for the first event."""
        for state in self._states.values():
            if state.up and state.more:
                self._send(state)
        acknowledged: list[int] = []
        try:
            event = self._events.get(timeout=timeout_s) if timeout_s > 0 else self._events.get_nowait()
            while True:
                self._take(event, acknowledged)
                event = self._events.get_nowait()
        except Empty:
            pass
        if acknowledged:
            self._outbox.acknowledge(acknowledged, _machine_us())
            self._metrics.acknowledged.inc(len(acknowledged))
        self._metrics.connected.set(self.connected)
        self._metrics.under_way.set(self.under_way())
        if not self._options.keep and time.monotonic() - self._forgot_at > _FORGET_EVERY_S:
            self._forget()

    def under_way(self) -> int:
        """Return how many messages wait for their acknowledgement."""
        return sum(len(state.under_way) for state in self._states.values())

    def idle(self) -> bool:
        """Tell whether every connected gateway has sent all that it has, and all of it was acknowledged."""
        return not any(state.up and (state.more or state.under_way) for state in self._states.values())

    def drain(self, timeout_s: float) -> bool:
        """Send until nothing is left or the time is over; return whether nothing is left."""
        end = time.monotonic() + timeout_s
        while (left := self.pending()) and time.monotonic() < end:
            self.pump(0.05)
        return left == 0

    def pending(self) -> int:
        """Return how many messages of these gateways are not acknowledged."""
        return sum(self._outbox.pending(gateway) for gateway in self._states)

    def stop(self) -> None:
        """Disconnect all gateways; what was not acknowledged stays in the outbox."""
        # Step by step for all of them: a city's gateways leave together, not one second after another.
        for step in (Link.say_farewell, Link.disconnect, Link.join):
            for state in self._states.values():
                step(state.link)

    def _send(self, state: _State) -> None:
        room = self._options.window - len(state.under_way)
        if room <= 0:
            return
        rows = self._outbox.after(state.link.gateway, state.cursor, room)
        for message_id, payload in rows:
            mid = state.link.publish(payload)
            if mid is None:
                return  # DOWN is on its way; UP begins again at the right place
            self._metrics.published.inc()
            state.under_way[mid] = message_id
            state.cursor = message_id
            state.handed = max(state.handed, message_id)
        state.more = len(rows) == room

    def _take(self, event: LinkEvent, acknowledged: list[int]) -> None:
        state = self._states[event.gateway]
        match event.kind:
            case LinkEventKind.ACK:
                message_id = state.under_way.pop(event.mid, None)
                if message_id is not None:
                    acknowledged.append(message_id)
                    state.last_alive_us = _machine_us()
                    state.more = True
            case LinkEventKind.UP:
                state.under_way.clear()
                state.up = state.more = True
                state.cursor = self._resume_after(state)
                told = "a gateway is back" if state.lost else "a gateway is connected"
                level = logging.INFO if state.lost else logging.DEBUG
                logger.log(level, told, extra={"gateway": event.gateway, "resumes_after": state.cursor})
            case LinkEventKind.DOWN:
                state.lost = state.lost or state.up
                state.under_way.clear()
                state.up = False

    def _resume_after(self, state: _State) -> int:
        """Return the message before the first that the broker may not have."""
        since_us = (state.last_alive_us or _machine_us()) - int(self._options.resend_s * SECOND_US)
        first = self._outbox.resend_from(state.link.gateway, since_us)
        return self._outbox.last_id(state.link.gateway) if first is None else first - 1

    def _forget(self) -> None:
        self._forgot_at = time.monotonic()
        before_us = _machine_us() - int(self._options.resend_s * SECOND_US)
        for gateway, state in self._states.items():
            # Without a connection the ring stands still: the broker may have died with the end of it.
            if state.up:
                self._outbox.forget(gateway, before_us)

    def _overflow(self, gateway: str, state: _State) -> None:
        dropped = self._outbox.overflow(gateway, state.handed, self._options.backlog_messages_max)
        if dropped:
            self.dropped += dropped
            self._metrics.dropped.inc(dropped)
            logger.warning("a gateway's memory is full, it forgot messages", extra={"gateway": gateway, "n": dropped})


def _machine_us() -> int:
    """Return the machine's clock: brokers live by it, whatever the city's clock says."""
    return time.time_ns() // 1000
