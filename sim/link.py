"""One gateway's MQTT client: connects, reconnects, publishes, and tells what happened through a queue."""

import json
import logging
import ssl
from dataclasses import dataclass
from enum import StrEnum
from queue import SimpleQueue
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from city.clock import Clock, isoformat
from city.errors import SettingsError
from city.topics import readings_topic, state_topic

logger = logging.getLogger(__name__)

KEEPALIVE_S = 15
_BACKOFF_S = (1, 8)
_FAREWELL_S = 3.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker listens."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = None


def parse_url(url: str) -> Address:
    """Take ``mqtt[s]://[user[:password]@]host[:port]`` apart.

    Raises
    ------
    SettingsError
        Another scheme, no host, or a port that is not a number.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path.strip("/"):
        raise SettingsError(
            "the MQTT URL must read mqtt://host:1883 or mqtts://host:8883, with user:password@ if needed"
        )
    tls = parts.scheme == "mqtts"
    username = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return Address(parts.hostname, port or (8883 if tls else 1883), tls, username, password)


def trust(address: Address, ca_file: str = "") -> ssl.SSLContext | None:
    """Return what a connection with TLS trusts, one object for all gateways; None without TLS.

    Raises
    ------
    SettingsError
        The file of certificates cannot be read.
    """
    if not address.tls:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as exc:
        raise SettingsError(f"MQTT's CA file {ca_file} cannot be read: {exc}") from exc


class LinkEventKind(StrEnum):
    """What a link tells."""

    UP = "up"
    DOWN = "down"
    ACK = "ack"


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """One event of one link; `mid` names the acknowledged message."""

    kind: LinkEventKind
    gateway: str
    mid: int = 0


class Link:
    """A paho client with its own thread. It keeps no messages over a lost connection: that is the outbox's part.

    Parameters
    ----------
    gateway : str
        Whose topics it publishes on.
    address : Address
    events : SimpleQueue of LinkEvent
        Filled from paho's thread.
    clock : Clock
        City time for birth message and last will.
    client_prefix : str
        Begins the client id, which must be one of its kind at the broker.
    trusted : SSLContext or None
        What a connection with TLS trusts; None without TLS.
    """

    def __init__(
        self,
        gateway: str,
        address: Address,
        events: "SimpleQueue[LinkEvent]",
        clock: Clock,
        client_prefix: str = "citynerve-gateway",
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        self.gateway = gateway
        self._address = address
        self._events = events
        self._clock = clock
        self._topic = readings_topic(gateway)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"{client_prefix}-{gateway}")
        if address.username is not None:
            self._client.username_pw_set(address.username, address.password)
        if trusted is not None:
            self._client.tls_set_context(trusted)
        self._farewell: mqtt.MQTTMessageInfo | None = None
        self._leaving = False
        self._said = "online"
        self._client.max_inflight_messages_set(0)
        self._client.reconnect_delay_set(*_BACKOFF_S)
        self._client.on_pre_connect = self._on_pre_connect
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish

    def start(self) -> None:
        """Begin to connect; UP tells when it is done."""
        self._client.connect_async(self._address.host, self._address.port, keepalive=KEEPALIVE_S)
        self._client.loop_start()

    def publish(self, payload: bytes) -> int | None:
        """Hand a message to the broker at QoS 1; return the id that ACK will carry, or None without a connection."""
        info = self._client.publish(self._topic, payload, qos=1)
        return info.mid if info.rc is MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def say(self, state: str) -> None:
        """Be ``online`` or ``offline`` from now on, as far as others are told; the connection stays."""
        if state != self._said:
            self._said = state
            if self._client.is_connected():
                self._client.publish(state_topic(self.gateway), self._state(state), qos=1, retain=True)

    def say_farewell(self) -> None:
        """Publish that the gateway is offline, so that its last will stays unsaid."""
        if self._client.is_connected():
            self._farewell = self._client.publish(state_topic(self.gateway), self._state("offline"), qos=1, retain=True)

    def disconnect(self) -> None:
        """Leave the broker, once it has taken the farewell."""
        self._leaving = True
        if self._farewell is not None:
            try:
                self._farewell.wait_for_publish(_FAREWELL_S)
            except (ValueError, RuntimeError):
                logger.warning("a gateway's farewell was not taken", extra={"gateway": self.gateway})
        self._client.disconnect()

    def join(self) -> None:
        """Wait for the client's thread to end."""
        self._client.loop_stop()

    def _on_pre_connect(self, client: mqtt.Client, _userdata: Any) -> None:
        client.drop_out_messages()
        client.will_set(state_topic(self.gateway), self._state("offline"), qos=1, retain=True)

    def _on_connect(self, client: mqtt.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            logger.warning("the broker refuses a gateway", extra={"gateway": self.gateway, "reason": str(reason)})
            return
        client.publish(state_topic(self.gateway), self._state(self._said), qos=1, retain=True)
        self._events.put(LinkEvent(LinkEventKind.UP, self.gateway))

    def _on_disconnect(self, _client: mqtt.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if not self._leaving:
            logger.info("a gateway lost its broker", extra={"gateway": self.gateway, "reason": str(reason)})
        self._events.put(LinkEvent(LinkEventKind.DOWN, self.gateway))

    def _on_publish(self, _client: mqtt.Client, _userdata: Any, mid: int, _reason: Any, _properties: Any) -> None:
        self._events.put(LinkEvent(LinkEventKind.ACK, self.gateway, mid))

    def _state(self, state: str) -> str:
        return json.dumps({"state": state, "at": isoformat(self._clock.now_us())})
