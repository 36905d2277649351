"""When messages count as received: each a microsecond after the one before it, so that no two share a moment."""

from city.clock import Clock


class Moments:
    """Gives each flush a stretch of city time of its own, a microsecond for each of its messages."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._free_at = 0

    def take(self, messages: int) -> int:
        """Return when the first of so many messages counts as received, µs UTC: now, or right behind those before."""
        first = max(self._clock.now_us(), self._free_at)
        self._free_at = first + messages
        return first
