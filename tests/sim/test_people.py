"""Simulated people live while the city does, and wait for portals that are away."""

import threading

from city.clock import ScaledClock
from city.errors import EngineError
from sim.people import living

CLOCK = ScaledClock(0, 0, 1000.0)
PATIENCE_S = 20


class Somebody:
    """Finds the portals away the first time."""

    def __init__(self) -> None:
        self.looks = 0
        self.again = threading.Event()

    def look(self, now_us: int) -> None:
        self.looks += 1
        if self.looks == 1:
            raise EngineError("the portals do not answer")
        self.again.set()


class Broken:
    """Has a mistake of our own in it."""

    def look(self, now_us: int) -> None:
        raise ZeroDivisionError


def test_people_look_again_after_the_portals_were_away_and_end_with_the_city() -> None:
    somebody, stop = Somebody(), threading.Event()
    with living([somebody], CLOCK, stop):
        assert somebody.again.wait(PATIENCE_S)
    looks = somebody.looks
    assert not stop.is_set()
    assert [t.name for t in threading.enumerate() if t.name == "people"] == []
    assert somebody.looks == looks


def test_a_mistake_of_ours_ends_the_process_instead_of_leaving_a_city_without_people() -> None:
    stop, before = threading.Event(), threading.excepthook
    seen = []
    threading.excepthook = lambda told: seen.append(told.exc_type)
    try:
        with living([Broken()], CLOCK, stop):
            assert stop.wait(PATIENCE_S)
    finally:
        threading.excepthook = before
    assert seen == [ZeroDivisionError]
