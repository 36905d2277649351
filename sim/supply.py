"""When a feeder has supply: switching by clock or photocell, and every kind of interruption."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from city.alarm import FaultClass
from city.asset import Feeder, Switching
from city.clock import DAY_US, HOUR_US, MINUTE_US
from city.lighting import LightingSchedule
from sim.faults import PlantedFault
from sim.noise import key_of, unit
from sim.weather import Weather

NEVER = -(1 << 62)

_PHOTOCELL_US = 6 * MINUTE_US
_CLOUD_US = 9 * MINUTE_US
_TRIP_FROM_DUSK_US = 11 * HOUR_US

_INTERRUPTS = (
    FaultClass.SUPPLY_LOSS,
    FaultClass.CIRCUIT_BREAKER_TRIPPED,
    FaultClass.CABLE_THEFT,
    FaultClass.RCD_RECLOSING,
)


@dataclass(frozen=True, slots=True)
class Interruption:
    """A time without supply for some lamps of a feeder.

    Attributes
    ----------
    phase : int or None
        Only this phase; None: all.
    tail : float
        Only lamps that hang further along the feeder than this share of it; 0: all.
    """

    start_us: int
    end_us: int | None
    phase: int | None = None
    tail: float = 0.0

    def active(self, at_us: int) -> bool:
        """Tell whether supply is gone at `at_us`."""
        return self.start_us <= at_us and (self.end_us is None or at_us < self.end_us)


@dataclass(frozen=True, slots=True)
class FeederState:
    """A feeder at one moment.

    Attributes
    ----------
    supplied : bool
        Whether the cabinet feeds it; interruptions come on top.
    lit_since_us : int or None
        Since when its lamps are told to burn; None: they are told to be off.
    level_pct : int
        The level that they are told; 0 when off.
    """

    supplied: bool
    lit_since_us: int | None
    level_pct: int


class FeederSupply:
    """What one feeder gets and is told, as pure functions of time.

    Parameters
    ----------
    feeder : Feeder
    schedule : LightingSchedule
    clock_off_us : int
        How far the cabinet's clock is ahead. It moves the contactor of a switched feeder; controllers on a permanent
        one have their time from the gateway.
    photocell : bool
    faults : sequence of PlantedFault
        Of the feeder and of its cabinet.
    """

    def __init__(
        self,
        feeder: Feeder,
        schedule: LightingSchedule,
        seed: int,
        weather: Weather,
        *,
        clock_off_us: int,
        photocell: bool,
        faults: Sequence[PlantedFault],
    ) -> None:
        self.feeder = feeder
        self.schedule = schedule
        self.switched = feeder.switching is Switching.SWITCHED
        self._seed = seed
        self._weather = weather
        self._clock_off_us = clock_off_us
        self._photocell = photocell
        self._faults = tuple(faults)
        self._night: tuple[int, int, int | None, int] | None = None

    def has_fault(self, fault: FaultClass, at_us: int) -> PlantedFault | None:
        """Return the fault of this kind that is active."""
        return next((f for f in self._faults if f.fault is fault and f.active(at_us)), None)

    def state(self, at_us: int) -> FeederState:
        """Return what the feeder gets and is told at `at_us`, µs UTC, interruptions left out."""
        since = self._lit_since(at_us)
        stuck = self.has_fault(FaultClass.SWITCHING_ERROR_ON, at_us)
        dead = self.has_fault(FaultClass.SWITCHING_ERROR_OFF, at_us)
        if dead is not None:
            return FeederState(not self.switched, None, 0)
        if stuck is not None and since is None:
            return FeederState(True, stuck.onset_us, 100)
        if since is None:
            return FeederState(not self.switched, None, 0)
        return FeederState(True, since, self.schedule.level_if_on(at_us + self._ahead(at_us)))

    def interruptions(self, start_us: int, end_us: int) -> Iterator[Interruption]:
        """Yield those that touch [start_us, end_us)."""
        for fault in self._faults:
            if fault.fault not in _INTERRUPTS:
                continue
            for found in self._of_fault(fault, start_us, end_us):
                if found.start_us < end_us and (found.end_us is None or found.end_us > start_us):
                    yield found

    def _of_fault(self, fault: PlantedFault, start_us: int, end_us: int) -> Iterator[Interruption]:
        key = key_of(self._seed, "interruption", self.feeder.feeder_id, fault.onset_us)
        match fault.fault:
            case FaultClass.CIRCUIT_BREAKER_TRIPPED if fault.asset_id == self.feeder.feeder_id:
                yield Interruption(fault.onset_us, fault.end_us, phase=key % 3)
            case FaultClass.CABLE_THEFT:
                yield Interruption(fault.onset_us, fault.end_us, tail=0.3 + (key % 40) / 100)
            case FaultClass.RCD_RECLOSING:
                yield from self._trips(fault, start_us, end_us)
            case _:
                yield Interruption(fault.onset_us, fault.end_us)

    def _trips(self, fault: PlantedFault, start_us: int, end_us: int) -> Iterator[Interruption]:
        """Yield two to four short losses in each night."""
        first = max(start_us, fault.onset_us) // DAY_US - 1
        last = min(end_us, fault.end_us if fault.end_us is not None else end_us) // DAY_US + 1
        for day in range(first, last):
            key = key_of(self._seed, "trips", self.feeder.feeder_id, day)
            dusk = day * DAY_US + 18 * HOUR_US
            for number in range(2 + key % 3):
                at_us = dusk + int(unit(key, "trip", number) * _TRIP_FROM_DUSK_US)
                length = (3 + key_of(key, "length", number) % 18) * MINUTE_US
                if fault.active(at_us):
                    end = at_us + length
                    yield Interruption(at_us, end if fault.end_us is None else min(end, fault.end_us))

    def _ahead(self, at_us: int) -> int:
        """Return how far the clock that switches this feeder is ahead."""
        if not self.switched:
            return 0
        wrong = self.has_fault(FaultClass.CABINET_CLOCK_WRONG, at_us)
        if wrong is None:
            return self._clock_off_us
        minutes = 25 + key_of(self._seed, "wrong clock", self.feeder.cabinet_id, wrong.onset_us) % 65
        return minutes * MINUTE_US * (1 if minutes % 2 else -1)

    def _lit_since(self, at_us: int) -> int | None:
        ahead = self._ahead(at_us)
        clock_us = at_us + ahead
        if self._night is None or not self._night[0] <= clock_us < self._night[1]:
            self._night = self._stretch(clock_us)
        since = self._night[2]
        return None if since is None else since - ahead

    def _stretch(self, at_us: int) -> tuple[int, int, int | None, int]:
        """Return the stretch around `at_us` in which nothing switches: from, until, lit since (or None), unused."""
        ons, offs = self.schedule.periods(at_us - 2 * DAY_US, at_us + 2 * DAY_US)
        low, high = at_us - DAY_US, at_us + DAY_US
        for on, off in zip(ons.tolist(), offs.tolist(), strict=True):
            if self._photocell:
                on, off = self._seen(on, -1), self._seen(off, 1)
            if on <= at_us < off:
                return on, off, on, 0
            if off <= at_us:
                low = max(low, off)
            else:
                high = min(high, on)
        return low, high, None, 0

    def _seen(self, at_us: int, sign: int) -> int:
        """Return when a photocell switches: it has its own threshold, and a dark sky makes it burn longer."""
        own = 2 * unit(self._seed, "lux", self.feeder.feeder_id) - 1
        nightly = 2 * unit(self._seed, "lux", self.feeder.feeder_id, at_us // DAY_US) - 1
        cloud = float(self._weather.cloud(np.array([at_us], np.int64))[0]) - 0.5
        shift = (own + 0.3 * nightly) * _PHOTOCELL_US * 0.75 + sign * 0
        return at_us + int(shift) + sign * int(cloud * _CLOUD_US)
