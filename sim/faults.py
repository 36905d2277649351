"""Faults that the simulator plants, with their labels: what a test or an experiment compares tickets with."""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from city.alarm import FaultClass
from city.asset import Switching
from city.clock import HOUR_US, from_datetime, isoformat
from city.errors import SettingsError
from city.pack import CityPack
from sim.faultkinds import CABINET, FACILITY, FEEDER, GATEWAY, LAMP, TARGETS, fault_named
from sim.times import parse_time

LAMP_FAULTS = (FaultClass.LAMP_FAILURE, FaultClass.LAMP_UNEXPECTED_ON, FaultClass.COMMUNICATION_FAILURE)


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
    fault: FaultClass
    end_us: int | None = None

    def active(self, at_us: int) -> bool:
        """Tell whether the fault is there at `at_us`."""
        return self.onset_us <= at_us and (self.end_us is None or at_us < self.end_us)


RESET_EVERY_US = 6 * HOUR_US
"""A controller that loses its memory loses it again: one reset alone is no fault, two in a day are."""


def last_reset(faults: Iterable[PlantedFault], at_us: int) -> int | None:
    """Return when an asset's counters last began again at nothing, µs UTC; None: never by `at_us`."""
    found = None
    for fault in faults:
        if fault.fault is FaultClass.COUNTER_RESET and fault.onset_us <= at_us:
            until_us = at_us if fault.end_us is None else max(min(at_us, fault.end_us - 1), fault.onset_us)
            reset_us = until_us - (until_us - fault.onset_us) % RESET_EVERY_US
            found = reset_us if found is None else max(found, reset_us)
    return found


def last_resets(faults: Iterable[PlantedFault], at_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `last_reset` for many moments, µs UTC; 0: never by then."""
    found = np.zeros(len(at_us), np.int64)
    for fault in faults:
        if fault.fault is FaultClass.COUNTER_RESET:
            until_us = at_us if fault.end_us is None else np.minimum(at_us, fault.end_us - 1)
            until_us = np.maximum(until_us, fault.onset_us)
            reset_us = until_us - (until_us - fault.onset_us) % RESET_EVERY_US
            found = np.where(fault.onset_us <= at_us, np.maximum(found, reset_us), found)
    return found


def active_at(faults: Iterable[PlantedFault], kind: FaultClass, at_us: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell at which moments a fault of one kind is there, see `PlantedFault.active`."""
    found = np.zeros(len(at_us), np.bool_)
    for fault in faults:
        if fault.fault is kind:
            found |= (fault.onset_us <= at_us) & (fault.end_us is None or at_us < fault.end_us)
    return found


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
    # A facility that nothing measures, or a gateway that speaks for nothing, cannot fall silent.
    heard = {name for device in pack.devices for name in (device.asset_id, device.gateway_id)}
    assets = {
        LAMP: {lamp.lamp_id for lamp in pack.lamps},
        FEEDER: {feeder.feeder_id for feeder in pack.feeders},
        CABINET: {cabinet.cabinet_id for cabinet in pack.cabinets},
        GATEWAY: {gateway.gateway_id for gateway in pack.gateways} & heard,
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
