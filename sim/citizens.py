"""Simulated citizens: now and then somebody who walks below a dark lamp reports it."""

import random
from contextlib import suppress

from city.alarm import FaultClass
from city.clock import HOUR_US, MINUTE_US
from city.errors import ConflictError, NotFoundError
from city.pack import CityPack
from sim.diary import Diary
from sim.portal import Portal
from sim.repairs import Repairs

_HOUR = "citizens|hour"
_SEEN_AFTER_US = 30 * MINUTE_US
_SHARE = 0.4
"""Of the hours in which something is dark: somebody reports it."""


class Citizens:
    """Reports at most one dark lamp in each hour of city time; `look` is to be called again and again."""

    def __init__(self, pack: CityPack, portal: Portal, repairs: Repairs, diary: Diary, seed: int) -> None:
        self._portal = portal
        self._repairs = repairs
        self._diary = diary
        self._seed = seed
        schedules = {feeder.feeder_id: pack.schedules[feeder.schedule_id] for feeder in pack.feeders}
        self._lamps = {lamp.lamp_id: schedules[lamp.feeder_id] for lamp in pack.lamps}
        self._category = next((c.code for c in pack.categories if FaultClass.LAMP_FAILURE in c.faults), None)

    def look(self, now_us: int) -> None:
        """Report what somebody has seen in the hour that has begun.

        Raises
        ------
        EngineError
            The portals are away; the report is made at the next call.
        """
        hour = now_us // HOUR_US
        if self._category is None or self._diary.read(_HOUR) == hour:
            return
        rng = random.Random(f"citizen|{self._seed}|{hour}")  # noqa: S311 - a drawing, not a secret
        dark = sorted(
            fault.asset_id
            for fault in self._repairs.faults()
            if fault.fault is FaultClass.LAMP_FAILURE
            and fault.active(now_us)
            and fault.active(now_us - _SEEN_AFTER_US)
            and self._burns(fault.asset_id, now_us)
            and self._burns(fault.asset_id, now_us - _SEEN_AFTER_US)
        )
        if dark and rng.random() < _SHARE:
            lamp = rng.choice(dark)
            # Another city stood in this database before, or the lamp has gone: then nobody has seen anything.
            with suppress(ConflictError, NotFoundError):
                # Sent again after a crash it is the same report.
                self._portal.report(
                    category=self._category,
                    lamp=lamp,
                    description=f"Vecina simulada: la farola {lamp} está apagada.",
                    request_key=f"sim-{self._seed}-{hour}",
                )
        self._diary.write(_HOUR, hour)

    def _burns(self, lamp_id: str, at_us: int) -> bool:
        schedule = self._lamps.get(lamp_id)
        return schedule is not None and schedule.commanded_on(at_us)
