"""Lamps that are dimmed at hours that nobody reports: each hour has a habit, and clocks may shift it."""

import pytest

from anomaly.layout import FACTOR, POWER, VOLTAGE
from city.clock import DAY_US, HOUR_US
from tests.anomaly.lamps.one_lamp import ONSET, Lamp, device, readings, suspected

DAYS = 24
CHANNELS = (POWER, VOLTAGE, FACTOR)
NIGHTS = [(d * DAY_US + 17 * HOUR_US, (d + 1) * DAY_US + 7 * HOUR_US) for d in range(DAYS)]


def half_from(hour: int, then: int):
    """Return a program that goes to half from `hour` to the end of the night, from `then` on after `ONSET`."""

    def level(at: int) -> float:
        begins = hour if at < ONSET else then
        return 50.0 if (at // HOUR_US - 12) % 24 >= begins - 12 else 100.0

    return level


def told(lamp: Lamp, interval_us: int) -> list[str]:
    watched = device(DAYS, periods=NIGHTS, interval_us=interval_us, early=int(interval_us < HOUR_US))
    return suspected(watched, readings(watched, lamp, channels=CHANNELS))


@pytest.mark.parametrize("interval_us", [HOUR_US // 4, HOUR_US])
@pytest.mark.parametrize("shifted", [22, 21, 23])
def test_a_program_that_nobody_reports_is_no_fault_nor_is_one_that_clocks_shift(shifted: int, interval_us: int) -> None:
    assert told(Lamp(level=half_from(22, shifted)), interval_us) == []


@pytest.mark.parametrize("interval_us", [HOUR_US // 4, HOUR_US])
def test_a_lamp_that_no_longer_dims_is_found_by_its_own_habit(interval_us: int) -> None:
    assert told(Lamp(level=half_from(22, 36)), interval_us) == ["dimmingFailure"]


@pytest.mark.parametrize("interval_us", [HOUR_US // 4, HOUR_US])
@pytest.mark.parametrize(("share", "fault"), [(0.5, "ledModuleLost"), (1.3, "lampPowerTooHigh"), (0.0, "lampFailure")])
def test_other_faults_keep_their_names(share: float, fault: str, interval_us: int) -> None:
    lamp = Lamp(level=half_from(22, 22), share=lambda at: share if at >= ONSET else 1.0)
    assert told(lamp, interval_us) == [fault]


def test_the_power_factor_of_a_dimmed_lamp_is_no_fault_where_nobody_says_that_it_is_dimmed() -> None:
    program = half_from(22, 22)
    assert told(Lamp(level=program, factor=lambda at: 0.93 if program(at) > 60 else 0.5), HOUR_US // 4) == []


@pytest.mark.parametrize("interval_us", [HOUR_US // 4, HOUR_US])
def test_an_hour_that_first_burns_during_a_fault_does_not_take_it_for_its_habit(interval_us: int) -> None:
    """Nights grow: an hour of dusk is dark for the first time while part of the lamp is out, and then it is mended."""
    mended = ONSET + 6 * DAY_US
    nights = [(begin + (begin < ONSET) * HOUR_US, end) for begin, end in NIGHTS]
    lamp = Lamp(level=half_from(22, 22), share=lambda at: 0.75 if ONSET <= at < mended else 1.0)
    watched = device(DAYS, periods=nights, interval_us=interval_us, early=int(interval_us < HOUR_US))
    assert suspected(watched, readings(watched, lamp, channels=CHANNELS)) == ["ledModuleLost"]
