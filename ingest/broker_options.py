"""Options of the embedded broker, and amqtt's configuration made of them."""

import errno
from dataclasses import dataclass

from amqtt.contexts import BrokerConfig, ListenerConfig

from ingest.credentials.engines.embedded import PLUGIN, EmbeddedAccess


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """Where the embedded broker listens, and how much it takes from whom.

    Attributes
    ----------
    port : int
        0 takes any free one; see `EmbeddedBroker.port`.
    certificate, key : str
        Files in PEM; with them the broker speaks TLS and nothing else. Empty: it speaks in clear.
    authority : str
        File of the city's own authority: who shows a certificate of its is let in by its serial number.
    connections_max : int
    greeting_s : float
        Who has not sent a whole CONNECT by then is disconnected.
    greeting_max : int
        Connections from one address that may be about to; more are closed at once.
    held_messages_max, held_bytes_max : int
        Unacknowledged messages beyond which no client is read from.
    held_share : float
        Of these limits one connection may have.
    rate : float
        Messages a second that one credential is read at in the long run; 0: as fast as they come. Who comes without a
        credential, and citynerve itself, are not limited.
    burst_s : float
        Seconds of that rate that a credential may have at once.
    settle_s : float
        After the start clients need this long to come back; until then the city is not called silent.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    certificate: str = ""
    key: str = ""
    authority: str = ""
    connections_max: int = 2_000
    greeting_s: float = 10.0
    greeting_max: int = 256
    held_messages_max: int = 10_000
    held_bytes_max: int = 32 * 1024 * 1024
    held_share: float = 0.1
    rate: float = 1000.0
    burst_s: float = 5.0
    settle_s: float = 2.0


def amqtt_config(options: BrokerOptions, access: EmbeddedAccess) -> BrokerConfig:
    """Return amqtt's configuration: one listener, and the one plugin that says who may do what."""
    host = f"[{options.host}]" if ":" in options.host else options.host
    listener = ListenerConfig(
        bind=f"{host}:{options.port}",
        max_connections=options.connections_max,
        ssl=bool(options.certificate),
        certfile=options.certificate or None,
        keyfile=options.key or None,
        cafile=options.authority or None,
    )
    plugins = {PLUGIN: {"access": access}}
    return BrokerConfig(listeners={"default": listener}, plugins=plugins, session_expiry_interval=3600)


def cannot_bind(options: BrokerOptions, cause: BaseException | None) -> str:
    """Say why the broker cannot listen, and the way out."""
    place = f"{options.host}:{options.port}"
    if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
        return f"MQTT port {place} is taken: stop the program that uses it, or choose another port"
    if isinstance(cause, PermissionError):
        return f"MQTT port {place} may not be used by this user: choose one above 1023"
    return f"the embedded broker cannot listen on {place}: {cause}"
