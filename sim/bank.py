"""All lamps that one gateway hears from controllers of one make: what each says at a moment."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from city.alarm import FaultClass
from city.asset import Device, DeviceProfile
from city.clock import HOUR_US, SECOND_US
from city.metric import ACTIVE_POWER, DIMMING_LEVEL, SUPPLY_VOLTAGE
from sim.counters import Counters
from sim.faults import PlantedFault
from sim.lampfaults import change_lamp, shift_voltage
from sim.lamps import LampColumns, Stand
from sim.noise import key_of, keys_of, uniform
from sim.observed import Heard
from sim.realism import Realism
from sim.supply import NEVER, FeederSupply, Interruption
from sim.truth import TrueLamp
from sim.weather import Weather

Observation = dict[str, Any]
"""One object of a message: device, at, and a number for each metric."""

GASP_AFTER_US = SECOND_US
_GASP_SHARE = 5
_LOOK_BACK_US = HOUR_US
_LAMP_M = 27.0
_COUNTERS = ("active_energy_kwh", "operating_hours_h", "switch_on_count")
_VOLTAGE_FAULTS = (FaultClass.SUPPLY_VOLTAGE_TOO_LOW, FaultClass.SUPPLY_VOLTAGE_TOO_HIGH, FaultClass.LOST_NEUTRAL)

Places = Mapping[str, tuple[int, int]]
"""Lamp → its place on its feeder, and how many lamps hang there."""


class LampBank:
    """Some lamps as columns; what they say depends on time and on the faults that `refresh` was told.

    Parameters
    ----------
    devices : sequence of Device
        All of one gateway and of one profile.
    lamps : mapping
        Lamp → the lamp as it really is.
    places : mapping
        Lamp → (place on its true feeder, lamps there).
    supplies : mapping
        Feeder → its supply, shared with other banks and replaced when its faults change.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        profile: DeviceProfile,
        lamps: Mapping[str, TrueLamp],
        places: Places,
        supplies: dict[str, FeederSupply],
        seed: int,
        realism: Realism,
        weather: Weather,
    ) -> None:
        hung = [lamps[d.asset_id] for d in devices]
        self.profile = profile
        self.period_us = profile.report_interval_s * SECOND_US
        self.device_ids = tuple(d.device_id for d in devices)
        self.lamp_ids = tuple(lamp.lamp_id for lamp in hung)
        self._seed, self._realism, self._weather = seed, realism, weather
        self._all_supplies = supplies
        self.feeder_ids = tuple(dict.fromkeys(lamp.feeder_id for lamp in hung))
        number = {feeder: i for i, feeder in enumerate(self.feeder_ids)}
        self._feeder = np.array([number[lamp.feeder_id] for lamp in hung], np.int64)
        self._phase = np.array([lamp.phase for lamp in hung], np.int64)
        self._along = np.array([(places[i][0] + 1) / places[i][1] for i in self.lamp_ids], np.float64)
        self.columns = LampColumns(
            hung,
            (self._feeder * 3 + self._phase).tolist(),
            self._along.tolist(),
            [places[i][1] * _LAMP_M for i in self.lamp_ids],
            [supplies[lamp.feeder_id].feeder.cabinet_id for lamp in hung],
            seed,
            realism,
        )
        self._loss_keys = keys_of(seed, "loss", list(self.device_ids))
        self._rows: dict[str, list[int]] = defaultdict(list)
        for index, lamp_id in enumerate(self.lamp_ids):
            self._rows[lamp_id].append(index)
        self._faults: tuple[PlantedFault, ...] = ()
        self._stuck: dict[tuple[str, int], dict[str, list[Any]]] = {}
        self._counts = any(name in profile.metrics for name in _COUNTERS)

    def refresh(self, faults: Mapping[str, Sequence[PlantedFault]]) -> None:
        """Learn what is wrong with which lamp; the supplies are read anew each time."""
        self._faults = tuple(fault for lamp_id in self._rows for fault in faults.get(lamp_id, ()))

    def holds(self, asset_id: str) -> bool:
        """Tell whether a lamp is among these."""
        return asset_id in self._rows

    # ------------------------------------------------------------ hearing

    def observe(self, at_us: int, at: str) -> list[Observation]:
        """Return what the controllers say at `at_us`, µs UTC, written as `at`; the silent and the lost are absent."""
        index, values = self._spoken(at_us)
        names = ("device", "at", *self.profile.metrics)
        columns = [values[name][index].tolist() for name in self.profile.metrics] if values else []
        devices = self.device_ids
        return [
            dict(zip(names, (devices[i], at, *row), strict=True))
            for i, row in zip(index.tolist(), zip(*columns, strict=True), strict=False)
        ]

    def hear(self, at_us: int) -> Heard:
        """Return the same as columns, without a dictionary for each device."""
        index, values = self._spoken(at_us)
        metrics = self.profile.metrics
        columns = [values[name][index].astype(np.float64) for name in metrics] if values else []
        said = np.stack(columns, axis=1) if columns else np.zeros((0, len(metrics)))
        return Heard(self.device_ids, index, metrics, said)

    def _spoken(self, at_us: int) -> tuple[NDArray[np.intp], dict[str, NDArray[Any]]]:
        """Return which devices speak, and what all of them would say; nothing where none does."""
        stand, supplied, since_us = self._stand(at_us)
        speaks = supplied & (at_us - since_us >= self.columns.boot_us)
        for fault in self._faults:
            if fault.fault is FaultClass.COMMUNICATION_FAILURE and fault.active(at_us):
                speaks[self._rows[fault.asset_id]] = False
        if self._realism.loss_share:
            speaks &= uniform(self._loss_keys, at_us) >= self._realism.loss_share
        index = np.flatnonzero(speaks)
        return index, self._values(at_us, stand) if len(index) else {}

    def gasps(self, after_us: int, until_us: int) -> Iterator[int]:
        """Yield the moments in (after, until] at which controllers say that their supply has gone."""
        for feeder_id in self.feeder_ids:
            for found in self._losses(feeder_id, after_us - GASP_AFTER_US, until_us):
                if after_us < found.start_us + GASP_AFTER_US <= until_us:
                    yield found.start_us + GASP_AFTER_US

    def last_gasps(self, at_us: int, at: str) -> list[Observation]:
        """Return the last words of the few controllers, a fifth at most, that manage one."""
        start_us = at_us - GASP_AFTER_US
        heard: list[Observation] = []
        for number, feeder_id in enumerate(self.feeder_ids):
            for found in self._losses(feeder_id, start_us, start_us + 1):
                if found.start_us == start_us:
                    heard += self._gasp(number, found, at_us, at)
        return heard

    def _gasp(self, number: int, found: Interruption, at_us: int, at: str) -> list[Observation]:
        state = self._all_supplies[self.feeder_ids[number]].state(at_us)
        rows = np.flatnonzero(self._hit(number, found)).tolist()
        keys = sorted((key_of(self._seed, "gasp", self.lamp_ids[i], at_us), i) for i in rows)
        said = {ACTIVE_POWER: 0.0, SUPPLY_VOLTAGE: 0.0, DIMMING_LEVEL: state.level_pct}
        told = {name: said[name] for name in self.profile.metrics if name in said}
        if not told:
            return []
        return [
            {"device": self.device_ids[i], "at": at, **told}
            for _, i in keys[: len(keys) // _GASP_SHARE]
            if not self._mute(self.lamp_ids[i], at_us)
        ]

    def _losses(self, feeder_id: str, start_us: int, end_us: int) -> Iterable[Interruption]:
        """Yield interruptions that take supply from controllers that had it."""
        supply = self._all_supplies[feeder_id]
        for found in supply.interruptions(start_us, end_us):
            before = found.start_us - 1
            gone = any(other.active(before) for other in supply.interruptions(before, before + 1))
            if supply.state(before).supplied and not gone:
                yield found

    def _mute(self, lamp_id: str, at_us: int) -> bool:
        return any(
            f.asset_id == lamp_id and f.fault is FaultClass.COMMUNICATION_FAILURE and f.active(at_us)
            for f in self._faults
        )

    # ------------------------------------------------------------ being

    def _stand(self, at_us: int) -> tuple[Stand, NDArray[np.bool_], NDArray[np.int64]]:
        """Return what the lamps do, which have supply, and since when."""
        supplies = [self._all_supplies[feeder_id] for feeder_id in self.feeder_ids]
        states = [supply.state(at_us) for supply in supplies]
        lit_since = np.array([NEVER if s.lit_since_us is None else s.lit_since_us for s in states], np.int64)
        begun = np.array(
            [NEVER if not y.switched or s.lit_since_us is None else s.lit_since_us
             for s, y in zip(states, supplies, strict=True)], np.int64
        )  # fmt: skip
        n, feeder = len(self.lamp_ids), self._feeder
        lit = np.array([s.lit_since_us is not None for s in states], np.bool_)[feeder]
        supplied = np.array([s.supplied for s in states], np.bool_)[feeder]
        since_us, relit_us = begun[feeder], lit_since[feeder]
        told = np.array([float(s.level_pct) for s in states])[feeder]
        for number, supply in enumerate(supplies):
            for found in supply.interruptions(at_us - _LOOK_BACK_US, at_us + 1):
                hit = self._hit(number, found)
                if found.active(at_us):
                    supplied &= ~hit
                elif found.end_us is not None and found.end_us <= at_us:
                    since_us[hit] = np.maximum(since_us[hit], found.end_us)
                    # A hot discharge lamp must cool before it starts again; a long outage has let it cool already.
                    cooling = np.maximum(self.columns.restrike_us - (found.end_us - found.start_us), 0)
                    relit_us[hit] = np.maximum(relit_us[hit], (found.end_us + cooling)[hit])
        burning = supplied & lit & (at_us >= relit_us)
        stand = Stand(burning, relit_us, told, told.copy(), np.ones(n), np.zeros(n, np.bool_), np.zeros(n))
        for number, supply in enumerate(supplies):
            for kind in _VOLTAGE_FAULTS:
                fault = supply.has_fault(kind, at_us)
                if fault is not None:
                    shift_voltage(stand, fault, feeder == number, self._phase, self._along)
        for fault in self._faults:
            change_lamp(stand, fault, self._rows[fault.asset_id], at_us, supplied)
        return stand, supplied, since_us

    def _hit(self, number: int, found: Interruption) -> NDArray[np.bool_]:
        """Return which lamps an interruption of one feeder reaches."""
        hit: NDArray[np.bool_] = self._feeder == number
        if found.phase is not None:
            hit &= self._phase == found.phase
        if found.tail:
            hit &= self._along > found.tail
        return hit

    def _values(self, at_us: int, stand: Stand) -> dict[str, NDArray[Any]]:
        """Return what the meters show, by metric; a stuck meter shows what it showed when it stuck."""
        values = self._metered(at_us, stand)
        for fault in self._faults:
            if fault.fault is FaultClass.STUCK_SENSOR and fault.active(at_us):
                held = self._held(fault)
                for name, column in held.items():
                    for position, row in enumerate(self._rows[fault.asset_id]):
                        values[name][row] = column[position]
        return values

    def _held(self, fault: PlantedFault) -> dict[str, list[Any]]:
        key = (fault.asset_id, fault.onset_us)
        if key not in self._stuck:
            then, _, _ = self._stand(fault.onset_us)
            rows = self._rows[fault.asset_id]
            whole = self._metered(fault.onset_us, then)
            self._stuck[key] = {
                name: [column[row] for row in rows] for name, column in whole.items() if name != DIMMING_LEVEL
            }
        return self._stuck[key]

    def _metered(self, at_us: int, stand: Stand) -> dict[str, NDArray[Any]]:
        found = self.columns.measure(at_us, stand)
        values: dict[str, NDArray[Any]] = {
            ACTIVE_POWER: found.power_w,
            SUPPLY_VOLTAGE: found.voltage_v,
            DIMMING_LEVEL: stand.told_pct.astype(np.int64),
        }
        metrics = self.profile.metrics
        if "power_factor" in metrics or "supply_current_a" in metrics:
            values["power_factor"] = found.power_factor
            values["supply_current_a"] = found.current_a
        if "controller_temperature_deg_c" in metrics:
            outside = float(self._weather.temperature_c(np.array([at_us], np.int64))[0])
            values["controller_temperature_deg_c"] = self.columns.temperature_c(at_us, stand, outside)
        if self._counts:
            values |= self._counted(at_us)
        for name in metrics:
            values.setdefault(name, np.zeros(len(self.lamp_ids)))
        return values

    def _counted(self, at_us: int) -> dict[str, NDArray[Any]]:
        counters = Counters(self.columns)
        schedules = [self._all_supplies[feeder_id].schedule for feeder_id in self.feeder_ids]
        by_lamp = [schedules[number] for number in self._feeder.tolist()]
        hours, energy, switched = counters.count(at_us, by_lamp, self._faults, self._rows)
        return {
            "operating_hours_h": np.array(hours, np.float64),
            "active_energy_kwh": np.array(energy, np.float64),
            "switch_on_count": np.array(switched, np.int64),
        }
