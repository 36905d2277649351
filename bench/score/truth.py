"""What was planted as labels, and what the city has of its own that is a fault by the book."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from anomaly.backtest.labels import Label
from bench.score.fleets import FACILITIES, HOURLY, FleetPlan
from bench.score.player import NOISE
from city.alarm import FaultClass
from city.asset import Facility, Feeder, Switching
from city.clock import HOUR_US, MINUTE_US, SECOND_US, to_datetime
from city.metric import Metric
from city.opening import OpeningHours, periods_between
from city.pack import CityPack
from sim.facilities import FacilityModel
from sim.faultkinds import FACILITY_METRICS
from sim.faults import PlantedFault
from sim.realism import REAL
from sim.truth import Truth
from sim.weather import weather_of
from sim.world import World

_REPORT_US = 15 * MINUTE_US
_SIGMAS = 3.0
"""A facility's fault can show once it moves a reading by so many standard deviations of the noise."""
LIMITS = {
    FaultClass.CO2_TOO_HIGH: ("co2_ppm", 1, "co2_ppm", "co2_min"),
    FaultClass.HOT_WATER_TOO_COLD: ("hot_water_temperature_deg_c", -1, "hot_water_deg_c", "hot_water_min"),
    FaultClass.COLD_ROOM_TOO_WARM: ("cold_room_temperature_deg_c", 1, "cold_room_deg_c", "cold_room_min"),
}
"""Faults by the book: metric, on which side of which limit, and for how long; the last two as `FaultRules` has them.
Air that is worse than usual and still good is none."""


def label_of(fault: PlantedFault) -> Label:
    """Return a planted fault's label."""
    return Label(fault.onset_us, fault.asset_id, str(fault.fault), fault.end_us)


def standing(plan: FleetPlan, pack: CityPack) -> Iterator[Label]:
    """Yield labels of what is wrong all the time: clocks that are off by an hour and switch a feeder.

    Counters come too seldom to show it.
    """
    if plan.cadence in (FACILITIES,) or plan.cadence > HOURLY:
        return
    switched = {f.cabinet_id for f in pack.feeders if f.switching is Switching.SWITCHED}
    for cabinet_id, off_us in sorted(Truth(pack, plan.seed, REAL).clock_off_us.items()):
        if abs(off_us) >= HOUR_US and cabinet_id in switched:
            yield Label(plan.start_us, cabinet_id, str(FaultClass.CABINET_CLOCK_WRONG))


def facilities_show(plan: FleetPlan, pack: CityPack, faults: Sequence[PlantedFault]) -> dict[Label, int]:
    """Return when each fault of a facility first shows, µs UTC; its end where it never does.

    What a limit defines shows from when that is passed for as long as the rule says: bad air does not in an empty
    school. All else shows once it moves a reading; the simulator can be asked for both, with the fault and without.
    """
    weather = weather_of(plan.seed, pack.lat, pack.lon)
    rules = pack.rules
    known: dict[str, Facility] = {facility.facility_id: facility for facility in pack.facilities}
    found: dict[Label, int] = {}
    measured = {d.asset_id: pack.profiles[d.profile_id].metrics for d in pack.devices}
    for fault in faults:
        facility = known.get(fault.asset_id)
        if fault.fault not in FACILITY_METRICS or facility is None or fault.end_us is None:
            continue
        model = FacilityModel(facility, pack.opening_of(facility), pack.timezone, plan.seed, weather)
        at_us = np.arange(fault.onset_us, fault.end_us, _REPORT_US)
        if fault.fault in LIMITS:
            metric, sign, limit, minutes = LIMITS[fault.fault]
            value = model.course(pack.metrics[metric], at_us, (fault,))
            bad = (value - getattr(rules, limit)) * sign > 0
            if fault.fault is FaultClass.CO2_TOO_HIGH:
                bad &= open_at(pack.opening_of(facility), pack.timezone, at_us)
            began = lasting_from(at_us, bad, getattr(rules, minutes) * MINUTE_US)
            found[label_of(fault)] = fault.end_us if began is None else began
            continue
        # Not only the metric that names the fault: heating in summer shows on the meter, and hardly in the air.
        metrics = [pack.metrics[name] for name in measured[fault.asset_id] if name in NOISE]
        moved = at_us[_moved(model, metrics, at_us, fault)]
        found[label_of(fault)] = int(moved[0]) if len(moved) else fault.end_us
    return found


def clocks_show(plan: FleetPlan, pack: CityPack, faults: Sequence[PlantedFault]) -> dict[Label, int]:
    """Return when each wrong clock first shows, µs UTC; its end where it never does.

    A clock counts as wrong from `clock_error_s` on. Lamps of a switched feeder tell it when their gateway listens while
    the contactor is not what the schedule wants, nor has wanted or will want within so much: between messages that are
    an hour apart, an error of half an hour may show in none.
    """
    world = World(pack, plan.seed, faults, REAL)
    gateway_of = {cabinet.cabinet_id: cabinet.gateway_id for cabinet in pack.cabinets}
    error_us = pack.rules.clock_error_s * SECOND_US
    found: dict[Label, int] = {}
    for fault in faults:
        if fault.fault is not FaultClass.CABINET_CLOCK_WRONG or fault.end_us is None:
            continue
        feeders = [f for f in pack.feeders if f.cabinet_id == fault.asset_id and f.switching is Switching.SWITCHED]
        moments = world.moments(gateway_of[fault.asset_id], fault.onset_us, fault.end_us)
        shown = (at for at in moments if any(_is_beside(world, pack, f, at, error_us) for f in feeders))
        found[label_of(fault)] = next(shown, fault.end_us)
    return found


def _is_beside(world: World, pack: CityPack, feeder: Feeder, at_us: int, error_us: int) -> bool:
    schedule, fed = pack.schedules[feeder.schedule_id], world.is_fed(feeder.feeder_id, at_us)
    return all(schedule.commanded_on(at_us + shift_us) != fed for shift_us in (-error_us, 0, error_us))


def open_at(hours: OpeningHours | None, timezone: str, at_us: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell at which moments a facility is open; always, where nobody knows."""
    if hours is None:
        return np.ones(len(at_us), np.bool_)
    first, last = (to_datetime(int(at_us[end])).date() for end in (0, -1))
    periods = periods_between(hours, first - timedelta(days=2), last + timedelta(days=2), timezone)
    edges = np.array([edge for period in periods for edge in period], np.int64)
    # Edges are openings and closings in turn, so an odd place is within a period.
    inside: NDArray[np.bool_] = np.searchsorted(edges, at_us, "right") % 2 == 1
    return inside


def lasting_from(at_us: NDArray[np.int64], bad: NDArray[np.bool_], for_us: int) -> int | None:
    """Return when the first stretch of bad moments begins that lasts for so long; None: there is none."""
    since = -1
    for at, now in zip(at_us.tolist(), bad.tolist(), strict=True):
        since = (at if since < 0 else since) if now else -1
        if since >= 0 and at - since >= for_us:
            return since
    return None


def _moved(
    model: FacilityModel, metrics: Sequence[Metric], at_us: NDArray[np.int64], fault: PlantedFault
) -> NDArray[np.bool_]:
    """Tell at which moments a fault moves any reading by more than its noise does."""
    moved = np.zeros(len(at_us), np.bool_)
    for metric in metrics:
        away = np.abs(model.course(metric, at_us, (fault,)) - model.course(metric, at_us))
        moved |= away >= _SIGMAS * NOISE[metric.name]
    return moved
