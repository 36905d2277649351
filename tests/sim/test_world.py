"""The simulated city as a function of time."""

import itertools
from collections import defaultdict
from datetime import UTC, datetime

import pytest

from city.alarm import FaultClass
from city.asset import Switching
from city.clock import HOUR_US, MINUTE_US, from_datetime
from city.pack import CityPack
from city.profile import parse_pack
from sim.city import AIR_STATION, generate_city
from sim.faults import PlantedFault
from sim.world import GATEWAY_KEEPS_US, Observation, World

PACK: CityPack = parse_pack(generate_city(33, lamps=2000, facilities=12, mixed=False))
NOON = from_datetime(datetime(2026, 11, 23, 12, tzinfo=UTC))
MIDNIGHT = NOON + 12 * HOUR_US
LAMPS = {lamp.lamp_id: lamp for lamp in PACK.lamps}
ASSET_OF = {d.device_id: d.asset_id for d in PACK.devices}
ON_FEEDER: dict[str, list[str]] = defaultdict(list)
for _lamp in PACK.lamps:
    ON_FEEDER[_lamp.feeder_id].append(_lamp.lamp_id)


def feeder(switching: Switching) -> str:
    return next(f.feeder_id for f in PACK.feeders if f.switching is switching)


def heard(world: World, after_us: int, until_us: int) -> dict[str, list[Observation]]:
    """Return what each asset said in (after, until]."""
    said: dict[str, list[Observation]] = defaultdict(list)
    for gateway in world.gateways:
        for at_us in world.moments(gateway, after_us, until_us):
            for observation in world.observe(gateway, at_us):
                said[ASSET_OF[observation["device"]]].append(observation)
    return said


def quarter(world: World, at_us: int) -> dict[str, list[Observation]]:
    return heard(world, at_us, at_us + 15 * MINUTE_US)


def test_by_day_only_the_controllers_of_permanent_feeders_speak() -> None:
    said = quarter(World(PACK, 1), NOON)
    for each in PACK.feeders:
        for lamp_id in ON_FEEDER[each.feeder_id]:
            observations = said.get(lamp_id, [])
            if each.switching is Switching.SWITCHED:
                assert observations == []
            else:
                (one,) = observations
                assert one["dimming_level_pct"] == 0
                assert one["active_power_w"] < 1
                assert one["supply_voltage_v"] > 220


def test_by_night_every_lamp_burns_and_speaks_once_a_quarter() -> None:
    said = quarter(World(PACK, 1), MIDNIGHT)
    for lamp_id, lamp in LAMPS.items():
        (one,) = said[lamp_id]
        assert one["dimming_level_pct"] == 100
        assert one["active_power_w"] > 0.75 * lamp.rated_w


def test_all_lamps_of_a_gateway_speak_together_and_gateways_apart() -> None:
    world = World(PACK, 1)
    moments = {g: world.moments(g, MIDNIGHT, MIDNIGHT + 15 * MINUTE_US) for g in world.gateways if g != AIR_STATION}
    assert all(len(at) == 1 for at in moments.values())
    assert len({at[0] for at in moments.values()}) > len(moments) // 2
    assert all(world.next_moment(g, at[0] - 1) == at[0] for g, at in moments.items())
    assert all(world.next_moment(g, at[0]) == at[0] + 15 * MINUTE_US for g, at in moments.items())


def test_values_are_within_their_metrics_and_profiles_limits() -> None:
    profiles = {d.device_id: PACK.profiles[d.profile_id] for d in PACK.devices}
    for device, metric, at_us, value in World(PACK, 1).truth(NOON + 4 * HOUR_US, NOON + 7 * HOUR_US):
        assert PACK.metrics[metric].low <= value <= PACK.metrics[metric].high
        assert metric in profiles[device].metrics
        assert NOON < at_us <= NOON + 7 * HOUR_US


def test_moments_are_the_same_however_the_time_is_cut() -> None:
    outage = PlantedFault(NOON + 7 * MINUTE_US, feeder(Switching.PERMANENT), FaultClass.SUPPLY_LOSS)
    world = World(PACK, 1, [outage])
    for gateway in world.gateways:
        whole = world.moments(gateway, NOON, NOON + 2 * HOUR_US)
        cuts = range(NOON, NOON + 2 * HOUR_US, 7 * MINUTE_US + 13)
        ends = [*cuts, NOON + 2 * HOUR_US]
        assert [m for a, b in itertools.pairwise(ends) for m in world.moments(gateway, a, b)] == whole


