"""From when a planted fault counts: what a limit defines, from when that is passed for long enough."""

import numpy as np
import pytest

from bench.score.fleets import FACILITIES, FleetPlan, pack_of, plant
from bench.score.truth import LIMITS, facilities_show, label_of, lasting_from, open_at
from city.clock import DAY_US, HOUR_US, MINUTE_US
from city.opening import OpeningHours, parse_hours

STEP = 15 * MINUTE_US


@pytest.mark.parametrize(
    ("bad", "began"),
    [("....", None), ("##..", None), ("###.", 0), (".##.###", 4), (".#.#.#", None), ("####", 0), ("", None)],
)
def test_a_limit_is_passed_from_the_first_stretch_that_lasts(bad: str, began: int | None) -> None:
    at = np.arange(len(bad), dtype=np.int64) * STEP
    found = lasting_from(at, np.array([one == "#" for one in bad], np.bool_), 30 * MINUTE_US)
    assert found == (None if began is None else began * STEP)


def test_a_facility_is_open_by_its_hours_in_the_citys_zone_or_always() -> None:
    at = 20_000 * DAY_US + np.arange(7 * 24, dtype=np.int64) * HOUR_US
    hours = OpeningHours(parse_hours(["mon-fri 08:00-18:00"]), ())
    inside = open_at(hours, "Europe/Madrid", at)
    assert inside.sum() == 5 * 10
    local = (at[inside] // HOUR_US + 2) % 24  # The fourth of October 2024 and after: summer time.
    assert (local.min(), local.max()) == (8, 17)
    assert open_at(None, "Europe/Madrid", at).all()


def test_bad_air_counts_from_when_it_is_bad_and_not_where_it_never_is() -> None:
    plan = FleetPlan(601, FACILITIES, 40, 60, frozenset(map(str, LIMITS)))
    pack = pack_of(plan)
    faults = plant(plan, pack)
    shows = facilities_show(plan, pack, faults)
    assert {str(fault.fault) for fault in faults} == set(map(str, LIMITS))
    for fault in faults:
        assert fault.onset_us <= shows[label_of(fault)] <= (fault.end_us or 0)
    air = [fault for fault in faults if str(fault.fault) == "co2TooHigh"]
    assert any(shows[label_of(fault)] > fault.onset_us + 4 * HOUR_US for fault in air)
