"""A credential and what it grants: names, limits and life, without I/O. Times are µs UTC of the machine's clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from city.clock import DAY_US
from city.errors import DataError
from city.integration import FORMATS
from city.topics import ROOT, STATE
from ingest.credentials.filters import is_filter, meet

PASSWORD, CERTIFICATE = "password", "certificate"
OUR_PREFIX = "citynerve-"
"""Names of citynerve's own processes at the broker begin with this; no gateway's login does."""
ADMINISTRATION = "admin"
"""The role of who administrates the broker: a gateway of this name would be given it."""
HOUSE = "citynerve-local"
"""At the embedded broker: the simulator and `play`, who speak for every gateway."""
FILTERS_MAX = 32
VALID_MAX = 8
"""Credentials of one gateway that are valid at once."""
OVERLAP_US_MAX = 90 * DAY_US
LIFE_DAYS_MAX = 3650
LEAVES = tuple(sorted((*FORMATS, STATE)))
"""What a gateway's own topics may end in."""
_MARKS = "citynerve/ingest/#"
"""What ingest sends to itself: who could publish there could make the city's clock tick early."""


class State(StrEnum):
    """Where a credential is in its life."""

    VALID = "valid"
    ENDED = "ended"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Credential:
    """What everybody who manages credentials may see: nothing of it is secret.

    Attributes
    ----------
    gateway_id : str
        For whom it was made.
    login : str
        MQTT user name, or a certificate's common name. A password's login is never given again.
    kind : str
        ``password`` or ``certificate``.
    serial : str
        Of a certificate, hexadecimal; else empty.
    publish, read : tuple of str
        Topic filters.
    expires_at : int or None
        µs UTC.
    told_at : int or None
        When the broker was told of its last change, µs UTC; None: it is on its way there.
    kept_at : int or None
        When the broker was last told of all credentials, µs UTC: who has run out since then is still let in.
    """

    credential_id: int
    gateway_id: str
    login: str
    kind: str
    serial: str
    publish: tuple[str, ...]
    read: tuple[str, ...]
    created_at: int
    created_by: str
    expires_at: int | None
    revoked_at: int | None
    told_at: int | None = None
    kept_at: int | None = None

    @property
    def life_us(self) -> int | None:
        """For how long it was given; None: it does not end by itself."""
        return None if self.expires_at is None else self.expires_at - self.created_at

    def in_force_at(self, now_us: int) -> int | None:
        """Return since when the broker does what stands here; None: it has yet to be told."""
        if self.told_at is None or self.expires_at is None or self.state(now_us) is not State.ENDED:
            return self.told_at
        ended = self.kept_at is not None and self.kept_at >= self.expires_at
        return max(self.told_at, self.expires_at) if ended else None

    def state(self, now_us: int) -> State:
        """Return where it is in its life."""
        if self.revoked_at is not None:
            return State.REVOKED
        return State.VALID if self.expires_at is None or self.expires_at > now_us else State.ENDED


@dataclass(frozen=True, slots=True)
class Grant:
    """One valid login as brokers must know it.

    Attributes
    ----------
    password_hash : str
        Argon2, for the embedded broker; empty for a certificate.
    sealed : bytes or None
        The password, readable for the keeper of a broker that hashes by itself; see `ingest.credentials.sealed`.
    serial : str
        Of a certificate; empty for a password.
    """

    login: str
    gateway_id: str
    publish: tuple[str, ...]
    read: tuple[str, ...] = ()
    password_hash: str = ""
    sealed: bytes | None = None
    serial: str = ""


def default_topics(gateway_id: str) -> tuple[str, ...]:
    """Return where a gateway publishes unless somebody says otherwise: below its own name, every format."""
    return (f"{ROOT}/{gateway_id}/+",)


def named_leaves(topic: str) -> tuple[str, ...]:
    """Return the topics that a filter of ours matches and that mean something; any other filter as it stands.

    A broker that keeps every retained message is given these: one with a wildcard for the format would let a single
    gateway fill it, a message for each name that it makes up.
    """
    above, _, leaf = topic.rpartition("/")
    if leaf != "+" or not topic.startswith(f"{ROOT}/") or above.count("/") != ROOT.count("/") + 1:
        return (topic,)
    return tuple(f"{above}/{name}" for name in LEAVES)


def login_of(gateway_id: str, number: int) -> str:
    """Return the login of a gateway's credential `number`, from 1. No gateway's id holds a ``~``."""
    return gateway_id if number == 1 else f"{gateway_id}~{number}"


def check_topics(publish: Sequence[str], read: Sequence[str]) -> None:
    """Refuse topics that nobody may be given.

    Raises
    ------
    DataError
        Saying which, and why.
    """
    for verb, filters in (("publish on", publish), ("read", read)):
        if len(filters) > FILTERS_MAX:
            raise DataError(f"{len(filters)} filters to {verb}: at most {FILTERS_MAX}, use wildcards")
        for topic in filters:
            shown = topic[:80]
            if not is_filter(topic):
                raise DataError(f"{shown!r} is no topic filter: levels parted by '/', '+' for a level, '#' at the end")
            if topic.startswith("$"):
                raise DataError(f"{shown!r}: topics that begin with '$' are the broker's own, nobody may {verb} them")
            if meet(topic, _MARKS):
                raise DataError(f"{shown!r} reaches {_MARKS}, which is ingest's own: name the levels")
    if not publish and not read:
        raise DataError("a credential that may neither publish nor read is of no use: give it a topic, or revoke it")
