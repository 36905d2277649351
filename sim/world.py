"""The simulated city as a function of time: what each gateway hears from its devices, faults included."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from city.alarm import FaultClass
from city.asset import Device, Feeder, Lamp, Switching
from city.clock import SECOND_US, isoformat
from city.lighting import LightingSchedule
from city.metric import ACTIVE_POWER, DIMMING_LEVEL, SUPPLY_VOLTAGE
from city.pack import CityPack
from sim import facilities
from sim.faults import PlantedFault
from sim.lamps import LampGroup
from sim.noise import key_of

Observation = dict[str, Any]
"""One object of a message: device, at, and a number for each metric."""

_GASP_SHARE = 5
_GASP_AFTER_US = SECOND_US
_ALWAYS = -(1 << 62)


@dataclass(frozen=True, slots=True)
class _Line:
    """The lamps of one feeder that one gateway speaks for."""

    feeder: Feeder
    schedule: LightingSchedule
    lamp_ids: tuple[str, ...]
    device_ids: tuple[str, ...]
    metrics: tuple[frozenset[str], ...]
    group: LampGroup
    outages: tuple[PlantedFault, ...]
    faults: tuple[PlantedFault, ...]
    positions: dict[str, list[int]]
    period_us: int


class World:
    """Everything that the city's devices would say, computed anew for any moment; holds no state but its faults.

    Parameters
    ----------
    pack : CityPack
    seed : int
        Decides every value.
    faults : sequence of PlantedFault
    """

    def __init__(self, pack: CityPack, seed: int, faults: Sequence[PlantedFault] = ()) -> None:
        self._pack = pack
        self._seed = seed
        by_asset: dict[str, list[PlantedFault]] = defaultdict(list)
        for fault in faults:
            by_asset[fault.asset_id].append(fault)
        self._by_asset = by_asset
        feeders = {f.feeder_id: f for f in pack.feeders}
        lamps = {lamp.lamp_id: lamp for lamp in pack.lamps}
        self._order = {lamp_id: position for position, lamp_id in enumerate(lamps)}
        hung: dict[tuple[str, str, int], list[Device]] = defaultdict(list)
        self._others: dict[str, list[Device]] = defaultdict(list)
        for device in pack.devices:
            lamp = lamps.get(device.asset_id)
            period_us = pack.profiles[device.profile_id].report_interval_s * SECOND_US
            if lamp is None:
                self._others[device.gateway_id].append(device)
            else:
                hung[device.gateway_id, lamp.feeder_id, period_us].append(device)
        self._lines: dict[str, list[_Line]] = defaultdict(list)
        for (gateway, feeder_id, period_us), devices in sorted(hung.items()):
            self._lines[gateway].append(self._line(feeders[feeder_id], devices, lamps, period_us))
        self.gateways = tuple(sorted(set(self._lines) | set(self._others)))
        # Interval and offset, µs: asked for many times a second, and always the same.
        self._beats = {g: tuple((p, self._offset(g, p)) for p in sorted(self._periods(g))) for g in self.gateways}

    def moments(self, gateway: str, after_us: int, until_us: int) -> list[int]:
        """Return when `gateway` has something to hear in (after_us, until_us], µs UTC, ascending."""
        found: set[int] = set()
        for period_us, offset in self._beats[gateway]:
            first = (after_us - offset) // period_us + 1
            last = (until_us - offset) // period_us
            found.update(offset + n * period_us for n in range(first, last + 1))
        for line in self._lines.get(gateway, ()):
            for outage in line.outages:
                if after_us < outage.onset_us + _GASP_AFTER_US <= until_us and self._live_before(line, outage):
                    found.add(outage.onset_us + _GASP_AFTER_US)
        return sorted(found)

    def next_moment(self, gateway: str, after_us: int) -> int:
        """Return the next regular moment after `after_us`; last gasps may come before it."""
        return min(offset + ((after_us - offset) // p + 1) * p for p, offset in self._beats[gateway])

    def observe(self, gateway: str, at_us: int) -> list[Observation]:
        """Return what `gateway` hears at one of its moments; silent devices are absent."""
        at = isoformat(at_us)
        heard: list[Observation] = []
        for line in self._lines.get(gateway, ()):
            if (at_us - self._offset(gateway, line.period_us)) % line.period_us == 0:
                heard += self._observe_line(line, at_us, at)
            for outage in line.outages:
                if at_us == outage.onset_us + _GASP_AFTER_US and self._live_before(line, outage):
                    heard += self._last_gasp(line, at_us, at)
        for device in self._others.get(gateway, ()):
            profile = self._pack.profiles[device.profile_id]
            period_us = profile.report_interval_s * SECOND_US
            if (at_us - self._offset(gateway, period_us)) % period_us == 0 and not self._mute(device.asset_id, at_us):
                values = {
                    name: facilities.measure(
                        self._pack.metrics[name], key_of(self._seed, device.device_id, name), at_us
                    )
                    for name in profile.metrics
                }
                heard.append({"device": device.device_id, "at": at, **values})
        return heard

    def truth(self, start_us: int, end_us: int) -> Iterable[tuple[str, str, int, float]]:
        """Yield every reading that devices make in (start_us, end_us]: device, metric, observed_at (µs UTC), value.

        These are the rows that `readings` must hold once everything has arrived.
        """
        for gateway in self.gateways:
            for at_us in self.moments(gateway, start_us, end_us):
                for observation in self.observe(gateway, at_us):
                    for name, value in observation.items():
                        if name not in ("device", "at"):
                            yield observation["device"], name, at_us, float(value)

    def mend(self, asset_id: str, at_us: int) -> None:
        """End what is wrong with an asset at `at_us`, µs UTC: a crew has been there. What was before stays."""
        faults = self._by_asset.get(asset_id, [])
        self._by_asset[asset_id] = [replace(f, end_us=at_us) if f.active(at_us) else f for f in faults]
        for lines in self._lines.values():
            for number, line in enumerate(lines):
                if asset_id == line.feeder.feeder_id or asset_id in line.positions:
                    lines[number] = replace(
                        line, outages=self._outages(line.feeder), faults=self._lamp_faults(line.lamp_ids)
                    )

    # ------------------------------------------------------------ lamps

    def _outages(self, feeder: Feeder) -> tuple[PlantedFault, ...]:
        return tuple(self._by_asset.get(feeder.feeder_id, ()))

    def _lamp_faults(self, lamp_ids: Iterable[str]) -> tuple[PlantedFault, ...]:
        return tuple(fault for lamp_id in dict.fromkeys(lamp_ids) for fault in self._by_asset.get(lamp_id, ()))

    def _line(self, feeder: Feeder, devices: list[Device], lamps: dict[str, Lamp], period_us: int) -> _Line:
        devices.sort(key=lambda d: (self._order[d.asset_id], d.device_id))
        along = [lamps[d.asset_id] for d in devices]
        lamp_ids = tuple(lamp.lamp_id for lamp in along)
        positions: dict[str, list[int]] = defaultdict(list)
        for index, lamp_id in enumerate(lamp_ids):
            positions[lamp_id].append(index)
        return _Line(
            feeder=feeder,
            schedule=self._pack.schedules[feeder.schedule_id],
            lamp_ids=lamp_ids,
            device_ids=tuple(d.device_id for d in devices),
            metrics=tuple(frozenset(self._pack.profiles[d.profile_id].metrics) for d in devices),
            group=LampGroup(list(lamp_ids), [x.lamp_type for x in along], [x.rated_w for x in along], self._seed),
            outages=self._outages(feeder),
            faults=self._lamp_faults(lamp_ids),
            positions=positions,
            period_us=period_us,
        )

    def _observe_line(self, line: _Line, at_us: int, at: str) -> list[Observation]:
        if not _live(line, at_us):
            return []
        on_us = _lit_since(line.schedule, at_us)
        commanded = on_us is not None
        since = _ALWAYS if on_us is None else on_us
        since = max([since, *(o.end_us for o in line.outages if o.end_us is not None and o.end_us <= at_us)])
        burning = np.full(len(line.lamp_ids), commanded)
        since_us = np.full(len(line.lamp_ids), since, np.int64)
        muted = self._apply_lamp_faults(line, at_us, burning, since_us)
        power, volts = line.group.measure(at_us, burning, since_us)
        level = 100 if commanded else 0
        heard: list[Observation] = []
        for index, (device, watts, voltage) in enumerate(zip(line.device_ids, power, volts, strict=True)):
            if index not in muted:
                values = {ACTIVE_POWER: float(watts), SUPPLY_VOLTAGE: float(voltage), DIMMING_LEVEL: level}
                heard.append(_observation(device, at, values, line.metrics[index]))
        return heard

    def _apply_lamp_faults(
        self, line: _Line, at_us: int, burning: NDArray[np.bool_], since_us: NDArray[np.int64]
    ) -> set[int]:
        """Change `burning` and `since_us` in place; return the positions of controllers that do not answer."""
        muted: set[int] = set()
        for fault in line.faults:
            index = line.positions[fault.asset_id]
            if not fault.active(at_us):
                if fault.fault is FaultClass.LAMP_FAILURE and fault.end_us is not None and fault.end_us <= at_us:
                    since_us[index] = np.maximum(since_us[index], fault.end_us)
            elif fault.fault is FaultClass.LAMP_FAILURE:
                burning[index] = False
            elif fault.fault is FaultClass.LAMP_UNEXPECTED_ON:
                since_us[index] = np.where(burning[index], since_us[index], fault.onset_us)
                burning[index] = True
            elif fault.fault is FaultClass.COMMUNICATION_FAILURE:
                muted.update(index)
        return muted

    def _last_gasp(self, line: _Line, at_us: int, at: str) -> list[Observation]:
        """Return the last word of the few controllers, a fifth at most, that manage one when the supply goes."""
        keys = sorted((key_of(self._seed, "gasp", lamp_id, at_us), i) for i, lamp_id in enumerate(line.lamp_ids))
        level = 100 if _lit_since(line.schedule, at_us) is not None else 0
        values = {ACTIVE_POWER: 0.0, SUPPLY_VOLTAGE: 0.0, DIMMING_LEVEL: level}
        return [
            _observation(line.device_ids[i], at, values, line.metrics[i])
            for _, i in keys[: len(keys) // _GASP_SHARE]
            if not self._mute(line.lamp_ids[i], at_us)
        ]

    # ------------------------------------------------------------ small things

    def _mute(self, asset_id: str, at_us: int) -> bool:
        return any(
            f.fault is FaultClass.COMMUNICATION_FAILURE and f.active(at_us) for f in self._by_asset.get(asset_id, ())
        )

    def _live_before(self, line: _Line, outage: PlantedFault) -> bool:
        return outage.fault is FaultClass.SUPPLY_LOSS and _live(line, outage.onset_us - 1)

    def _periods(self, gateway: str) -> set[int]:
        periods = {line.period_us for line in self._lines.get(gateway, ())}
        for device in self._others.get(gateway, ()):
            periods.add(self._pack.profiles[device.profile_id].report_interval_s * SECOND_US)
        return periods

    def _offset(self, gateway: str, period_us: int) -> int:
        """Gateways read their devices at different seconds of the interval, always the same ones."""
        return key_of("offset", gateway) % (period_us // SECOND_US) * SECOND_US


def _live(line: _Line, at_us: int) -> bool:
    """Tell whether the controllers of a feeder have supply."""
    if any(o.fault is FaultClass.SUPPLY_LOSS and o.active(at_us) for o in line.outages):
        return False
    return line.feeder.switching is Switching.PERMANENT or _lit_since(line.schedule, at_us) is not None


def _lit_since(schedule: LightingSchedule, at_us: int) -> int | None:
    """Return since when the lamps are commanded on, or None."""
    on, off = schedule.periods(at_us, at_us + 1)
    burning = on[(on <= at_us) & (at_us < off)]
    return int(burning[-1]) if len(burning) else None


def _observation(device: str, at: str, values: dict[str, float], metrics: frozenset[str]) -> Observation:
    return {"device": device, "at": at, **{name: value for name, value in values.items() if name in metrics}}
