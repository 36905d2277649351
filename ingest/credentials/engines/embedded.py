"""The embedded broker's knowledge of who may do what, and the amqtt plugin that asks it."""

import hmac
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from amqtt.contexts import Action, BaseContext
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from ingest.credentials import model
from ingest.credentials.engine import Applied
from ingest.credentials.filters import covers, matches
from ingest.credentials.hashing import Verifier
from ingest.credentials.metrics import AccessMetrics
from ingest.credentials.model import Grant
from ingest.credentials.turns import Busy

logger = logging.getLogger(__name__)

PLUGIN = f"{__name__}.CredentialPlugin"
LOGIN = "citynerve.login"
"""Attribute of an amqtt session: who signed in; empty for who came without a name."""
BUSY = "citynerve.busy"
"""Set where a client was not let in because its password could not be compared."""
_TELL_EVERY_S = 1.0
_EVERYTHING = ("#",)
_ANYONE = Grant("", "", _EVERYTHING, _EVERYTHING)
_HOUSE = Grant(model.HOUSE, "", _EVERYTHING, _EVERYTHING)


class EmbeddedAccess:
    """Who may connect to the embedded broker. See `AccessEngine` for the promises.

    Parameters
    ----------
    anonymous : bool
        Let in who gives no name, and let him publish and read everything; for a broker that only this machine reaches.
    house_password : str
        Of `citynerve-local`, who may do everything too; empty: there is none.
    disconnect : function
        Ends the connections and sessions of logins; set by the broker.
    """

    def __init__(
        self, *, anonymous: bool = True, house_password: str = "", metrics: AccessMetrics | None = None
    ) -> None:
        self._anonymous = anonymous
        self._house_password = house_password
        self._metrics = metrics or AccessMetrics()
        self._passwords: dict[str, Grant] = {}
        self._certificates: dict[str, Grant] = {}
        self._grants: dict[str, tuple[Grant, ...]] = {}
        self._verifier = Verifier()
        self._told_at = float("-inf")
        self.disconnect: Callable[[frozenset[str]], Awaitable[None]] = _nobody

    async def apply(self, grants: Sequence[Grant]) -> Applied:
        passwords = {grant.login: grant for grant in grants if not grant.serial}
        certificates = {grant.serial: grant for grant in grants if grant.serial}
        ended = {
            grant.login
            for before, now in ((self._passwords, passwords), (self._certificates, certificates))
            for key, grant in before.items()
            if now.get(key) != grant
        }
        added = sum(1 for login in passwords if login not in self._passwords)
        added += sum(1 for serial in certificates if serial not in self._certificates)
        self._passwords, self._certificates = passwords, certificates
        self._verifier.keep({grant.password_hash for grant in grants})
        self._grants = {}
        for grant in grants:
            self._grants[grant.login] = (*self._grants.get(grant.login, ()), grant)
        if ended:
            await self.disconnect(frozenset(ended))
        return Applied(len(ended) + added)

    async def close(self) -> None:
        self._verifier.close()

    async def admit(self, visitor: "Visitor") -> str | None:
        """Return the login of a client that may come in, empty for one without a name; None refuses it.

        Raises
        ------
        Busy
            Its password cannot be compared now.
        """
        try:
            login = await self._login_of(visitor)
        except Busy:
            self.refuse("connection")
            raise
        if login is None:
            self.refuse("connection")
            self._tell_refusal(visitor)
        return login

    def may(self, login: str, topic: str, *, publish: bool) -> bool:
        """Tell whether a login may publish on a topic, or read every topic of a filter."""
        grants = self._grants_of(login)
        if publish:
            return any(matches(allowed, topic) for grant in grants for allowed in grant.publish)
        return any(covers(allowed, topic) for grant in grants for allowed in grant.read)

    def knows(self, login: str) -> bool:
        """Tell whether a login is valid now."""
        return bool(self._grants_of(login))

    def refuse(self, what: str) -> None:
        """Count something that was refused."""
        self._metrics.refused.labels(what).inc()

    def held_back(self, seconds: float) -> None:
        """Count time for which a client was not read."""
        self._metrics.held_back_seconds.inc(seconds)

    def _grants_of(self, login: str) -> tuple[Grant, ...]:
        if not login:
            return (_ANYONE,) if self._anonymous else ()
        return (_HOUSE,) if login == model.HOUSE else self._grants.get(login, ())

    async def _login_of(self, visitor: "Visitor") -> str | None:
        if visitor.serial:
            certified = self._certificates.get(visitor.serial)
            return None if certified is None else certified.login
        if visitor.username is None:
            return "" if self._anonymous else None
        password = visitor.password or ""
        if visitor.username == model.HOUSE:
            right = hmac.compare_digest(password.encode(), self._house_password.encode())
            return model.HOUSE if right and self._house_password else None
        grant = self._passwords.get(visitor.username)
        kept = "" if grant is None else grant.password_hash
        if not await self._verifier.verify(visitor.username, visitor.address, kept, password) or grant is None:
            return None
        # It may have been revoked meanwhile.
        return visitor.username if self._passwords.get(visitor.username) == grant else None

    def _tell_refusal(self, visitor: "Visitor") -> None:
        """Say that somebody was refused, once a second at most: all are counted, and logs are not theirs to fill."""
        now = monotonic()
        if now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            extra = {"login": (visitor.username or "")[:64], "address": visitor.address}
            logger.warning("an MQTT client was refused", extra=extra)


@dataclass(frozen=True, slots=True)
class Visitor:
    """What a client says of itself.

    Attributes
    ----------
    serial : str
        Of the certificate that its TLS connection was made with, hexadecimal; empty without one.
    """

    username: str | None
    password: str | None
    address: str
    serial: str = ""


class CredentialPlugin(BaseAuthPlugin, BaseTopicPlugin):  # type: ignore[misc]
    """Amqtt asks, `EmbeddedAccess` answers."""

    @dataclass
    class Config:
        """Whom to ask."""

        access: Any

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._access: EmbeddedAccess = context.config.access

    async def authenticate(self, *, session: Session) -> bool:
        visitor = Visitor(session.username, session.password, session.remote_address or "", _serial_of(session))
        try:
            login = await self._access.admit(visitor)
        except Busy:
            session.attributes[BUSY] = True
            login = None
        # Nobody needs it any more, and a session may live for long.
        session.password = None
        if login is None:
            return False
        session.attributes[LOGIN] = login
        session.is_anonymous = not login
        return True

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        if session is None or not topic:
            return False
        allowed = self._access.may(session.attributes.get(LOGIN, ""), topic, publish=action == Action.PUBLISH)
        if not allowed and action != Action.RECEIVE:
            self._access.refuse("message" if action == Action.PUBLISH else "subscription")
        return allowed


def _serial_of(session: Session) -> str:
    """Return the serial number of the certificate that a client showed; the TLS library has checked the rest."""
    if session.ssl_object is None:
        return ""
    shown: Any = session.ssl_object.getpeercert() or {}
    return str(shown.get("serialNumber", "")).lower().lstrip("0")


async def _nobody(_logins: frozenset[str]) -> None:
    """Before a broker runs nobody is connected."""
