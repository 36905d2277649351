"""Rounds of checkpoints beside the work on the next records: when one may begin, and what became of the last."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from stream.log import TopicPartition

Saved = dict[TopicPartition, int]
"""Up to which offset partitions are saved."""


class Rounds:
    """One round after the other, each `every_s` or later; a round saves one partition after the other.

    Parameters
    ----------
    every_s : float
    share : float
        Rounds take this share of the time at most: where states are large they are further apart.
    """

    def __init__(self, every_s: float, share: float) -> None:
        self._every_s, self._share = every_s, share
        self._task: asyncio.Task[Saved] | None = None
        self._left: list[TopicPartition] = []
        self._began_at = time.monotonic()
        self._due_at = self._began_at + every_s

    def next(self, moved: Callable[[], Iterable[TopicPartition]]) -> TopicPartition | None:
        """Return which partition to save now; None: none.

        Parameters
        ----------
        moved : callable
            → partitions that a new round has to save.
        """
        if self._task is not None:
            return None
        if not self._left and time.monotonic() >= self._due_at:
            self._began_at = time.monotonic()
            self._left = sorted(moved(), reverse=True)
        return self._left.pop() if self._left else None

    def begin(self, saving: Coroutine[Any, Any, Saved]) -> None:
        """Begin to save what `next` told."""
        assert self._task is None
        self._task = asyncio.create_task(saving)

    def ended(self) -> Saved:
        """Return what has been saved since; nothing where saving still goes on.

        Raises
        ------
        CityNerveError
            What saving failed of.
        """
        if self._task is None or not self._task.done():
            return {}
        task, self._task = self._task, None
        now = time.monotonic()
        self._due_at = max(self._began_at + self._every_s, now + (now - self._began_at) * (1 / self._share - 1))
        return task.result()

    async def end(self) -> Saved:
        """Wait for what goes on, and return what it has saved."""
        if self._task is not None:
            await asyncio.wait([self._task])
        return self.ended()

    async def drop(self) -> None:
        """Break off what goes on: nobody is left who could use it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
