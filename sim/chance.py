"""The faults of a city left to itself: drawn at random, each only on what would show it."""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from city.alarm import FaultClass
from city.asset import Switching
from city.clock import DAY_US, HOUR_US
from city.pack import CityPack
from sim.faultkinds import FACILITY_METRICS
from sim.faults import LAMP_FAULTS, PlantedFault

LASTS_US_MAX = 4 * DAY_US
"""No fault that is drawn lasts longer."""

_COUNTERS = ("active_energy_kwh", "operating_hours_h", "switch_on_count")
_LAMP_METRICS: Mapping[FaultClass, tuple[str, ...]] = {
    FaultClass.DIMMING_FAILURE: ("active_power_w",),
    FaultClass.CYCLING_FAILURE: ("active_power_w", "switch_on_count"),
    FaultClass.FLICKER: ("active_power_w",),
    FaultClass.POWER_FACTOR_TOO_LOW: ("power_factor",),
    FaultClass.LED_MODULE_LOST: ("active_power_w",),
    FaultClass.LAMP_POWER_TOO_LOW: ("active_power_w",),
    FaultClass.LAMP_POWER_TOO_HIGH: ("active_power_w",),
    FaultClass.STUCK_SENSOR: ("active_power_w", *_COUNTERS),
    FaultClass.COUNTER_RESET: _COUNTERS,
}
"""All faults of lamps that the city's rules do not name, and the metrics of which one must be there to show them."""
_FEEDER_FAULTS = (
    FaultClass.SUPPLY_VOLTAGE_TOO_LOW,
    FaultClass.SUPPLY_VOLTAGE_TOO_HIGH,
    FaultClass.RCD_RECLOSING,
    FaultClass.CIRCUIT_BREAKER_TRIPPED,
    FaultClass.CABLE_THEFT,
    FaultClass.LOST_NEUTRAL,
    FaultClass.SWITCHING_ERROR_ON,
    FaultClass.SWITCHING_ERROR_OFF,
)


@dataclass(frozen=True, slots=True)
class Rates:
    """Mean numbers of faults a day; docs/simulator.md says what they are in words.

    Attributes
    ----------
    lamps, outages : float
        Of the lamp faults and of the outages of feeders that the city's rules know by name.
    other_lamps, other_feeders : float
        All others of lamps and of feeders.
    cabinets, clocks : float
        Outages of cabinets, and cabinets whose clock leaps.
    gateways : float
        Gateways that lose their uplink.
    facilities, sensors : float
        What goes wrong in facilities, and with the devices that measure there.
    """

    lamps: float = 3.0
    outages: float = 0.1
    other_lamps: float = 1.0
    other_feeders: float = 0.05
    cabinets: float = 0.02
    clocks: float = 0.02
    gateways: float = 0.05
    facilities: float = 0.5
    sensors: float = 0.1


NONE = Rates(0, 0, 0, 0, 0, 0, 0, 0, 0)
"""A city in which nothing breaks."""


@dataclass(frozen=True, slots=True)
class _Draw:
    """A group of faults: how many a day, which on what, and how long they last, hours."""

    rate: float
    assets: Mapping[FaultClass, Sequence[str]]
    hours: tuple[int, int]


