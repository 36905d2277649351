"""The faults that a demonstration is sure of: each evening the same story, on other lamps.

A lamp is dark from the first minute of dusk, a controller falls silent, a feeder loses its supply while people walk
home, and next morning a lamp goes on burning. All of them hang on feeders that live by day and night and report each
quarter of an hour, so that whoever watches at sixty times the clock's speed sees each from its beginning to its end.
"""

import random
from collections import defaultdict
from collections.abc import Iterator

from city.alarm import FaultClass
from city.asset import Feeder, Switching
from city.clock import DAY_US, HOUR_US, MINUTE_US
from city.pack import CityPack
from sim.chance import LASTS_US_MAX, random_faults
from sim.faults import PlantedFault

_REPORT_S_MAX = 900
_FEEDER_LAMPS_MIN = 5
_UNMENDED_US = {
    FaultClass.LAMP_FAILURE: 4 * DAY_US,
    FaultClass.COMMUNICATION_FAILURE: 20 * HOUR_US,
    FaultClass.SUPPLY_LOSS: 9 * HOUR_US,
    FaultClass.LAMP_UNEXPECTED_ON: 20 * HOUR_US,
}
"""Faults that no crew comes for end by themselves: a city without crews does not go dark for good, and one that begins
at dusk has nothing silent that was never heard."""
QUIET_US = DAY_US
"""Before a fault that is shown its asset is sound for so long: what was repaired before has been verified at a dusk."""


def demonstration_faults(pack: CityPack, seed: int, start_us: int, end_us: int) -> tuple[PlantedFault, ...]:
    """Return `shown_faults`, and of `random_faults` those that are not in the way of what they show."""
    # Asked for further than needed: what is left out must not depend on where the range begins.
    shown = shown_faults(pack, seed, start_us - LASTS_US_MAX, end_us + LASTS_US_MAX + QUIET_US)
    above = _above(pack)
    told: dict[str, list[PlantedFault]] = defaultdict(list)
    for fault in shown:
        for asset_id in above[fault.asset_id]:
            told[asset_id].append(fault)
    drawn = random_faults(pack, seed, start_us, end_us)
    clear = (fault for fault in drawn if not any(_spoils(fault, other) for other in told[fault.asset_id]))
    seen = (fault for fault in shown if fault.onset_us < end_us and (fault.end_us or end_us) > start_us)
    return tuple(sorted((*clear, *seen)))


def _above(pack: CityPack) -> dict[str, set[str]]:
    """Return for each lamp and feeder itself and what could hide its state: feeder, cabinet, gateways."""
    above = {feeder.feeder_id: {feeder.feeder_id, feeder.cabinet_id} for feeder in pack.feeders}
    feeder_of = {lamp.lamp_id: lamp.feeder_id for lamp in pack.lamps}
    for device in pack.devices:
        if device.asset_id in feeder_of:
            above[feeder_of[device.asset_id]].add(device.gateway_id)
    return above | {lamp_id: {lamp_id, *above[feeder_id]} for lamp_id, feeder_id in feeder_of.items()}


def _spoils(drawn: PlantedFault, shown: PlantedFault) -> bool:
    """Tell whether a fault would hide a shown one, or leave a ticket behind that waits for the same dusk."""
    if drawn.end_us is not None and drawn.end_us <= shown.onset_us - QUIET_US:
        return False
    return shown.end_us is None or drawn.onset_us < shown.end_us


def shown_faults(pack: CityPack, seed: int, start_us: int, end_us: int) -> tuple[PlantedFault, ...]:
    """Return the demonstration's faults that touch [start_us, end_us), µs UTC; none where the city is too small.

    Each UTC day has its own seed, so that a simulator that starts again goes on with the evening that it left.
    """
    lamps = _lamps(pack)
    feeders = [feeder for feeder in pack.feeders if len(lamps.get(feeder.feeder_id, ())) >= _FEEDER_LAMPS_MIN]
    first = (start_us - max(_UNMENDED_US.values())) // DAY_US - 1
    found = (fault for day in range(first, -(-end_us // DAY_US)) for fault in _evening(pack, lamps, feeders, seed, day))
    return tuple(sorted(f for f in found if f.onset_us < end_us and (f.end_us or end_us) > start_us))


def _lamps(pack: CityPack) -> dict[str, list[str]]:
    """Return by permanent feeder the lamps whose controllers report often enough to be watched."""
    often = {d.asset_id for d in pack.devices if pack.profiles[d.profile_id].report_interval_s <= _REPORT_S_MAX}
    permanent = {feeder.feeder_id for feeder in pack.feeders if feeder.switching is Switching.PERMANENT}
    lamps: dict[str, list[str]] = defaultdict(list)
    for lamp in pack.lamps:
        if lamp.feeder_id in permanent and lamp.lamp_id in often:
            lamps[lamp.feeder_id].append(lamp.lamp_id)
    return lamps


def _evening(
    pack: CityPack, lamps: dict[str, list[str]], feeders: list[Feeder], seed: int, day: int
) -> Iterator[PlantedFault]:
    if len(feeders) < 4:
        return
    rng = random.Random(f"demonstration|{seed}|{day}")  # noqa: S311 - a label, not a secret
    dark, silent, out, burning = rng.sample(feeders, 4)
    noon = day * DAY_US + DAY_US // 2
    for feeder, fault, after_us in (
        (dark, FaultClass.LAMP_FAILURE, -3 * HOUR_US),
        (silent, FaultClass.COMMUNICATION_FAILURE, 10 * MINUTE_US),
        (out, FaultClass.SUPPLY_LOSS, 70 * MINUTE_US + rng.randrange(30 * MINUTE_US)),
        (burning, FaultClass.LAMP_UNEXPECTED_ON, 6 * HOUR_US),
    ):
        on, _ = pack.schedules[feeder.schedule_id].periods(noon, noon + DAY_US)
        asset = feeder.feeder_id if fault is FaultClass.SUPPLY_LOSS else rng.choice(lamps[feeder.feeder_id])
        for dusk in on[on >= noon][:1]:
            onset = int(dusk) + after_us
            yield PlantedFault(onset, asset, fault, onset + _UNMENDED_US[fault])
