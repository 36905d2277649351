"""Whether a broker has died between two connections, told from what it says of its age. Pure.

A broker that dies loses what it had acknowledged and not handed on. Gateways that number their messages send them
again; of the others nobody can know, so the death itself is published.
"""

from typing import NamedTuple


class Death(NamedTuple):
    """A death of the broker: how long ago it was last heard, and how long ago it had started again; s."""

    heard_ago_s: float
    back_ago_s: float


class BrokerLife:
    """Follows one broker over reconnections; times in seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._heard_at: float | None = None
        self._lost_at: float | None = None
        self._deaths: list[tuple[float, float]] = []

    def heard(self, now_s: float) -> None:
        """Note that the broker has said something."""
        self._heard_at = now_s

    def lost(self) -> None:
        """Note that the connection ended; of several in a row the first one counts."""
        if self._lost_at is None:
            self._lost_at = self._heard_at

    def lived(self, age_s: int, now_s: float) -> bool:
        """Take the broker's age; return True where it must have died since it was last heard.

        Brokers tell whole seconds, and a retained age may be older than it says: both make the start look later, so
        a start is believed only where it lies behind the loss of the connection.
        """
        lost_at, self._lost_at = self._lost_at, None
        started_at = now_s - age_s
        if lost_at is None or started_at < lost_at:
            return False
        self._deaths.append((lost_at, started_at))
        return True

    def deaths(self, now_s: float) -> list[Death]:
        """Return the deaths that showed since the last call."""
        found = [Death(now_s - lost_at, now_s - started_at) for lost_at, started_at in self._deaths]
        self._deaths.clear()
        return found
