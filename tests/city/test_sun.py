"""The sun's position against astral's, and the periods in which lamps burn."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from astral import Observer
from astral.sun import elevation
from hypothesis import given, settings
from hypothesis import strategies as st

from city.clock import DAY_US, HOUR_US, SECOND_US, from_datetime, to_datetime
from city.sun import burning_periods, elevation_deg

GIJON = (43.54, -5.66)
MIDSUMMER = from_datetime(datetime(2026, 6, 21, tzinfo=UTC))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(631_152_000, 3_786_912_000).map(lambda second: datetime.fromtimestamp(second, UTC)),
    st.floats(-75, 75),
    st.floats(-180, 180),
)
def test_elevation_agrees_with_astral(at: datetime, lat: float, lon: float) -> None:
    ours = elevation_deg(np.array([from_datetime(at)]), lat, lon)[0]
    theirs = elevation(Observer(lat, lon), at, with_refraction=False)
    assert ours == pytest.approx(theirs, abs=0.1)


@pytest.mark.parametrize("month", range(1, 13))
def test_the_periods_begin_and_end_at_the_wanted_elevation(month: int) -> None:
    noon = from_datetime(datetime(2026, month, 15, 12, tzinfo=UTC))
    on, off = burning_periods(noon, noon + DAY_US, *GIJON, -3.0)
    for edge in (*on, *off):
        at = to_datetime(int(edge))
        assert at.microsecond == 0
        assert elevation(Observer(*GIJON), at, with_refraction=False) == pytest.approx(-3.0, abs=0.05)


def test_a_winter_night_is_one_period_from_dusk_to_dawn() -> None:
    noon = from_datetime(datetime(2026, 12, 21, 12, tzinfo=UTC))
    on, off = burning_periods(noon, noon + DAY_US, *GIJON, -0.833)
    assert len(on) == len(off) == 1
    assert to_datetime(int(on[0])).hour == 16
    assert 14 < (int(off[0]) - int(on[0])) / HOUR_US < 16


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400 * 24), st.integers(1, 200))
def test_an_instant_gets_the_same_period_whatever_the_range(hours: int, length: int) -> None:
    start = MIDSUMMER + hours * HOUR_US
    wide = burning_periods(start - 5 * DAY_US, start + 5 * DAY_US + length * HOUR_US, *GIJON, -3.0)
    narrow = burning_periods(start, start + length * HOUR_US, *GIJON, -3.0)
    known = set(zip(*(edges.tolist() for edges in wide), strict=True))
    assert set(zip(*(edges.tolist() for edges in narrow), strict=True)) <= known


def test_where_the_sun_never_sets_lamps_never_burn() -> None:
    on, off = burning_periods(MIDSUMMER, MIDSUMMER + DAY_US, 78.0, 15.0, -0.833)
    assert len(on) == len(off) == 0


def test_where_the_sun_never_rises_lamps_burn_throughout() -> None:
    start = from_datetime(datetime(2026, 12, 21, tzinfo=UTC))
    on, off = burning_periods(start, start + DAY_US, 78.0, 15.0, -0.833)
    assert len(on) == 1
    assert on[0] <= start
    assert off[0] >= start + DAY_US


def test_no_time_gives_no_elevation() -> None:
    assert len(elevation_deg(np.array([], np.int64), *GIJON)) == 0


def test_a_range_that_ends_before_it_begins_touches_nothing() -> None:
    noon = from_datetime(datetime(2026, 6, 21, 12, tzinfo=UTC))
    on, _ = burning_periods(noon, noon - SECOND_US, *GIJON, -3.0)
    assert len(on) == 0


def test_the_year_has_as_many_nights_as_days() -> None:
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    on, off = burning_periods(from_datetime(start), from_datetime(start + timedelta(days=365)), *GIJON, -3.0)
    assert len(on) == 365
    assert np.all(on < off)
    assert np.all(off[:-1] < on[1:])
