"""The simulated city as a function of time: what each gateway hears from its devices, faults included."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from city.alarm import FaultClass
from city.asset import Device
from city.clock import HOUR_US, SECOND_US, isoformat
from city.pack import CityPack
from sim.bank import LampBank, Observation
from sim.facilities import FacilityModel
from sim.faults import PlantedFault
from sim.noise import key_of, unit
from sim.observed import Heard
from sim.realism import PERFECT, Realism
from sim.sensor_noise import SensorNoise
from sim.supply import FeederSupply
from sim.truth import Truth
from sim.weather import weather_of

__all__ = ["GATEWAY_KEEPS_US", "Observation", "World"]

GATEWAY_KEEPS_US = 24 * HOUR_US
"""How much a gateway keeps while its uplink is out; it sends that afterwards, in order."""

_AT_ONCE = 96
"""Moments of a facility that are measured together."""
_FIRST = np.zeros(1, np.int64)


class World:
    """Everything that the city's devices would say, computed anew for any moment; holds no state but its faults.

    Parameters
    ----------
    pack : CityPack
        What the inventory knows.
    seed : int
        Decides every value.
    faults : sequence of PlantedFault
    realism : Realism
        How far the city departs from its inventory, and devices from perfection.
    noise : SensorNoise or None
        What sensors of facilities add to what they measure.
    """

    def __init__(
        self,
        pack: CityPack,
        seed: int,
        faults: Sequence[PlantedFault] = (),
        realism: Realism = PERFECT,
        noise: SensorNoise | None = None,
    ) -> None:
        self._pack, self._seed, self._realism = pack, seed, realism
        self.truth_of = Truth(pack, seed, realism)
        self._weather = weather_of(seed, pack.lat, pack.lon)
        self._by_asset: dict[str, list[PlantedFault]] = defaultdict(list)
        for fault in faults:
            self._by_asset[fault.asset_id].append(fault)
        self._feeders = {feeder.feeder_id: feeder for feeder in pack.feeders}
        self._supplies: dict[str, FeederSupply] = {}
        for feeder_id in self._feeders:
            self._supply(feeder_id)
        self._banks: dict[str, list[LampBank]] = defaultdict(list)
        self._others: dict[str, list[Device]] = defaultdict(list)
        self._hang()
        self._alone = {d.device_id: (d.device_id,) for devices in self._others.values() for d in devices}
        self._blocks: dict[str, tuple[int, NDArray[np.float64]]] = {}
        self._models = {
            f.facility_id: FacilityModel(f, pack.opening_of(f), pack.timezone, seed, self._weather, noise)
            for f in pack.facilities
        }
        self.gateways = tuple(sorted(set(self._banks) | set(self._others)))
        # Interval and offset, µs: asked for many times a second, and always the same.
        self._beats = {g: tuple((p, self._offset(g, p)) for p in sorted(self._periods(g))) for g in self.gateways}

    # ------------------------------------------------------------ when

    def moments(self, gateway: str, after_us: int, until_us: int) -> list[int]:
        """Return when `gateway` has something to hear in (after_us, until_us], µs UTC, ascending."""
        found: set[int] = set()
        for period_us, offset in self._beats[gateway]:
            first = (after_us - offset) // period_us + 1
            last = (until_us - offset) // period_us
            found.update(offset + n * period_us for n in range(first, last + 1))
        for bank in self._banks.get(gateway, ()):
            found.update(bank.gasps(after_us, until_us))
        return sorted(found)

    def next_moment(self, gateway: str, after_us: int) -> int:
        """Return the next regular moment after `after_us`; last gasps may come before it."""
        return min(offset + ((after_us - offset) // p + 1) * p for p, offset in self._beats[gateway])

    def silent_since(self, gateway: str, at_us: int) -> int | None:
        """Return since when nothing of what `gateway` hears leaves it, µs UTC; None: its uplink works at `at_us`."""
        out = [f.onset_us for f in self._outages(gateway) if f.active(at_us)]
        stall_us = self.truth_of.stalled_since(gateway, at_us)
        return min(out if stall_us is None else [*out, stall_us], default=None)

    def is_out(self, gateway: str, at_us: int) -> bool:
        """Tell whether `gateway` has a fault that takes its connection; a stall does not."""
        return any(f.active(at_us) for f in self._outages(gateway))

    def kept(self, gateway: str, at_us: int) -> bool:
        """Tell whether what `gateway` hears at `at_us` ever leaves it: in a long outage the oldest gives way."""
        return all(
            f.end_us is not None and f.end_us - at_us <= GATEWAY_KEEPS_US
            for f in self._outages(gateway)
            if f.active(at_us)
        )

    def is_fed(self, feeder_id: str, at_us: int) -> bool:
        """Tell whether a feeder's contactor is closed at `at_us`, or it has none; interruptions are left out."""
        return self._supplies[feeder_id].state(at_us).supplied

    def skew_us(self, gateway: str) -> int:
        """Return how far a gateway's clock is ahead, µs."""
        return self.truth_of.skew_us.get(gateway, 0)

    # ------------------------------------------------------------ what

    def observe(self, gateway: str, at_us: int) -> list[Observation]:
        """Return what `gateway` hears at one of its moments and keeps; silent devices and lost reports are absent."""
        heard: list[Observation] = []
        if not self.kept(gateway, at_us):
            return heard
        at = isoformat(at_us + self.skew_us(gateway))
        for bank in self._banks.get(gateway, ()):
            if (at_us - self._offset(gateway, bank.period_us)) % bank.period_us == 0:
                heard += bank.observe(at_us, at)
            heard += bank.last_gasps(at_us, at)
        for device in self._others.get(gateway, ()):
            period_us = self._pack.profiles[device.profile_id].report_interval_s * SECOND_US
            if (at_us - self._offset(gateway, period_us)) % period_us == 0 and self._is_heard(device, at_us):
                heard.append(self._observe_other(device, at_us, at))
        return heard

    def hear(self, gateway: str, at_us: int) -> Iterator[Heard]:
        """Yield what `observe` returns, as columns; times are `at_us` ahead by `skew_us`."""
        if not self.kept(gateway, at_us):
            return
        for bank in self._banks.get(gateway, ()):
            if (at_us - self._offset(gateway, bank.period_us)) % bank.period_us == 0:
                yield bank.hear(at_us)
            if gasps := bank.last_gasps(at_us, ""):
                yield _as_columns(gasps)
        for device in self._others.get(gateway, ()):
            period_us = self._pack.profiles[device.profile_id].report_interval_s * SECOND_US
            if (at_us - self._offset(gateway, period_us)) % period_us == 0 and self._is_heard(device, at_us):
                metrics = self._pack.profiles[device.profile_id].metrics
                yield Heard(self._alone[device.device_id], _FIRST, metrics, self._measured(device, at_us)[None, :])

    def truth(self, start_us: int, end_us: int) -> Iterable[tuple[str, str, int, float]]:
        """Yield every reading that devices make in (start_us, end_us]: device, metric, observed_at (µs UTC), value.

        These are the rows that `readings` must hold once everything has arrived.
        """
        for gateway in self.gateways:
            for at_us in self.moments(gateway, start_us, end_us):
                for observation in self.observe(gateway, at_us):
                    for name, value in observation.items():
                        if name not in ("device", "at"):
                            yield observation["device"], name, at_us + self.skew_us(gateway), float(value)

    def mend(self, asset_id: str, at_us: int) -> None:
        """End what is wrong with an asset at `at_us`, µs UTC: a crew has been there. What was before stays."""
        self._blocks.clear()
        faults = self._by_asset.get(asset_id, [])
        self._by_asset[asset_id] = [replace(f, end_us=at_us) if f.active(at_us) else f for f in faults]
        for feeder_id, supply in self._supplies.items():
            if asset_id in (feeder_id, supply.feeder.cabinet_id):
                self._supply(feeder_id)
        for banks in self._banks.values():
            for bank in banks:
                if bank.holds(asset_id):
                    bank.refresh(self._by_asset)

    # ------------------------------------------------------------ building it

    def _supply(self, feeder_id: str) -> None:
        """Make a feeder's supply anew, with the faults that are known by now."""
        feeder = self._feeders[feeder_id]
        self._supplies[feeder_id] = FeederSupply(
            feeder,
            self._pack.schedules[feeder.schedule_id],
            self._seed,
            self._weather,
            clock_off_us=self.truth_of.clock_off_us[feeder.cabinet_id],
            photocell=feeder_id in self.truth_of.photocells,
            faults=(*self._by_asset.get(feeder_id, ()), *self._by_asset.get(feeder.cabinet_id, ())),
        )

    def _hang(self) -> None:
        """Sort the devices into banks of one gateway and one profile; lamps hang where they truly hang."""
        truth = self.truth_of.lamps
        order = {lamp.lamp_id: position for position, lamp in enumerate(self._pack.lamps)}
        hung: dict[str, list[str]] = defaultdict(list)
        for lamp in self._pack.lamps:
            hung[truth[lamp.lamp_id].feeder_id].append(lamp.lamp_id)
        places = {lamp_id: (i, len(lamps)) for lamps in hung.values() for i, lamp_id in enumerate(lamps)}
        together: dict[tuple[str, str], list[Device]] = defaultdict(list)
        for device in self._pack.devices:
            if device.asset_id in truth:
                together[device.gateway_id, device.profile_id].append(device)
            else:
                self._others[device.gateway_id].append(device)
        for (gateway, profile_id), devices in sorted(together.items()):
            devices.sort(key=lambda d: (order[d.asset_id], d.device_id))
            profile = self._pack.profiles[profile_id]
            bank = LampBank(devices, profile, truth, places, self._supplies, self._seed, self._realism, self._weather)
            bank.refresh(self._by_asset)
            self._banks[gateway].append(bank)

    # ------------------------------------------------------------ small things

    def _observe_other(self, device: Device, at_us: int, at: str) -> Observation:
        metrics = self._pack.profiles[device.profile_id].metrics
        values = self._measured(device, at_us).tolist()
        return {"device": device.device_id, "at": at, **dict(zip(metrics, values, strict=True))}

    def _measured(self, device: Device, at_us: int) -> NDArray[np.float64]:
        """Return what a device of a facility measures at one of its regular moments.

        Many moments cost hardly more than one: those around are measured as well, and kept until they have passed.
        """
        profile = self._pack.profiles[device.profile_id]
        period_us = profile.report_interval_s * SECOND_US
        number, row = divmod(at_us // period_us, _AT_ONCE)
        block = self._blocks.get(device.device_id)
        if block is None or block[0] != number:
            at = (number * _AT_ONCE + np.arange(_AT_ONCE, dtype=np.int64)) * period_us + at_us % period_us
            model, faults = self._models.get(device.asset_id), self._by_asset.get(device.asset_id, ())
            values = np.zeros((_AT_ONCE, len(profile.metrics)))
            # Nothing of the simulation measures feeders and cabinets yet: their meters show nothing.
            for column, name in enumerate(profile.metrics if model else ()):
                assert model is not None
                values[:, column] = model.course(self._pack.metrics[name], at, faults)
            block = self._blocks[device.device_id] = (number, values)
        found: NDArray[np.float64] = block[1][row]
        return found

    def _is_heard(self, device: Device, at_us: int) -> bool:
        lost = self._realism.loss_share and unit(self._seed, "loss", device.device_id, at_us) < self._realism.loss_share
        return not lost and not any(
            f.fault is FaultClass.COMMUNICATION_FAILURE and f.active(at_us)
            for f in self._by_asset.get(device.asset_id, ())
        )

    def _outages(self, gateway: str) -> list[PlantedFault]:
        return [f for f in self._by_asset.get(gateway, ()) if f.fault is FaultClass.COMMUNICATION_FAILURE]

    def _periods(self, gateway: str) -> set[int]:
        periods = {bank.period_us for bank in self._banks.get(gateway, ())}
        for device in self._others.get(gateway, ()):
            periods.add(self._pack.profiles[device.profile_id].report_interval_s * SECOND_US)
        return periods

    def _offset(self, gateway: str, period_us: int) -> int:
        """Gateways read their devices at different seconds of the interval, always the same ones."""
        return key_of("offset", gateway) % (period_us // SECOND_US) * SECOND_US


def _as_columns(said: Sequence[Observation]) -> Heard:
    """Return observations of devices that measure the same as columns."""
    metrics = tuple(name for name in said[0] if name not in ("device", "at"))
    values = np.array([[float(one[name]) for name in metrics] for one in said], np.float64)
    return Heard(tuple(one["device"] for one in said), np.arange(len(said)), metrics, values)
