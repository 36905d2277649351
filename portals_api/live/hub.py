"""Hands each change to every listener: numbered, resumable, and never waiting for a slow one."""

import asyncio
import json
import secrets
from collections import deque
from typing import Any

RELOAD = "reload"
"""The event that says: what you hold is no longer the truth, load it anew."""


class Listener:
    """One listener's queue of frames; None at its end says that we are closing."""

    def __init__(self, length: int) -> None:
        self.frames: asyncio.Queue[bytes | None] = asyncio.Queue(length)

    def offer(self, frame: bytes, reload: bytes) -> None:
        """Queue a frame; a full queue is emptied, and its listener told to load everything anew."""
        if self.frames.full():
            while not self.frames.empty():
                self.frames.get_nowait()
            frame = reload
        self.frames.put_nowait(frame)

    def end(self) -> None:
        """Say that nothing more comes."""
        while not self.frames.empty():
            self.frames.get_nowait()
        self.frames.put_nowait(None)


class Hub:
    """The changes that one kind of viewer may see.

    Parameters
    ----------
    kept : int
        Changes that a listener who was away can still get; who was away longer loads everything anew.
    queue : int
        Changes that wait for a slow listener.
    """

    def __init__(self, *, kept: int = 256, queue: int = 64) -> None:
        self._epoch = secrets.token_hex(4)
        self._number = 0
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=kept)
        self._queue = queue
        self.listeners: set[Listener] = set()

    @property
    def last_id(self) -> str:
        """Names the newest change: what is read now includes it."""
        return f"{self._epoch}-{self._number}"

    def publish(self, event: str, data: Any) -> None:
        """Give a change its number and hand it to everyone."""
        self._number += 1
        frame = self._frame(event, data)
        self._kept.append((self._number, frame))
        for listener in self.listeners:
            listener.offer(frame, self._frame(RELOAD, {}))

    def join(self, after: str | None) -> Listener:
        """Add a listener who has seen the change `after`; None: everything up to now."""
        listener = Listener(self._queue)
        for frame in self._missed(after):
            listener.offer(frame, self._frame(RELOAD, {}))
        self.listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        self.listeners.discard(listener)

    def _missed(self, after: str | None) -> list[bytes]:
        if after is None:
            return []
        epoch, _, number = after.partition("-")
        reload = [self._frame(RELOAD, {})]
        if epoch != self._epoch or not number.isdecimal() or len(number) > 15 or int(number) > self._number:
            return reload
        missed = [frame for at, frame in self._kept if at > int(number)]
        whole = self._number - int(number) == len(missed)
        return missed if whole else reload

    def _frame(self, event: str, data: Any) -> bytes:
        body = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        return f"id: {self.last_id}\nevent: {event}\ndata: {body}\n\n".encode()
