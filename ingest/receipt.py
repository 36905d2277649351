"""When messages count as received: each a microsecond after the one before it, so that no two share a moment."""

from city.clock import Clock


class Moments:
    """Gives each flush a stretch of city time of its own, a microsecond for each of its messages."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._free_at = 0

    def take(self, messages: int) -> tuple[int, int]:
        """Return now, µs UTC, and how many µs later the first of so many messages counts as received."""
        now = self._clock.now_us()
        first = max(now, self._free_at)
        self._free_at = first + messages
        return now, first - now
