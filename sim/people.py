"""The thread in which simulated people live: they look around again and again, and wait while the portals are away."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from city.clock import Clock
from city.errors import EngineError

logger = logging.getLogger(__name__)

_EVERY_CITY_S = 60.0
_EVERY_S = (0.5, 30.0)
_BACKOFF_S = (1.0, 30.0)


class Person(Protocol):
    """Somebody who acts on what is to be seen."""

    def look(self, now_us: int) -> None:
        """Look around once, at `now_us` of city time, µs UTC."""


@contextmanager
def living(people: Sequence[Person], clock: Clock, stop: threading.Event) -> Iterator[None]:
    """Let people live in a thread of their own for the time of the block; should it fail, `stop` is set."""
    over = threading.Event()

    def live() -> None:
        try:
            _live(people, clock, over)
        finally:
            if not over.is_set():
                stop.set()

    thread = threading.Thread(target=live, name="people")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _live(people: Sequence[Person], clock: Clock, over: threading.Event) -> None:
    pause_s = min(max(_EVERY_CITY_S / clock.speed, _EVERY_S[0]), _EVERY_S[1])
    backoff_s = _BACKOFF_S[0]
    while not over.wait(pause_s):
        try:
            for person in people:
                person.look(clock.now_us())
        except EngineError as exc:
            logger.info("simulated people wait", extra={"reason": str(exc), "seconds": backoff_s})
            over.wait(backoff_s)
            backoff_s = min(2 * backoff_s, _BACKOFF_S[1])
        else:
            backoff_s = _BACKOFF_S[0]
