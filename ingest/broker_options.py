"""Options of the embedded broker, and amqtt's configuration made of them."""

import errno
from dataclasses import dataclass
from typing import Any

from amqtt.contexts import BrokerConfig, ListenerConfig

from city.errors import SettingsError


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """Where the embedded broker listens, and to whom.

    Attributes
    ----------
    port : int
        0 takes any free one; see `EmbeddedBroker.port`.
    allow_anonymous : bool
        Let clients in without a user; only sensible on loopback.
    password_file : str
        ``user:argon2-hash`` by line; empty: no users.
    connections_max : int
    greeting_s : float
        Who has not sent a whole CONNECT by then is disconnected.
    held_messages_max, held_bytes_max : int
        Unacknowledged messages beyond which no client is read from.
    settle_s : float
        After the start clients need this long to come back; until then the city is not called silent.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    allow_anonymous: bool = True
    password_file: str = ""
    connections_max: int = 2_000
    greeting_s: float = 10.0
    held_messages_max: int = 10_000
    held_bytes_max: int = 32 * 1024 * 1024
    settle_s: float = 2.0


def amqtt_config(options: BrokerOptions) -> BrokerConfig:
    """Return amqtt's configuration: one listener, no plugin but who may come in.

    Raises
    ------
    SettingsError
        Nobody could ever sign in.
    """
    plugins: dict[str, dict[str, Any]] = {}
    if options.allow_anonymous:
        plugins["amqtt.plugins.authentication.AnonymousAuthPlugin"] = {"allow_anonymous": True}
    if options.password_file:
        plugins["amqtt.plugins.authentication.FileAuthPlugin"] = {"password_file": options.password_file}
    if not plugins:
        raise SettingsError("the embedded broker lets nobody in: give it a password file, or allow anonymous clients")
    host = f"[{options.host}]" if ":" in options.host else options.host
    listener = ListenerConfig(bind=f"{host}:{options.port}", max_connections=options.connections_max)
    return BrokerConfig(listeners={"default": listener}, plugins=plugins, session_expiry_interval=3600)


def cannot_bind(options: BrokerOptions, cause: BaseException | None) -> str:
    """Say why the broker cannot listen, and the way out."""
    place = f"{options.host}:{options.port}"
    if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
        return f"MQTT port {place} is taken: stop the program that uses it, or choose another port"
    if isinstance(cause, PermissionError):
        return f"MQTT port {place} may not be used by this user: choose one above 1023"
    return f"the embedded broker cannot listen on {place}: {cause}"
