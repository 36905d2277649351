"""The world with its faults and its imperfections: each one shows in what devices say, and only there."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from city.alarm import FaultClass
from city.asset import Switching
from city.clock import DAY_US, HOUR_US, MINUTE_US, from_datetime
from city.profile import parse_pack
from sim.city import generate_city
from sim.faults import PlantedFault
from sim.realism import PERFECT, REAL, Realism
from sim.world import Observation, World

FILES = generate_city(7, lamps=420, facilities=1)
# Every controller measures all it can, so that every fault has a place to show.
PACK = parse_pack(
    {**FILES, "devices.csv": "\n".join(r for r in FILES["devices.csv"].split("\n") if not r.startswith("N-"))}
    | {"city.toml": FILES["city.toml"].replace('"lamp-controller"', '"lamp-controller-full"')}
)
NOON = from_datetime(datetime(2026, 11, 24, 12, tzinfo=UTC))
NIGHT = NOON + 12 * HOUR_US
ASSET_OF = {d.device_id: d.asset_id for d in PACK.devices}
LAMPS = {lamp.lamp_id: lamp for lamp in PACK.lamps}
FEEDERS = {f.feeder_id: f for f in PACK.feeders}
ON_FEEDER: dict[str, list[str]] = defaultdict(list)
for _lamp in PACK.lamps:
    ON_FEEDER[_lamp.feeder_id].append(_lamp.lamp_id)
Said = dict[str, list[Observation]]


def heard(faults: list[PlantedFault], start_us: int, hours: float, realism: Realism = PERFECT) -> Said:
    world = World(PACK, 1, faults, realism)
    said: Said = defaultdict(list)
    end_us = start_us + int(hours * HOUR_US)
    for gateway in world.gateways:
        for at_us in world.moments(gateway, start_us, end_us):
            for observation in world.observe(gateway, at_us):
                said[ASSET_OF[observation["device"]]].append(observation)
    return said


def lamp(kind: str = "led", switching: Switching | None = Switching.PERMANENT, schedule: str = "") -> str:
    return next(
        x.lamp_id
        for x in PACK.lamps
        if x.lamp_type == kind
        and switching in (None, FEEDERS[x.feeder_id].switching)
        and FEEDERS[x.feeder_id].schedule_id.startswith(schedule)
    )


def column(said: Said, asset: str, metric: str) -> list[float]:
    return [float(o[metric]) for o in said[asset]]


POWER, VOLTAGE, LEVEL, FACTOR = "active_power_w", "supply_voltage_v", "dimming_level_pct", "power_factor"


@pytest.mark.parametrize(
    ("fault", "kind", "shows"),
    [
        (FaultClass.CYCLING_FAILURE, "sodium", lambda p, s: sum(w < 1 for w in p) >= 2 and sum(w > 40 for w in p) >= 5),
        (FaultClass.FLICKER, "led", lambda p, s: np.std(p) / np.mean(p) > 0.05),
        (FaultClass.LED_MODULE_LOST, "led", lambda p, s: max(p) < 0.9 * min(s)),
        (FaultClass.LAMP_POWER_TOO_HIGH, "led", lambda p, s: min(p) > 1.15 * max(s)),
        (FaultClass.LAMP_POWER_TOO_LOW, "led", lambda p, s: p[-1] < 0.985 * s[-1] and p[0] > p[-1]),
        (FaultClass.STUCK_SENSOR, "led", lambda p, s: len(set(p)) == 1 and len(set(s)) > 1),
        (FaultClass.LAMP_FAILURE, "led", lambda p, s: max(p) < 1),
    ],
)
def test_a_fault_of_a_lamp_shows_in_its_power(
    fault: FaultClass, kind: str, shows: Callable[[list[float], list[float]], bool]
) -> None:
    lamp_id = lamp(kind)
    planted = [PlantedFault(NIGHT - 2 * HOUR_US, lamp_id, fault)]
    sick, sound = heard(planted, NIGHT - HOUR_US, 5), heard([], NIGHT - HOUR_US, 5)
    assert shows(column(sick, lamp_id, POWER), column(sound, lamp_id, POWER))
    neighbour = next(i for i in ON_FEEDER[LAMPS[lamp_id].feeder_id] if i != lamp_id)
    assert column(sick, neighbour, POWER) == pytest.approx(column(sound, neighbour, POWER), rel=0.02)


def test_a_dimming_failure_burns_in_full_and_says_that_it_is_dimmed() -> None:
    lamp_id = lamp(schedule="part-night")
    small_hours = NIGHT + HOUR_US
    sick = heard([PlantedFault(NOON, lamp_id, FaultClass.DIMMING_FAILURE)], small_hours, 1)
    sound = heard([], small_hours, 1)
    assert column(sick, lamp_id, LEVEL) == column(sound, lamp_id, LEVEL) == [50.0] * 4
    assert column(sick, lamp_id, POWER)[0] == pytest.approx(column(sound, lamp_id, POWER)[0] / 0.515, rel=0.03)


def test_a_lost_capacitor_shows_in_the_power_factor() -> None:
    lamp_id = lamp("sodium")
    sick = heard([PlantedFault(NOON, lamp_id, FaultClass.POWER_FACTOR_TOO_LOW)], NIGHT, 1)
    assert max(column(sick, lamp_id, FACTOR)) < 0.5
    assert min(column(heard([], NIGHT, 1), lamp_id, FACTOR)) > 0.85


def feeder(switching: Switching = Switching.PERMANENT) -> str:
    return next(f for f, lamps in ON_FEEDER.items() if FEEDERS[f].switching is switching and len(lamps) > 8)


@pytest.mark.parametrize(
    ("fault", "low", "high"),
    [(FaultClass.SUPPLY_VOLTAGE_TOO_LOW, 190, 207), (FaultClass.SUPPLY_VOLTAGE_TOO_HIGH, 253, 266)],
)
def test_a_supplys_voltage_is_wrong_on_the_whole_feeder(fault: FaultClass, low: float, high: float) -> None:
    dead = feeder()
    said = heard([PlantedFault(NOON, dead, fault)], NIGHT, 1)
    for lamp_id in ON_FEEDER[dead]:
        assert all(low < v < high for v in column(said, lamp_id, VOLTAGE))


def test_without_its_neutral_two_phases_of_a_feeder_drift_apart() -> None:
    dead = feeder()
    said = heard([PlantedFault(NOON, dead, FaultClass.LOST_NEUTRAL)], NIGHT, 1)
    by_phase = {p: [v for i in ON_FEEDER[dead] if LAMPS[i].phase == p for v in column(said, i, VOLTAGE)] for p in "RST"}
    means = sorted(float(np.mean(v)) for v in by_phase.values())
    assert means[0] < 0.9 * 230
    assert means[-1] > 1.1 * 230


def test_a_stolen_cable_darkens_and_silences_the_tail() -> None:
    dead = feeder()
    said = heard([PlantedFault(NIGHT, dead, FaultClass.CABLE_THEFT)], NIGHT + MINUTE_US, 1)
    alive = [i in said for i in ON_FEEDER[dead]]
    assert 0 < sum(alive) < len(alive)
    assert alive == sorted(alive, reverse=True), "what hangs before the cut lives"


def test_a_tripped_breaker_takes_one_phase() -> None:
    dead = feeder()
    said = heard([PlantedFault(NIGHT, dead, FaultClass.CIRCUIT_BREAKER_TRIPPED)], NIGHT + MINUTE_US, 1)
    silent = {LAMPS[i].phase for i in ON_FEEDER[dead] if i not in said}
    assert len(silent) == 1
    assert all(LAMPS[i].phase not in silent for i in ON_FEEDER[dead] if i in said)


def test_a_chafed_cable_trips_a_few_times_a_night_with_last_gasps() -> None:
    dead = feeder()
    said = heard([PlantedFault(NOON, dead, FaultClass.RCD_RECLOSING)], NOON + 6 * HOUR_US, 12)
    zeros = {o["at"] for i in ON_FEEDER[dead] for o in said[i] if o[VOLTAGE] == 0}
    assert 2 <= len(zeros) <= 4
    assert all(any(o[POWER] > 5 for o in said[i]) for i in ON_FEEDER[dead])


def test_a_welded_contactor_burns_by_day_and_a_dead_one_stays_off() -> None:
    burning, off = feeder(Switching.SWITCHED), feeder()
    faults = [
        PlantedFault(NOON - DAY_US, burning, FaultClass.SWITCHING_ERROR_ON),
        PlantedFault(NOON, off, FaultClass.SWITCHING_ERROR_OFF),
    ]
    by_day = heard(faults, NOON, 1)
    assert all(min(column(by_day, i, POWER)) > 10 for i in ON_FEEDER[burning])
    by_night = heard(faults, NIGHT, 1)
    assert all(max(column(by_night, i, POWER)) < 1 for i in ON_FEEDER[off])


def test_a_whole_cabinet_loses_its_supply() -> None:
    cabinet = FEEDERS[feeder()].cabinet_id
    said = heard([PlantedFault(NIGHT, cabinet, FaultClass.SUPPLY_LOSS)], NIGHT + MINUTE_US, 1)
    for lamp_id, one in LAMPS.items():
        assert (lamp_id in said) == (FEEDERS[one.feeder_id].cabinet_id != cabinet)


def test_a_wrong_clock_moves_the_dusk_of_switched_feeders_alone() -> None:
    cabinet = FEEDERS[feeder(Switching.SWITCHED)].cabinet_id
    faults = [PlantedFault(NOON - DAY_US, cabinet, FaultClass.CABINET_CLOCK_WRONG)]

    def lit(said: Said) -> dict[str, str]:
        return {i: min(o["at"] for o in said[i] if o[POWER] > 5) for i in LAMPS if i in said}

    wrong, right = lit(heard(faults, NOON + 2 * HOUR_US, 6)), lit(heard([], NOON + 2 * HOUR_US, 6))
    for lamp_id, at in right.items():
        at_fault = FEEDERS[LAMPS[lamp_id].feeder_id]
        moved = at_fault.cabinet_id == cabinet and at_fault.switching is Switching.SWITCHED
        assert (wrong[lamp_id] != at) == moved


def test_a_hot_discharge_lamp_stays_dark_after_a_dip_and_an_led_does_not() -> None:
    for kind, dark_min in (("metal-halide", 8), ("led", 0)):
        lamp_id = lamp(kind, None)
        feeder_id = LAMPS[lamp_id].feeder_id
        dip = PlantedFault(NIGHT, feeder_id, FaultClass.SUPPLY_LOSS, NIGHT + 20_000_000)
        world = World(PACK, 1, [dip])
        (bank,) = (b for banks in world._banks.values() for b in banks if b.holds(lamp_id))
        row = bank.lamp_ids.index(lamp_id)
        after = [bank._stand(NIGHT + m * MINUTE_US)[0].burning[row] for m in range(1, 20)]
        assert after == sorted(after)
        assert (~np.array(after)).sum() >= dark_min - 1
        assert after[-1]


def test_counters_grow_with_the_night_and_begin_anew_after_a_reset() -> None:
    lamp_id = lamp()
    sound = heard([], NOON, 24)
    hours, energy = column(sound, lamp_id, "operating_hours_h"), column(sound, lamp_id, "active_energy_kwh")
    assert hours == sorted(hours)
    assert energy == sorted(energy)
    assert 13 < hours[-1] - hours[0] < 16
    drawn = sum(column(sound, lamp_id, POWER)) / 4 / 1000
    assert energy[-1] - energy[0] == pytest.approx(drawn, rel=0.2)
    assert column(sound, lamp_id, "switch_on_count")[-1] == column(sound, lamp_id, "switch_on_count")[0] + 1
    reset = heard([PlantedFault(NIGHT, lamp_id, FaultClass.COUNTER_RESET, NIGHT + HOUR_US)], NOON, 24)
    after = column(reset, lamp_id, "operating_hours_h")
    assert after[0] == hours[0]
    assert after[-1] < 12


def test_a_lamps_counters_begin_anew_twice_in_a_day_at_least_until_it_is_mended() -> None:
    lamp_id = lamp()
    reset = heard([PlantedFault(NOON, lamp_id, FaultClass.COUNTER_RESET, NOON + 20 * HOUR_US)], NOON - HOUR_US, 48)
    for name in ("operating_hours_h", "active_energy_kwh"):
        counted = column(reset, lamp_id, name)
        falls = [i for i in range(1, len(counted)) if counted[i] < counted[i - 1]]
        assert 2 <= len(falls) <= 4
        assert counted[-1] > 10 if name == "operating_hours_h" else counted[-1] > 0


def test_a_dead_lamps_counters_stand_still() -> None:
    lamp_id = lamp()
    said = heard([PlantedFault(NOON, lamp_id, FaultClass.LAMP_FAILURE)], NOON, 24)
    hours = column(said, lamp_id, "operating_hours_h")
    assert hours[0] == hours[-1]


def test_one_report_in_ten_is_lost() -> None:
    real, perfect = heard([], NIGHT, 2, REAL), heard([], NIGHT, 2)
    share = sum(map(len, real.values())) / sum(map(len, perfect.values()))
    assert share == pytest.approx(0.9, abs=0.02)


def test_controllers_on_switched_feeders_boot_over_some_minutes() -> None:
    slow = Realism(boot_s=300.0)
    lamps = ON_FEEDER[feeder(Switching.SWITCHED)]
    said, quick = heard([], NOON + 4 * HOUR_US, 2, slow), heard([], NOON + 4 * HOUR_US, 2)
    assert sum(len(said[i]) for i in lamps) <= sum(len(quick[i]) for i in lamps)
    assert {len(quick[i]) - len(said[i]) for i in lamps} <= {0, 1}


def test_mending_ends_a_fault_and_leaves_what_was_before() -> None:
    dead = feeder()
    world = World(PACK, 1, [PlantedFault(NIGHT, dead, FaultClass.SUPPLY_LOSS)])
    gateway = next(d.gateway_id for d in PACK.devices if d.asset_id == ON_FEEDER[dead][0])
    world.mend(dead, NIGHT + HOUR_US)
    for start, alive in ((NIGHT + MINUTE_US, False), (NIGHT + HOUR_US, True)):
        (at_us,) = world.moments(gateway, start, start + 15 * MINUTE_US)
        said = {ASSET_OF[o["device"]] for o in world.observe(gateway, at_us)}
        assert (set(ON_FEEDER[dead]) <= said) is alive
