"""Faults that the simulator plants, with their labels: what a test or an experiment compares tickets with."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from city.alarm import FaultClass
from city.asset import Switching
from city.clock import DAY_US, HOUR_US, from_datetime, isoformat
from city.errors import SettingsError
from city.pack import CityPack
from sim.faultkinds import CABINET, FACILITY, FACILITY_METRICS, FEEDER, LAMP, TARGETS, Fault, SimFault, fault_named
from sim.times import parse_time

LAMP_FAULTS = (FaultClass.LAMP_FAILURE, FaultClass.LAMP_UNEXPECTED_ON, FaultClass.COMMUNICATION_FAILURE)

_OTHER_LAMP_FAULTS = (
    SimFault.DIMMING_FAILURE,
    SimFault.CYCLING_FAILURE,
    SimFault.FLICKER,
    SimFault.POWER_FACTOR_TOO_LOW,
    SimFault.LED_MODULE_LOST,
    SimFault.LAMP_POWER_TOO_LOW,
    SimFault.LAMP_POWER_TOO_HIGH,
    SimFault.STUCK_SENSOR,
    SimFault.COUNTER_RESET,
)
_OTHER_FEEDER_FAULTS = (
    SimFault.SUPPLY_VOLTAGE_TOO_LOW,
    SimFault.SUPPLY_VOLTAGE_TOO_HIGH,
    SimFault.RCD_RECLOSING,
    SimFault.CIRCUIT_BREAKER_TRIPPED,
    SimFault.CABLE_THEFT,
    SimFault.LOST_NEUTRAL,
    SimFault.SWITCHING_ERROR_ON,
    SimFault.SWITCHING_ERROR_OFF,
)


@dataclass(frozen=True, slots=True, order=True)
class PlantedFault:
    """A fault and its label.

    Attributes
    ----------
    onset_us : int
        City time at which it begins, µs UTC. It may show later: a dead lamp at dusk, an outage of a switched feeder
        at night.
    asset_id : str
        What `sim.faultkinds.TARGETS` allows.
    end_us : int or None
        City time at which it is repaired; None: never.
    """

    onset_us: int
    asset_id: str
    fault: Fault
    end_us: int | None = None

    def active(self, at_us: int) -> bool:
        """Tell whether the fault is there at `at_us`."""
        return self.onset_us <= at_us and (self.end_us is None or at_us < self.end_us)


def plant(
    pack: CityPack,
    seed: int,
    onset_us: int,
    *,
    lamp_faults: int = 20,
    outages: int = 1,
    outage_switching: Switching = Switching.PERMANENT,
    end_us: int | None = None,
    spread_us: int = 0,
) -> tuple[PlantedFault, ...]:
    """Plant an exact number of faults: the three lamp faults in turn, each on a feeder of its own, and feeder outages.

    Parameters
    ----------
    onset_us, spread_us : int
        Faults begin at `onset_us`, or at random within `spread_us` after it.
    outage_switching : Switching
        Kind of the feeders that lose supply.

    Raises
    ------
    SettingsError
        The city has too few feeders.
    """
    rng = random.Random(f"plant|{seed}")  # noqa: S311 - a label, not a secret
    lamps: dict[str, list[str]] = {}
    for lamp in pack.lamps:
        lamps.setdefault(lamp.feeder_id, []).append(lamp.lamp_id)
    # A lamp that burns by day shows only where its controller lives by day.
    by_kind = {s: [f.feeder_id for f in pack.feeders if f.switching is s and lamps.get(f.feeder_id)] for s in Switching}
    for feeders in by_kind.values():
        rng.shuffle(feeders)
    try:
        outage_feeders = [by_kind[outage_switching].pop() for _ in range(outages)]
        planted = []
        for index in range(lamp_faults):
            fault = LAMP_FAULTS[index % len(LAMP_FAULTS)]
            switching = Switching.PERMANENT
            if fault is FaultClass.LAMP_FAILURE and by_kind[Switching.SWITCHED]:
                switching = Switching.SWITCHED
            planted.append((rng.choice(lamps[by_kind[switching].pop()]), fault))
    except IndexError:
        raise SettingsError(
            f"the city has too few feeders for {lamp_faults} lamp faults and {outages} outages: plant fewer, or make a"
            " larger city"
        ) from None
    planted += [(feeder, FaultClass.SUPPLY_LOSS) for feeder in outage_feeders]
    return tuple(
        sorted(
            PlantedFault(onset_us + (rng.randrange(spread_us) if spread_us else 0), asset, fault, end_us)
            for asset, fault in planted
        )
    )


def random_faults(
    pack: CityPack,
    seed: int,
    start_us: int,
    end_us: int,
    *,
    per_day: float = 3.0,
    outages_per_day: float = 0.1,
    others_per_day: float = 1.0,
    feeder_others_per_day: float = 0.05,
    facility_per_day: float = 0.5,
) -> tuple[PlantedFault, ...]:
    """Return the faults of a city left to itself, repaired after hours or days.

    Each UTC day has its own seed: the same instant sees the same faults whatever range is asked for, so that a
    simulator that starts again goes on with the city that it left. No asset is struck twice in a day.

    Parameters
    ----------
    per_day, outages_per_day : float
        Mean numbers of faults of lamps and of feeder outages: those that the city's rules know by name.
    others_per_day, feeder_others_per_day, facility_per_day : float
        Of all other faults of lamps, of feeders and of facilities.
    """
    lamps, feeders = [lamp.lamp_id for lamp in pack.lamps], [feeder.feeder_id for feeder in pack.feeders]
    by_fault = _facilities_by_fault(pack)
    found: list[PlantedFault] = []
    for day in range(start_us // DAY_US - 4, -(-end_us // DAY_US)):
        rng = random.Random(f"day|{seed}|{day}")  # noqa: S311 - a label, not a secret
        struck: set[str] = set()
        draws: tuple[tuple[Sequence[str], float, tuple[Fault, ...], tuple[int, int]], ...] = (
            (lamps, per_day, LAMP_FAULTS, (18, 72)),
            (feeders, outages_per_day, (FaultClass.SUPPLY_LOSS,), (3, 12)),
            (lamps, others_per_day, _OTHER_LAMP_FAULTS, (48, 96)),
            (feeders, feeder_others_per_day, _OTHER_FEEDER_FAULTS, (8, 30)),
            ((), facility_per_day, tuple(by_fault), (6, 72)),
        )
        for names, rate, kinds, hours in draws:
            for _ in range(_poisson(rng, rate) if kinds and (names or kinds[0] in by_fault) else 0):
                fault = rng.choice(kinds)
                asset = rng.choice(names or by_fault[fault])
                onset = day * DAY_US + rng.randrange(DAY_US)
                last = onset + rng.randrange(hours[0] * HOUR_US, hours[1] * HOUR_US)
                if asset not in struck:
                    found.append(PlantedFault(onset, asset, fault, last))
                struck.add(asset)
    return tuple(sorted(f for f in found if f.onset_us < end_us and (f.end_us is None or f.end_us > start_us)))


def _facilities_by_fault(pack: CityPack) -> dict[Fault, list[str]]:
    """Return which facilities have a sensor that would show each fault."""
    metrics: dict[str, set[str]] = {}
    for device in pack.devices:
        metrics.setdefault(device.asset_id, set()).update(pack.profiles[device.profile_id].metrics)
    found = {
        fault: [f.facility_id for f in pack.facilities if metric in metrics.get(f.facility_id, ())]
        for fault, metric in FACILITY_METRICS.items()
    }
    return {fault: names for fault, names in found.items() if names}


def _poisson(rng: random.Random, rate: float) -> int:
    count, left = 0, rng.expovariate(rate) if rate > 0 else 2.0
    while left < 1:
        count += 1
        left += rng.expovariate(rate)
    return count


def labels(faults: Sequence[PlantedFault]) -> Iterator[dict[str, Any]]:
    """Yield each fault as plain JSON values."""
    for fault in faults:
        yield {
            "fault": str(fault.fault),
            "asset": fault.asset_id,
            "onset": isoformat(fault.onset_us),
            "end": None if fault.end_us is None else isoformat(fault.end_us),
        }


def write_labels(path: Path, faults: Sequence[PlantedFault]) -> None:
    """Write the labels as a JSON array, which `read_labels` reads."""
    path.write_text(json.dumps(list(labels(faults)), indent=1) + "\n", encoding="utf-8")


def read_labels(path: Path, pack: CityPack) -> tuple[PlantedFault, ...]:
    """Read faults to plant.

    Raises
    ------
    SettingsError
        The file cannot be read, or names what the city does not have.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        faults = [
            PlantedFault(
                _at(row["onset"]),
                row["asset"],
                fault_named(row["fault"]),
                None if row.get("end") is None else _at(row["end"]),
            )
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise SettingsError(
            f"{path} does not list faults ({exc!r}): write a JSON array of objects with fault, asset, onset and end"
        ) from exc
    # A facility that nothing measures cannot fall silent.
    heard = {device.asset_id for device in pack.devices}
    assets = {
        LAMP: {lamp.lamp_id for lamp in pack.lamps},
        FEEDER: {feeder.feeder_id for feeder in pack.feeders},
        CABINET: {cabinet.cabinet_id for cabinet in pack.cabinets},
        FACILITY: {facility.facility_id for facility in pack.facilities} & heard,
    }
    for fault in faults:
        kinds = TARGETS[fault.fault]
        if not any(fault.asset_id in assets[kind] for kind in kinds):
            raise SettingsError(
                f"{path} plants {fault.fault} on {fault.asset_id!r}, which is no {' or '.join(kinds)} of the city"
            )
    return tuple(sorted(faults))


def _at(text: str) -> int:
    return from_datetime(parse_time(text))
