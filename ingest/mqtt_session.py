"""How a session on the broker is opened and ended: by what client, under which name, and for how long it is kept."""

import logging
import ssl
from dataclasses import dataclass
from typing import Any

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from city.errors import SettingsError
from ingest import paho_contract
from ingest.address import parse_url
from ingest.frame_client import ClientOptions, FrameClient
from ingest.plain_client import PlainClient

logger = logging.getLogger(__name__)

_NEVER = 0xFFFFFFFF
"""The session of MQTT 5 that does not expire, like any of MQTT 3.1.1."""
_RECEIVE_MAXIMUM = 65_535
"""As many messages may be on their way to us as there are packet ids."""


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """Where the broker is and how to listen to it.

    Attributes
    ----------
    url : str
        ``mqtt://[user:password@]host[:1883]`` or ``mqtts://…[:8883]``.
    client_id : str
        Names the session that the broker keeps while ingest is away: the same after every restart, another one for
        every ingest process.
    share : str
        Name of a shared subscription, where several ingest processes divide the messages among them; empty: none.
    version : str
        Of MQTT: ``3.1.1`` or ``5``.
    ca_file : str
        Certificates to trust with mqtts; empty: the system's.
    keepalive_s : int
    connect_timeout_s, backoff_s_max : float
    pause_s : float
        The socket is left alone so long between reads.
    """

    url: str
    client_id: str = "citynerve-ingest"
    share: str = ""
    ca_file: str = ""
    version: str = "3.1.1"
    keepalive_s: int = 30
    connect_timeout_s: float = 5.0
    backoff_s_max: float = 5.0
    pause_s: float = 0.006


def new_client(options: MqttOptions, mark_topic: str, system_prefix: str) -> FrameClient | PlainClient:
    """Return a client that has yet to connect: our fast one, or paho's own where paho is not as we know it.

    Raises
    ------
    SettingsError
        The address makes no sense, or the CA file cannot be read.
    """
    address = parse_url(options.url)
    own = ClientOptions(options.client_id, options.version == "5", mark_topic, system_prefix)
    changed = paho_contract.broken()
    if changed:
        logger.warning("paho-mqtt is not as we know it, messages take its own, slower way", extra={"why": changed})
    client = PlainClient(own) if changed else FrameClient(own)
    client.connect_timeout = options.connect_timeout_s
    if address.user is not None:
        client.username_pw_set(address.user, address.password)
    if address.tls:
        try:
            client.tls_set_context(ssl.create_default_context(cafile=options.ca_file or None))
        except (OSError, ssl.SSLError) as exc:
            raise SettingsError(f"MQTT's CA file {options.ca_file} cannot be read: {exc}") from exc
    return client


def open_session(client: FrameClient | PlainClient, options: MqttOptions) -> None:
    """Connect to a session that the broker keeps for as long as it likes; blocks.

    Raises
    ------
    OSError, ValueError
        Nobody answers there.
    """
    address = parse_url(options.url)
    if options.version != "5":
        client.connect(address.host, address.port, options.keepalive_s)
        return
    kept: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    kept.SessionExpiryInterval = _NEVER
    kept.ReceiveMaximum = _RECEIVE_MAXIMUM
    client.connect(address.host, address.port, options.keepalive_s, clean_start=False, properties=kept)


def say_goodbye(client: FrameClient | PlainClient, options: MqttOptions, *, end: bool) -> None:
    """Disconnect; the broker keeps the session, unless it shall end, which MQTT 5 alone can say."""
    ends: Any = None
    if end and options.version == "5":
        ends = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
        ends.SessionExpiryInterval = 0
    client.disconnect(properties=ends)
    client.loop_write()
