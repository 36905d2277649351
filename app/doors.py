"""The ports that an installation listens on: who has them, and what to do when they are taken."""

import errno
import socket
import time
from ipaddress import ip_address
from typing import Any

from app.settings import Settings
from city.errors import SettingsError


def listen(host: str, port: int, way_out: str) -> socket.socket:
    """Return a socket that is bound and not yet listening.

    Parameters
    ----------
    way_out : str
        What to say or set for another port, for the error.

    Raises
    ------
    SettingsError
        Taken, not allowed, or not an address of this machine.
    """
    family, kind, protocol, _, address = _addresses(host, port)[0]
    found = socket.socket(family, kind, protocol)
    try:
        # As servers do: what is left of connections that have ended does not bar the way.
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as exc:
        found.close()
        raise SettingsError(_refusal(exc, f"{host}:{port}", way_out)) from exc
    return found


def check_free(host: str, port: int, way_out: str, patience_s: float = 0.0) -> None:
    """Make sure that one of our processes can listen there.

    Parameters
    ----------
    patience_s : float
        How long to wait for a process that is about to end.

    Raises
    ------
    SettingsError
        It cannot.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            with listen(host, port, way_out) as probe:
                probe.listen(1)
        except (SettingsError, OSError) as exc:
            cause = exc.__cause__ if isinstance(exc, SettingsError) else exc
            if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            if isinstance(exc, SettingsError):
                raise
            raise SettingsError(_refusal(exc, f"{host}:{port}", way_out)) from exc
        return


def check_broker(settings: Settings) -> bool:
    """Return whether the embedded broker lets in who has no credential.

    Raises
    ------
    SettingsError
        Its host is no address of this machine, or only half of what TLS needs is there.
    """
    given = (settings.broker_certificate, settings.broker_key)
    if any(given) != all(given) or (settings.broker_authority and not all(given)):
        raise SettingsError(
            "the embedded broker speaks TLS with CITYNERVE_BROKER_CERTIFICATE and CITYNERVE_BROKER_KEY together, and"
            " CITYNERVE_BROKER_AUTHORITY needs both: set them, or none"
        )
    for path in (*given, settings.broker_authority):
        if path is not None and not path.is_file():
            raise SettingsError(f"{path} is not there: name the file that has the embedded broker's certificate or key")
    alone = _is_loopback(settings.broker_host)
    return settings.broker_anonymous == "always" or (settings.broker_anonymous == "loopback" and alone)


def _is_loopback(host: str) -> bool:
    """Tell whether a server on `host` is reached from this machine alone."""
    return all(ip_address(address[0]).is_loopback for *_, address in _addresses(host, 0))


def _addresses(host: str, port: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as exc:
        raise SettingsError(f"{host!r} is not an address of this machine: use 127.0.0.1, or 0.0.0.0 for all") from exc


def _refusal(cause: OSError, place: str, way_out: str) -> str:
    if cause.errno == errno.EADDRINUSE:
        return f"{place} is taken: stop the program that listens there, or choose another port with {way_out}"
    if cause.errno in (errno.EACCES, errno.EPERM):
        return f"this user may not listen on {place}: choose a port above 1023 with {way_out}"
    if cause.errno == errno.EADDRNOTAVAIL:
        return f"this machine has no address {place.rpartition(':')[0]}: use 127.0.0.1, or 0.0.0.0 for all"
    return f"cannot listen on {place} ({cause.strerror}): choose another with {way_out}"