def test_another_process_gives_the_same_readings() -> None:
    first = list(World(PACK, 7).truth(MIDNIGHT, MIDNIGHT + 15 * MINUTE_US))
    assert first == list(World(PACK, 7).truth(MIDNIGHT, MIDNIGHT + 15 * MINUTE_US))
    assert first != list(World(PACK, 8).truth(MIDNIGHT, MIDNIGHT + 15 * MINUTE_US))
    assert len(set(first)) == len(first)


def lamp_on(switching: Switching) -> str:
    return ON_FEEDER[feeder(switching)][2]


def test_a_failed_lamp_is_heard_dark_until_it_is_repaired() -> None:
    lamp_id = lamp_on(Switching.SWITCHED)
    fault = PlantedFault(NOON, lamp_id, FaultClass.LAMP_FAILURE, MIDNIGHT)
    world = World(PACK, 1, [fault])
    (before,) = quarter(world, MIDNIGHT - HOUR_US)[lamp_id]
    assert before["dimming_level_pct"] == 100
    assert before["active_power_w"] < 1
    (after,) = quarter(world, MIDNIGHT + HOUR_US)[lamp_id]
    assert after["active_power_w"] > 30


def test_a_day_burner_draws_power_while_commanded_off() -> None:
    lamp_id = lamp_on(Switching.PERMANENT)
    world = World(PACK, 1, [PlantedFault(NOON - HOUR_US, lamp_id, FaultClass.LAMP_UNEXPECTED_ON, NOON + HOUR_US)])
    (day,) = quarter(world, NOON)[lamp_id]
    assert day["dimming_level_pct"] == 0
    assert day["active_power_w"] > 30
    (later,) = quarter(world, NOON + HOUR_US)[lamp_id]
    assert later["active_power_w"] < 1


def test_a_controller_that_fell_silent_says_nothing_and_its_neighbours_do() -> None:
    lamp_id = lamp_on(Switching.PERMANENT)
    world = World(PACK, 1, [PlantedFault(NOON, lamp_id, FaultClass.COMMUNICATION_FAILURE, NOON + 2 * HOUR_US)])
    said = heard(world, NOON, NOON + 2 * HOUR_US)
    assert lamp_id not in said
    assert all(len(said[other]) == 8 for other in ON_FEEDER[LAMPS[lamp_id].feeder_id] if other != lamp_id)
    assert lamp_id in quarter(world, NOON + 2 * HOUR_US)


def test_a_facility_falls_silent_too() -> None:
    world = World(PACK, 1, [PlantedFault(NOON, "EA-CONSTITUCION", FaultClass.COMMUNICATION_FAILURE)])
    assert "EA-CONSTITUCION" in heard(world, NOON - 2 * HOUR_US, NOON - 1)
    assert "EA-CONSTITUCION" not in heard(world, NOON, NOON + 3 * HOUR_US)


@pytest.mark.parametrize(("switching", "onset"), [(Switching.PERMANENT, NOON), (Switching.SWITCHED, MIDNIGHT)])
def test_an_outage_silences_its_feeder_after_a_few_last_gasps(switching: Switching, onset: int) -> None:
    dead = feeder(switching)
    world = World(PACK, 1, [PlantedFault(onset, dead, FaultClass.SUPPLY_LOSS, onset + 2 * HOUR_US)])
    said = heard(world, onset, onset + 2 * HOUR_US)
    gasps = [lamp_id for lamp_id in ON_FEEDER[dead] if lamp_id in said]
    assert 0 < len(gasps) <= len(ON_FEEDER[dead]) / 5
    for lamp_id in gasps:
        (gasp,) = said[lamp_id]
        assert (gasp["active_power_w"], gasp["supply_voltage_v"]) == (0, 0)
    others = [lamp_id for f, ids in ON_FEEDER.items() for lamp_id in ids if f != dead]
    assert sum(lamp_id in said for lamp_id in others) >= len(others) / 3
    assert set(ON_FEEDER[dead]) <= set(quarter(world, onset + 2 * HOUR_US))


def test_a_switched_feeder_that_dies_by_day_gasps_not_and_shows_at_night() -> None:
    dead = feeder(Switching.SWITCHED)
    world = World(PACK, 1, [PlantedFault(NOON, dead, FaultClass.SUPPLY_LOSS)])
    assert not set(ON_FEEDER[dead]) & set(heard(world, NOON - HOUR_US, MIDNIGHT))


