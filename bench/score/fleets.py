"""Seeded fleets of one cadence, with faults of every kind that it can show."""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from city.alarm import FaultClass
from city.asset import Lamp, Switching
from city.clock import DAY_US, HOUR_US, from_datetime
from city.pack import CityPack
from city.profile import parse_pack
from sim.city import generate_city
from sim.faultkinds import FACILITY_METRICS
from sim.faults import PlantedFault

QUARTER, HOURLY, COUNTERS, FACILITIES = 900, 3_600, 14_400, 0
"""Cadences in seconds; 0 stands for a fleet of facilities, which report each quarter of an hour."""
CADENCES = (QUARTER, HOURLY, COUNTERS)

LAMPS = 400
DAYS = 120
WARM_DAYS = 21
"""Nothing breaks before, so that what has to be learnt can be."""
SLOT_DAYS = 8
_FULL_SHARE = 0.4
"""Of feeders each quarter of an hour, with controllers that measure all they can."""
_DIMMED_SHARE = 0.7
"""Of LED feeders, beside those that the city has dimmed anyway: a failure to dim shows nowhere else."""

_PROFILE = {HOURLY: "lamp-controller-hourly", COUNTERS: "lamp-counter"}
_LOAD = ("active_power_w", "operating_hours_h")
_FEEDER_NEEDS: Mapping[FaultClass, tuple[str, ...]] = {
    FaultClass.SUPPLY_LOSS: (),
    FaultClass.CIRCUIT_BREAKER_TRIPPED: (),
    FaultClass.CABLE_THEFT: (),
    # Trips of minutes show by last gasps alone where messages are rare, and counters have none.
    FaultClass.RCD_RECLOSING: ("supply_voltage_v",),
    FaultClass.SUPPLY_VOLTAGE_TOO_LOW: ("supply_voltage_v",),
    FaultClass.SUPPLY_VOLTAGE_TOO_HIGH: ("supply_voltage_v",),
    FaultClass.LOST_NEUTRAL: ("supply_voltage_v",),
    FaultClass.SWITCHING_ERROR_ON: ("active_power_w",),
    FaultClass.SWITCHING_ERROR_OFF: ("active_power_w",),
}
_LAMP_NEEDS: Mapping[FaultClass, tuple[str, ...]] = {
    FaultClass.LAMP_FAILURE: _LOAD,
    FaultClass.LAMP_UNEXPECTED_ON: _LOAD,
    FaultClass.COMMUNICATION_FAILURE: (),
    FaultClass.DIMMING_FAILURE: ("active_power_w",),
    FaultClass.CYCLING_FAILURE: ("active_power_w", "switch_on_count"),
    FaultClass.FLICKER: ("active_power_w",),
    FaultClass.POWER_FACTOR_TOO_LOW: ("power_factor",),
    FaultClass.LED_MODULE_LOST: ("active_power_w",),
    FaultClass.LAMP_POWER_TOO_LOW: ("active_power_w",),
    FaultClass.LAMP_POWER_TOO_HIGH: ("active_power_w",),
    FaultClass.STUCK_SENSOR: _LOAD,
    FaultClass.COUNTER_RESET: ("active_energy_kwh", "operating_hours_h"),
}
"""What the simulator's faults change at all: one of these must be measured."""

_HOURS: Mapping[FaultClass, tuple[int, int]] = {
    FaultClass.SUPPLY_LOSS: (18, 36),
    FaultClass.CIRCUIT_BREAKER_TRIPPED: (24, 48),
    FaultClass.CABLE_THEFT: (24, 48),
    FaultClass.RCD_RECLOSING: (72, 110),
    FaultClass.CABINET_CLOCK_WRONG: (72, 110),
    # People come on some day of any four.
    FaultClass.CO2_TOO_HIGH: (96, 144),
}
_LAMP_HOURS, _FEEDER_HOURS, _GATEWAY_HOURS, _FACILITY_HOURS = (72, 120), (30, 60), (8, 20), (48, 96)

_GATEWAY_SHARE, _CABINET_SHARE, _GROUP_SHARE, _FEEDER_SHARE, _LAMP_SHARE = 0.10, 0.24, 0.06, 0.56, 0.37


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """One fleet of a run; equal plans give equal readings.

    Attributes
    ----------
    cadence : int
        One of `CADENCES`, or `FACILITIES`.
    kinds : frozenset of str
        Only these are planted; empty: all.
    noise : str
        Of facilities' sensors, on top of the simulator's: ``gaussian`` or ``heavy``.
    thin, lose, gain : float
        Share of reports left, share lost, and error of the power meters.
    """

    seed: int
    cadence: int
    lamps: int = LAMPS
    days: int = DAYS
    kinds: frozenset[str] = frozenset()
    noise: str = "gaussian"
    thin: float = 1.0
    lose: float = 0.0
    gain: float = 1.0

    @property
    def start_us(self) -> int:
        """Where its time begins: at noon of some day of a year, so that runs see every season."""
        first = from_datetime(datetime(2026, 1, 1, 12, tzinfo=UTC))
        return first + random.Random(f"season|{self.seed}").randrange(365) * DAY_US

    @property
    def end_us(self) -> int:
        """Where it ends."""
        return self.start_us + self.days * DAY_US


