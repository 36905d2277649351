"""Who is next where work is dear: a few at once, and guests in turn, so that one who asks much delays himself alone."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from city.errors import EngineError


class Busy(EngineError):
    """There is no room to wait in: come again later."""


class Turns:
    """A waiting room. When it is full, whoever has most in it gives up his last place for a guest who has less.

    Parameters
    ----------
    at_once : int
        Turns that run together.
    waiting_max : int
        Places in the room.
    """

    def __init__(self, at_once: int, waiting_max: int) -> None:
        self._free = at_once
        self._waiting_max = waiting_max
        self._waiting = 0
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, guest: str) -> AsyncIterator[None]:
        """Wait until it is the guest's turn, and hold it.

        Raises
        ------
        Busy
            The room is full, or his place was given to another guest.
        """
        if self._free:
            self._free -= 1
        else:
            await self._wait(guest)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, guest: str) -> None:
        if self._waiting >= self._waiting_max:
            self._make_room(guest)
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(guest, deque()).append(place)
        self._waiting += 1
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._pass_on()  # It had become his turn in the same moment.
            else:
                self._leave(guest, place)
            raise

    def _make_room(self, guest: str) -> None:
        most = max(self._queues, key=lambda name: len(self._queues[name]))
        if len(self._queues[most]) <= len(self._queues.get(guest, ())) + 1:
            raise Busy("too many passwords wait to be compared: come again later")
        place = self._queues[most][-1]
        self._leave(most, place)
        place.set_exception(Busy("too many passwords of one address wait to be compared: come again later"))

    def _leave(self, guest: str, place: "asyncio.Future[None]") -> None:
        queue = self._queues.get(guest)
        if queue is not None and place in queue:
            queue.remove(place)
            self._waiting -= 1
            if not queue:
                del self._queues[guest]

    def _pass_on(self) -> None:
        """Give the turn to the guest who has waited longest for one, or to nobody."""
        while self._queues:
            guest, queue = next(iter(self._queues.items()))
            place = queue[0]
            self._leave(guest, place)
            if queue:
                self._queues.move_to_end(guest)
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