def test_a_facility_is_mended_from_the_next_reading_on_and_heard_the_same_in_columns() -> None:
    school = next(f.facility_id for f in PACK.facilities if f.kind == "school")
    stuck = PlantedFault(NOON, school, FaultClass.STUCK_SENSOR)
    world, sound = World(PACK, 1, [stuck]), World(PACK, 1)

    def said(world: World, after_us: int) -> list[Observation]:
        return heard(world, after_us, after_us + HOUR_US)[school]

    before = said(world, NOON + HOUR_US)
    assert before != said(sound, NOON + HOUR_US)
    world.mend(school, NOON + 2 * HOUR_US)
    assert said(world, NOON + 2 * HOUR_US) == said(sound, NOON + 2 * HOUR_US)
    assert said(world, NOON + HOUR_US) == before
    columns = {
        (device, at_us, name): value
        for gateway in world.gateways
        for at_us in world.moments(gateway, NOON + 2 * HOUR_US, NOON + 3 * HOUR_US)
        for one in world.hear(gateway, at_us)
        for device in one.device_ids
        if ASSET_OF[device] == school
        for name, value in zip(one.metrics, one.values[0].tolist(), strict=True)
    }
    told = {name: value for one in said(world, NOON + 2 * HOUR_US) for name, value in one.items()}
    assert len(columns) == 4 * (len(told) - 2)
    assert sorted(columns.values()) == sorted(
        value for one in said(world, NOON + 2 * HOUR_US) for name, value in one.items() if name not in ("device", "at")
    )


def test_the_air_station_reports_hourly_on_all_channels() -> None:
    said = heard(World(PACK, 1), NOON, NOON + 5 * HOUR_US)["EA-CONSTITUCION"]
    assert len(said) == 5
    assert all(len(one) == 19 for one in said)


def test_a_cabinets_main_breaker_takes_all_its_feeders() -> None:
    cabinet_id = PACK.cabinets[0].cabinet_id
    tripped = PlantedFault(MIDNIGHT, cabinet_id, FaultClass.CIRCUIT_BREAKER_TRIPPED, MIDNIGHT + HOUR_US)
    world = World(PACK, 1, [tripped])
    below = {i for f in PACK.feeders if f.cabinet_id == cabinet_id for i in ON_FEEDER[f.feeder_id]}
    said = quarter(world, MIDNIGHT + 15 * MINUTE_US)
    assert not below & set(said)
    assert set(LAMPS) - below <= set(said)
    assert below <= set(quarter(world, MIDNIGHT + 2 * HOUR_US))


def test_a_gateway_whose_uplink_is_out_is_silent_from_onset_to_end() -> None:
    gateway = PACK.gateways[0].gateway_id
    out = PlantedFault(MIDNIGHT, gateway, FaultClass.COMMUNICATION_FAILURE, MIDNIGHT + 3 * HOUR_US)
    world, sound = World(PACK, 1, [out]), World(PACK, 1)
    assert world.silent_since(gateway, MIDNIGHT - 1) is None
    assert world.silent_since(gateway, MIDNIGHT + HOUR_US) == MIDNIGHT
    assert world.silent_since(gateway, MIDNIGHT + 3 * HOUR_US) is None
    assert world.silent_since(PACK.gateways[-1].gateway_id, MIDNIGHT + HOUR_US) is None
    # What it heard meanwhile is not lost: it goes out afterwards.
    span = (MIDNIGHT - HOUR_US, MIDNIGHT + 4 * HOUR_US)
    assert list(world.truth(*span)) == list(sound.truth(*span))


def test_of_a_long_outage_a_gateway_keeps_the_last_day() -> None:
    gateway = PACK.gateways[0].gateway_id
    out = PlantedFault(MIDNIGHT, gateway, FaultClass.COMMUNICATION_FAILURE)
    world = World(PACK, 1, [out])
    end = MIDNIGHT + 30 * HOUR_US
    first = world.moments(gateway, MIDNIGHT, end)[0]
    assert world.observe(gateway, first) == []
    world.mend(gateway, end)
    assert world.silent_since(gateway, end) is None
    assert world.observe(gateway, first) == [], "six hours before what it keeps"
    kept = [at for at in world.moments(gateway, MIDNIGHT, end) if world.observe(gateway, at)]
    assert kept == world.moments(gateway, end - GATEWAY_KEEPS_US - 1, end)