def pack_of(plan: FleetPlan) -> CityPack:
    """Return the inventory of a fleet."""
    if plan.cadence == FACILITIES:
        pack = parse_pack(generate_city(plan.seed, lamps=60, facilities=plan.lamps))
        known = {facility.facility_id for facility in pack.facilities}
        devices = tuple(d for d in pack.devices if d.asset_id in known)
        return replace(pack, devices=devices, lamps=(), feeders=(), cabinets=())
    pack = parse_pack(generate_city(plan.seed, lamps=plan.lamps, facilities=1))
    rng = random.Random(f"makes|{plan.seed}")
    make = {f.feeder_id: _make(plan.cadence, rng) for f in pack.feeders}
    feeder_of = {lamp.lamp_id: lamp.feeder_id for lamp in pack.lamps}
    led = {lamp.feeder_id for lamp in pack.lamps if lamp.lamp_type == "led"}
    dimmed = {f.feeder_id for f in pack.feeders if f.feeder_id in led and rng.random() < _DIMMED_SHARE}
    feeders = tuple(replace(f, schedule_id="part-night") if f.feeder_id in dimmed else f for f in pack.feeders)
    devices = tuple(replace(d, profile_id=make[feeder_of[d.asset_id]]) for d in pack.devices if d.asset_id in feeder_of)
    return replace(pack, feeders=feeders, devices=devices, facilities=())


def _make(cadence: int, rng: random.Random) -> str:
    full = rng.random() < _FULL_SHARE
    return _PROFILE.get(cadence) or ("lamp-controller-full" if full else "lamp-controller")


def plant(plan: FleetPlan, pack: CityPack) -> list[PlantedFault]:
    """Return the faults of a fleet: one thing at a time on a feeder, a cabinet or a gateway, dealt evenly by kind."""
    planting = _FacilityPlanting(plan, pack) if plan.cadence == FACILITIES else _LampPlanting(plan, pack)
    return sorted(planting.faults(), key=lambda f: (f.onset_us, f.asset_id, f.fault))


