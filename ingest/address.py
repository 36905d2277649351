"""Where an MQTT broker is, taken from one URL."""

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from city.errors import SettingsError


class Address(NamedTuple):
    """A broker, and who we are to it."""

    user: str | None
    password: str | None
    host: str
    port: int
    tls: bool


def parse_url(text: str) -> Address:
    """Take ``mqtt://[user:password@]host[:1883]`` or ``mqtts://…[:8883]`` apart.

    Raises
    ------
    SettingsError
        Not an MQTT URL. The text does not repeat it: it may hold a password.
    """
    problem = "an MQTT URL looks like mqtt://user:password@host:1883 or mqtts://host:8883"
    try:
        url = urlsplit(text)
        tls = {"mqtt": False, "mqtts": True}[url.scheme]
        port = url.port or (8883 if tls else 1883)
    except (ValueError, KeyError) as exc:
        raise SettingsError(problem) from exc
    if not url.hostname or url.path not in ("", "/") or url.query or url.fragment:
        raise SettingsError(problem)
    user = None if url.username is None else unquote(url.username)
    password = None if url.password is None else unquote(url.password)
    return Address(user, password, url.hostname, port, tls)
