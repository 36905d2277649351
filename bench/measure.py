"""What a process under measurement tells its parent: when it is ready, then what the messages cost it."""

import json
import resource
import sys
import time


class Meter:
    """Counts messages between the first and the last, and the CPU of this whole process meanwhile."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.count = 0
        self._first_at = 0.0
        self._first_count = 0
        self._last_at = 0.0
        self._cpu = 0.0
        self._ready_at = 0.0

    def ready(self) -> None:
        """Say that load may come."""
        self._cpu = _cpu_s()
        self._ready_at = time.monotonic()
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    def add(self, count: int) -> None:
        """Note messages that are on the log."""
        now = time.monotonic()
        if not self.count:
            self._first_at, self._first_count = now, count
        self.count += count
        self._last_at = now

    def done(self, quiet_s: float = 2.0) -> bool:
        """Tell whether all have come, or (QoS 0, where a broker may drop) nothing more does."""
        return self.count >= self.expected or (self.count > 0 and time.monotonic() - self._last_at > quiet_s)

    def idle(self, patience_s: float = 45.0) -> bool:
        """Tell whether nothing ever came."""
        return not self.count and time.monotonic() - self._ready_at > patience_s

    def report(self, **more: float) -> None:
        """Write the figures, and `more` of them, as one line of JSON; times are of the one monotonic clock."""
        used = _cpu_s() - self._cpu
        span = max(self._last_at - self._first_at, 1e-9)
        # The first batch only starts the watch: how long it took to come, nobody knows.
        rate = (self.count - self._first_count) / span
        figures = {
            "messages": self.count,
            "cpu_us": used / max(self.count, 1) * 1e6,
            "rate": rate,
            "first_at": self._first_at,
            "last_at": self._last_at,
            **more,
        }
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stdout.flush()


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
