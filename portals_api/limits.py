"""How often one address may post; counted in this process."""

import time
from collections import OrderedDict, deque

_WINDOW_S = 60.0
_ADDRESSES_MAX = 10_000


class RateLimiter:
    """A sliding window of one minute per address, over a bounded number of addresses."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, address: str, now_s: float | None = None) -> int:
        """Return how many seconds an address has to wait, 0 if none; counts nothing."""
        now_s = time.monotonic() if now_s is None else now_s
        times = self._seen.get(address, ())
        recent = [at for at in times if at > now_s - _WINDOW_S]
        return 0 if len(recent) < self._per_minute else max(1, int(recent[0] + _WINDOW_S - now_s) + 1)

    def retry_after_s(self, address: str, now_s: float | None = None) -> int:
        """Count one request; return 0 if it may pass, else how many seconds to wait."""
        now_s = time.monotonic() if now_s is None else now_s
        times = self._seen.setdefault(address, deque())
        self._seen.move_to_end(address)
        while len(self._seen) > _ADDRESSES_MAX:
            self._seen.popitem(last=False)
        while times and times[0] <= now_s - _WINDOW_S:
            times.popleft()
        if len(times) >= self._per_minute:
            return max(1, int(times[0] + _WINDOW_S - now_s) + 1)
        times.append(now_s)
        return 0
