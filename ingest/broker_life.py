"""Whether a broker has died since it was known to live, told from what it says of its age. Pure.

A broker that dies loses what it had acknowledged and not handed on. Gateways that number their messages send them
again; of the others nobody can know, so the death itself is published. A broker that died twice before it had told its
age in between has died once for us: the time that is published covers both.
"""

from typing import NamedTuple

_SECOND_S = 1.2
"""Brokers tell whole seconds, and not at once: two ages of one life put its start so close together."""
_AGREE_S = 0.5
_DEATHS_MAX = 1_000


class Death(NamedTuple):
    """A death of the broker: when it is known to have lived before, and when it had started again; s."""

    alive_s: float
    started_s: float


class BrokerLife:
    """Follows one broker over reconnections; times in seconds of a clock that never goes back.

    Attributes
    ----------
    started_s, alive_s : float or None
        When the life that we know of began, and when it surely still went on: what was read last says nothing of when
        it was sent, but an age does.
    """

    def __init__(self) -> None:
        self.started_s: float | None = None
        self.alive_s: float | None = None
        self._lost = False
        self._told_s: float | None = None
        self._died_s: float | None = None
        self._deaths: list[Death] = []

    @property
    def unsure(self) -> bool:
        """Whether a death is seen whose end will be known better with the broker's next word."""
        return self._died_s is not None

    def resume(self, alive_s: float, started_s: float) -> None:
        """Go on from what an earlier process knew, before the first connection."""
        self.alive_s, self.started_s = alive_s, started_s
        self._lost = True

    def lost(self) -> None:
        """Note that the connection ended: the next life may be another one."""
        self._note_death()
        self._told_s = None
        self._lost = True

    def lived(self, age_s: int, now_s: float) -> bool:
        """Take the broker's age; return True where it must have died since it was last known to live.

        An age that is less than one told before is of a new life. One that is not may be: then what it says may have
        waited on the way to us, which makes a start look later, so a new life is believed when two ages in a row agree
        about its start.
        """
        started_s = now_s - age_s
        before_s, self._told_s = self._told_s, started_s
        agrees = before_s is not None and before_s - started_s <= _AGREE_S
        if self.started_s is None or self.alive_s is None:
            self._know(started_s, age_s)
        elif self._lost and age_s + _AGREE_S < self.alive_s - self.started_s:
            self._died_s = self.alive_s
            self._know(started_s, age_s)
            return True
        elif started_s <= max(self.started_s, self.alive_s - 2 * _SECOND_S) + _SECOND_S:
            self._know(min(self.started_s, started_s), age_s)
            if agrees:
                self._note_death()
        elif not self._lost:
            self._know(self.started_s, age_s)
        elif agrees:
            self._died_s = self.alive_s
            self._know(started_s, age_s)
            self._note_death()
            return True
        return False

    def deaths(self) -> list[Death]:
        """Return the deaths that showed and were not written yet."""
        return list(self._deaths)

    def written(self, count: int) -> None:
        """Forget the first of `deaths`."""
        del self._deaths[:count]

    def _note_death(self) -> None:
        if self._died_s is not None and self.started_s is not None and len(self._deaths) < _DEATHS_MAX:
            # Brokers tell whole seconds: one that came back within one may seem to have begun before it was last heard.
            self._deaths.append(Death(min(self._died_s, self.started_s), self.started_s))
        self._died_s = None

    def _know(self, started_s: float, age_s: int) -> None:
        self.started_s, self.alive_s, self._lost = started_s, started_s + age_s, False
