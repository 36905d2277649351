"""What one connection to the embedded broker may take of it: its part of what is held, and its rate."""

import asyncio
from dataclasses import dataclass, field
from time import monotonic


@dataclass(slots=True)
class Bucket:
    """Messages that one credential may still send at once; it fills at `rate` a second up to `size`.

    It may be overdrawn by what was read already: whoever does so waits until it is filled again.
    """

    rate: float
    size: float
    level: float = field(init=False)
    at: float = field(default_factory=monotonic)

    def __post_init__(self) -> None:
        self.level = self.size

    def spend(self, now: float) -> None:
        """Take one message."""
        self.level = min(self.size, self.level + (now - self.at) * self.rate) - 1.0
        self.at = now

    def wait_s(self, now: float) -> float:
        """Return for how long nothing is to be read."""
        level = self.level + (now - self.at) * self.rate
        return max(0.0, (1.0 - level) / self.rate)


class Share:
    """One connection's part of what is unacknowledged; who has it all is not read from until some is."""

    def __init__(self, messages_max: int, bytes_max: int, bucket: Bucket | None) -> None:
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._messages = 0
        self._bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        self.bucket = bucket

    def take(self, size: int) -> None:
        """Count a message of so many bytes as held."""
        self._messages += 1
        self._bytes += size
        self._set()

    def give_back(self, size: int) -> None:
        """Count it no longer."""
        self._messages -= 1
        self._bytes -= size
        self._set()

    async def wait(self) -> float:
        """Return when this connection may be read again: for how many seconds its rate made it wait."""
        await self._room.wait()
        waited = 0.0
        if self.bucket is not None and (pause_s := self.bucket.wait_s(monotonic())):
            await asyncio.sleep(pause_s)
            waited = pause_s
        return waited

    def _set(self) -> None:
        if self._messages < self._messages_max and self._bytes < self._bytes_max:
            self._room.set()
        else:
            self._room.clear()