class _Planting:
    def __init__(self, plan: FleetPlan, pack: CityPack) -> None:
        self._plan, self._pack = plan, pack
        self._rng = random.Random(f"plant|{plan.seed}|{plan.cadence}")
        self._dealt: dict[str, int] = defaultdict(int)
        self.metrics = {d.asset_id: frozenset(pack.profiles[d.profile_id].metrics) for d in pack.devices}

    def _slots(self) -> Iterator[int]:
        # What is left after the last slot belongs to no fault, so that every label can be told in time.
        yield from range(
            self._plan.start_us + min(WARM_DAYS, self._plan.days // 3) * DAY_US,
            self._plan.end_us - SLOT_DAYS * DAY_US,
            SLOT_DAYS * DAY_US,
        )

    def _wanted(self, kind: FaultClass) -> bool:
        return not self._plan.kinds or str(kind) in self._plan.kinds

    def _deal(self, kinds: Sequence[FaultClass], count: int = 1) -> list[FaultClass]:
        """Return the kinds that were dealt least, ties by chance."""
        kinds = [kind for kind in kinds if self._wanted(kind)]
        chosen = sorted(kinds, key=lambda kind: (self._dealt[kind], self._rng.random()))[:count]
        for kind in chosen:
            self._dealt[kind] += 1
        return chosen

    def _fault(self, asset: str, kind: FaultClass, slot_us: int, hours: tuple[int, int]) -> PlantedFault:
        onset_us = slot_us + self._rng.randrange(DAY_US // 1_000_000) * 1_000_000
        low, high = _HOURS.get(kind, hours)
        return PlantedFault(onset_us, asset, kind, onset_us + self._rng.randrange(low * HOUR_US, high * HOUR_US))


class _LampPlanting(_Planting):
    def faults(self) -> Iterator[PlantedFault]:
        pack = self._pack
        lamps: dict[str, list[Lamp]] = defaultdict(list)
        for lamp in pack.lamps:
            lamps[lamp.feeder_id].append(lamp)
        cabinets: dict[str, list[str]] = defaultdict(list)
        for cabinet in pack.cabinets:
            cabinets[cabinet.gateway_id].append(cabinet.cabinet_id)
        feeders: dict[str, list[str]] = defaultdict(list)
        for feeder in pack.feeders:
            if lamps[feeder.feeder_id]:
                feeders[feeder.cabinet_id].append(feeder.feeder_id)
        self._switching = {f.feeder_id: f.switching for f in pack.feeders}
        self._dimmed = {f.feeder_id: bool(pack.schedules[f.schedule_id].dimming) for f in pack.feeders}
        slots = [(slot_us, gateway) for slot_us in self._slots() for gateway in sorted(cabinets)]
        self._rng.shuffle(slots)
        for slot_us, gateway in slots:
            if self._rng.random() < _GATEWAY_SHARE and self._wanted(FaultClass.COMMUNICATION_FAILURE):
                yield self._fault(gateway, FaultClass.COMMUNICATION_FAILURE, slot_us, _GATEWAY_HOURS)
                continue
            for cabinet in cabinets[gateway]:
                chosen = self._of_cabinet(cabinet, feeders[cabinet]) if self._rng.random() < _CABINET_SHARE else []
                if chosen:
                    yield self._fault(cabinet, chosen[0], slot_us, _FEEDER_HOURS)
                    continue
                for feeder in feeders[cabinet]:
                    yield from self._of_feeder(feeder, lamps[feeder], slot_us)

    def _of_cabinet(self, cabinet: str, feeders: Sequence[str]) -> list[FaultClass]:
        # A cabinet with one feeder is out as its feeder is: nobody could tell the two apart.
        kinds: list[FaultClass] = [FaultClass.SUPPLY_LOSS] if len(feeders) > 1 else []
        switched = any(self._switching[f] is Switching.SWITCHED for f in feeders)
        if switched and self._plan.cadence <= HOURLY:
            kinds.append(FaultClass.CABINET_CLOCK_WRONG)
        kinds = [kind for kind in kinds if self._wanted(kind)]
        # Told by name and place, so that outages of feeders and of cabinets are dealt apart.
        chosen = min(kinds, key=lambda kind: (self._dealt[f"cabinet|{kind}"], self._rng.random()), default=None)
        if chosen is None:
            return []
        self._dealt[f"cabinet|{chosen}"] += 1
        return [chosen]

    def _of_feeder(self, feeder: str, lamps: Sequence[Lamp], slot_us: int) -> Iterator[PlantedFault]:
        draw = self._rng.random()
        if draw < _GROUP_SHARE:
            if self._wanted(FaultClass.LAMP_FAILURE):
                for lamp in self._rng.sample(lamps, min(self._rng.randint(2, 4), len(lamps))):
                    yield self._fault(lamp.lamp_id, FaultClass.LAMP_FAILURE, slot_us, _LAMP_HOURS)
        elif draw < _GROUP_SHARE + _FEEDER_SHARE:
            for kind in self._deal(self._feeder_kinds(feeder, lamps)):
                yield self._fault(feeder, kind, slot_us, _FEEDER_HOURS)
        elif draw < _GROUP_SHARE + _FEEDER_SHARE + _LAMP_SHARE:
            fits = {lamp.lamp_id: self._lamp_kinds(lamp) for lamp in lamps}
            kinds = sorted({kind for some in fits.values() for kind in some})
            struck: set[str] = set()
            for kind in self._deal(kinds, 2):
                able = [name for name, some in fits.items() if kind in some and name not in struck]
                if able:
                    lamp_id = self._rng.choice(able)
                    struck.add(lamp_id)
                    yield self._fault(lamp_id, kind, slot_us, _LAMP_HOURS)

    def _feeder_kinds(self, feeder: str, lamps: Sequence[Lamp]) -> list[FaultClass]:
        measured = self.metrics[lamps[0].lamp_id]
        kinds = [kind for kind, needs in _FEEDER_NEEDS.items() if not needs or not measured.isdisjoint(needs)]
        if self._switching[feeder] is Switching.SWITCHED:
            # A contactor that stays open is a feeder without supply: no reading tells the two apart.
            kinds = [kind for kind in kinds if kind is not FaultClass.SWITCHING_ERROR_OFF]
        return kinds

    def _lamp_kinds(self, lamp: Lamp) -> list[FaultClass]:
        measured, led = self.metrics[lamp.lamp_id], lamp.lamp_type == "led"
        found: list[FaultClass] = []
        for kind, needs in _LAMP_NEEDS.items():
            match kind:
                case FaultClass.LAMP_UNEXPECTED_ON:
                    fits = self._switching[lamp.feeder_id] is Switching.PERMANENT
                case FaultClass.DIMMING_FAILURE:
                    fits = self._dimmed[lamp.feeder_id]
                case FaultClass.CYCLING_FAILURE:
                    fits = not led
                case FaultClass.LED_MODULE_LOST:
                    fits = led
                case _:
                    fits = True
            if fits and (not needs or not measured.isdisjoint(needs)):
                found.append(kind)
        return found


class _FacilityPlanting(_Planting):
    def faults(self) -> Iterator[PlantedFault]:
        slots = [(slot_us, name) for slot_us in self._slots() for name in sorted(self.metrics)]
        self._rng.shuffle(slots)
        for slot_us, name in slots:
            metrics = self.metrics[name]
            kinds: list[FaultClass] = [kind for kind, metric in FACILITY_METRICS.items() if metric in metrics]
            kinds += [FaultClass.STUCK_SENSOR, FaultClass.COMMUNICATION_FAILURE]
            if "active_energy_kwh" in metrics:
                kinds.append(FaultClass.COUNTER_RESET)
            for kind in self._deal(kinds):
                yield self._fault(name, kind, slot_us, _FACILITY_HOURS)
