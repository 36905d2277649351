"""Who lives in the simulated city: crews that mend it and citizens who report, as far as the settings want them."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.settings import Settings
from city.clock import Clock
from city.pack import CityPack
from sim.citizens import Citizens
from sim.crew import Crews
from sim.diary import Diary
from sim.faults import PlantedFault
from sim.people import Person, living
from sim.portal import Portal
from sim.repairs import Repairs


@contextmanager
def simulated_life(
    settings: Settings,
    folder: Path,
    pack: CityPack,
    clock: Clock,
    planted: Sequence[PlantedFault],
    stop: threading.Event,
) -> Iterator[Repairs]:
    """Let people live for the time of the block; yields the truth as they change it.

    Raises
    ------
    EngineError
        The files in `folder` cannot be used.
    """
    repairs, diary = Repairs(planted, folder / "repairs.sqlite"), Diary(folder / "diary.sqlite")
    try:
        if settings.sim_people:
            portal = Portal(settings.portal_url or settings.pages_url)
            people: list[Person] = [
                Crews(pack, portal, repairs, diary, settings.seed),
                Citizens(pack, portal, repairs, diary, settings.seed),
            ]
            with living(people, clock, stop):
                yield repairs
        else:
            yield repairs
    finally:
        diary.close()
        repairs.close()
