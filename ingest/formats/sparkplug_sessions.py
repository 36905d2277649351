"""Where each Sparkplug node is between its birth and its death: state that follows the log.

A session is replaced, never changed, so that what a flush did to the state can be taken back when the log does not take
the flush.
"""

import hashlib
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from city.clock import MINUTE_US
from ingest.formats.sparkplug_births import Birth, BirthTold, NodeKey

NODES_MAX = 10_000
DEFINITIONS_MAX = 20_000
"""Of one node and all its devices."""
DEFINITIONS_TOTAL_MAX = 500_000

REBIRTH_EVERY_US = MINUTE_US
"""A node is asked for its births once in this time."""

SEQ_COUNT = 256

Kept = TypeVar("Kept")


class Session(NamedTuple):
    """A node between its birth and its death.

    Attributes
    ----------
    epoch : str
        Names the run of its numbers.
    number : int
        Of the message with the highest so far; its `seq` is the remainder by 256.
    at_ms : int
        When the newest of its messages was sent, by its own clock.
    births : dict
        Device (the node itself: empty) → its birth.
    size : int
        Definitions in all of them.
    """

    epoch: str
    bd_seq: int
    number: int
    at_ms: int
    births: dict[str, Birth]
    size: int


@dataclass(slots=True)
class Changes:
    """What one flush did.

    Attributes
    ----------
    sessions : dict
        Node → its session now; None: it died.
    asked : dict
        Node → when it was asked for its births.
    births : list of BirthTold
        In the order of receipt.
    era : int
        Changes of an era that is over are not committed.
    """

    era: int = 0
    sessions: dict[NodeKey, Session | None] = field(default_factory=dict)
    asked: dict[NodeKey, int] = field(default_factory=dict)
    births: list[BirthTold] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.sessions or self.asked or self.births)


class Sessions:
    """The nodes of one bridge, as the messages parsed so far have left them.

    `take_changes` ends a flush; `commit` follows once the log has it, in the order of the flushes; `roll_back` goes
    back to what was committed, before the same messages come again.
    """

    def __init__(self) -> None:
        self._committed: dict[NodeKey, Session] = {}
        self._now: dict[NodeKey, Session] = {}
        self._asked_committed: dict[NodeKey, int] = {}
        self._asked: dict[NodeKey, int] = {}
        self._era = 0
        self._changes = Changes()

    def get(self, node: NodeKey) -> Session | None:
        """Return a node's session; None where its birth is not known."""
        return self._now.get(node)

    def put(self, node: NodeKey, session: Session) -> None:
        """Go on with a session."""
        _put_session(self._now, node, session)
        self._changes.sessions[node] = session

    def end(self, node: NodeKey) -> None:
        """Forget a node that died."""
        self._now.pop(node, None)
        self._changes.sessions[node] = None

    def keep(self, told: BirthTold) -> None:
        """Remember a birth for those who keep them."""
        self._changes.births.append(told)

    def may_ask(self, node: NodeKey, at_us: int) -> bool:
        """Tell whether a node may be asked for its births now (µs UTC), and take it for asked."""
        last = self._asked.get(node)
        if last is not None and 0 <= at_us - last < REBIRTH_EVERY_US:
            return False
        _put(self._asked, node, at_us)
        self._changes.asked[node] = at_us
        return True

    def take_changes(self) -> Changes:
        """Return what was done since the last call."""
        changes, self._changes = self._changes, Changes(self._era)
        return changes

    def commit(self, changes: Changes) -> None:
        """Hold to what the log has taken."""
        if changes.era != self._era:
            return
        for node, session in changes.sessions.items():
            if session is None:
                self._committed.pop(node, None)
            else:
                _put_session(self._committed, node, session)
        for node, at_us in changes.asked.items():
            _put(self._asked_committed, node, at_us)

    def roll_back(self) -> None:
        """Go back to what was committed."""
        self._now = dict(self._committed)
        self._asked = dict(self._asked_committed)
        self._era += 1
        self._changes = Changes(self._era)

    def forget(self) -> None:
        """Forget every node: what they say from now on goes to somebody else."""
        self._committed = {}
        self._asked_committed = {}
        self.roll_back()


def _put(kept: dict[NodeKey, Kept], node: NodeKey, value: Kept) -> None:
    kept.pop(node, None)
    kept[node] = value
    if len(kept) > NODES_MAX:
        del kept[next(iter(kept))]


def _put_session(kept: dict[NodeKey, Session], node: NodeKey, session: Session) -> None:
    before = kept.get(node)
    _put(kept, node, session)
    if before is None or session.size > before.size:
        total = sum(one.size for one in kept.values())
        while total > DEFINITIONS_TOTAL_MAX and len(kept) > 1:
            total -= kept.pop(next(iter(kept))).size


def born(node: NodeKey, bd_seq: int, timestamp_ms: int | None, seq: int, birth: Birth) -> Session:
    """Return the session that a node's birth begins."""
    name = hashlib.sha256(f"{node[0]}/{node[1]}".encode()).hexdigest()[:12]
    at_ms = timestamp_ms or 0
    return Session(f"{name}.{bd_seq}.{at_ms}", bd_seq, seq, at_ms, {"": birth}, len(birth.definitions))


def number_of(session: Session, seq: int, at_ms: int | None) -> int:
    """Return the number of a message by its sequence number of 8 bits and the time at which it was sent.

    Of what is up to 128 before the highest so far only the time tells whether it comes late, or again, or whether
    more than 128 messages are missing.
    """
    ahead = (seq - session.number) % SEQ_COUNT
    if 0 < ahead < SEQ_COUNT // 2:
        return session.number + ahead
    if at_ms is not None and at_ms <= session.at_ms:
        return session.number + ahead - (SEQ_COUNT if ahead else 0)
    return session.number + (ahead or SEQ_COUNT)


def with_device(session: Session, device: str, birth: Birth) -> Session:
    """Return the session with a device's birth in it; beyond `DEFINITIONS_MAX` the oldest devices go."""
    births = {name: one for name, one in session.births.items() if name != device}
    size = sum(len(one.definitions) for one in births.values()) + len(birth.definitions)
    for name in list(births):
        if size <= DEFINITIONS_MAX:
            break
        if name:
            size -= len(births.pop(name).definitions)
    return session._replace(births={**births, device: birth}, size=size)


def without_device(session: Session, device: str) -> Session:
    """Return the session without a device that died."""
    left = {name: birth for name, birth in session.births.items() if name != device}
    return session._replace(births=left, size=sum(len(one.definitions) for one in left.values()))