def random_faults(
    pack: CityPack, seed: int, start_us: int, end_us: int, rates: Rates | None = None
) -> tuple[PlantedFault, ...]:
    """Return the faults of a city left to itself, repaired after hours or days.

    Each UTC day has its own seed: the same instant sees the same faults whatever range is asked for, so that a
    simulator that starts again goes on with the city that it left. No asset is struck twice in a day. A fault that
    nothing in the city would show is not drawn.
    """
    draws = _draws(pack, rates or Rates())
    found: list[PlantedFault] = []
    for day in range((start_us - LASTS_US_MAX) // DAY_US, -(-end_us // DAY_US)):
        found += _day(draws, seed, day)
    return tuple(sorted(f for f in found if f.onset_us < end_us and (f.end_us is None or f.end_us > start_us)))


def _day(draws: Sequence[_Draw], seed: int, day: int) -> Iterator[PlantedFault]:
    rng = random.Random(f"day|{seed}|{day}")  # noqa: S311 - a label, not a secret
    struck: set[str] = set()
    for draw in draws:
        kinds = [fault for fault, assets in draw.assets.items() if assets]
        for _ in range(_poisson(rng, draw.rate) if kinds else 0):
            fault = rng.choice(kinds)
            asset = rng.choice(draw.assets[fault])
            onset = day * DAY_US + rng.randrange(DAY_US)
            last = onset + rng.randrange(draw.hours[0] * HOUR_US, draw.hours[1] * HOUR_US)
            if asset not in struck:
                yield PlantedFault(onset, asset, fault, last)
            struck.add(asset)


def _draws(pack: CityPack, rates: Rates) -> tuple[_Draw, ...]:
    lamps, feeders = [lamp.lamp_id for lamp in pack.lamps], [feeder.feeder_id for feeder in pack.feeders]
    cabinets = [cabinet.cabinet_id for cabinet in pack.cabinets]
    # Controllers on permanent feeders have their gateway's time: only a contactor goes by the cabinet's clock.
    clocks = sorted({feeder.cabinet_id for feeder in pack.feeders if feeder.switching is Switching.SWITCHED})
    gateways = sorted({device.gateway_id for device in pack.devices})
    metrics = _metrics(pack)
    heard = [f.facility_id for f in pack.facilities if f.facility_id in metrics]
    sensors: dict[FaultClass, Sequence[str]] = {
        FaultClass.STUCK_SENSOR: heard,
        FaultClass.COUNTER_RESET: [name for name in heard if "active_energy_kwh" in metrics[name]],
        FaultClass.COMMUNICATION_FAILURE: heard,
    }
    inside: dict[FaultClass, Sequence[str]] = {
        fault: [name for name in heard if metric in metrics[name]] for fault, metric in FACILITY_METRICS.items()
    }
    outages: dict[FaultClass, Sequence[str]] = dict.fromkeys(
        (FaultClass.SUPPLY_LOSS, FaultClass.CIRCUIT_BREAKER_TRIPPED), cabinets
    )
    return (
        _Draw(rates.lamps, dict.fromkeys(LAMP_FAULTS, lamps), (18, 72)),
        _Draw(rates.outages, {FaultClass.SUPPLY_LOSS: feeders}, (3, 12)),
        _Draw(rates.other_lamps, _other_lamps(pack, metrics), (48, 96)),
        _Draw(rates.other_feeders, dict.fromkeys(_FEEDER_FAULTS, feeders), (8, 30)),
        _Draw(rates.facilities, inside, (6, 72)),
        _Draw(rates.cabinets, outages, (3, 12)),
        _Draw(rates.clocks, {FaultClass.CABINET_CLOCK_WRONG: clocks}, (60, 96)),
        _Draw(rates.gateways, {FaultClass.COMMUNICATION_FAILURE: gateways}, (2, 12)),
        _Draw(rates.sensors, sensors, (24, 72)),
    )


def _metrics(pack: CityPack) -> dict[str, set[str]]:
    """Return what is measured at each asset that has a device."""
    metrics: dict[str, set[str]] = defaultdict(set)
    for device in pack.devices:
        metrics[device.asset_id].update(pack.profiles[device.profile_id].metrics)
    return dict(metrics)


def _other_lamps(pack: CityPack, metrics: Mapping[str, set[str]]) -> dict[FaultClass, Sequence[str]]:
    """Return on which lamps each fault would show, as far as the inventory knows."""
    dimmed = {f.feeder_id for f in pack.feeders if pack.schedules[f.schedule_id].dimming}
    found: dict[FaultClass, list[str]] = {fault: [] for fault in _LAMP_METRICS}
    for lamp in pack.lamps:
        measured, led = metrics.get(lamp.lamp_id, set()), lamp.lamp_type == "led"
        for fault, shows in _LAMP_METRICS.items():
            match fault:
                case FaultClass.DIMMING_FAILURE:
                    fits = lamp.feeder_id in dimmed
                case FaultClass.CYCLING_FAILURE:
                    fits = not led
                case FaultClass.LED_MODULE_LOST:
                    fits = led
                case _:
                    fits = True
            if fits and not measured.isdisjoint(shows):
                found[fault].append(lamp.lamp_id)
    return dict(found)


def _poisson(rng: random.Random, rate: float) -> int:
    count, left = 0, rng.expovariate(rate) if rate > 0 else 2.0
    while left < 1:
        count += 1
        left += rng.expovariate(rate)
    return count
