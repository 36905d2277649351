"""Units as devices name them, turned into one another."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.units import _ALIASES, _UNITS, SAME, conversion, is_known


@pytest.mark.parametrize(
    ("value", "unit", "into", "expected"),
    [
        (1.2, "kW", "W", 1200),
        (36100, "mW", "W", 36.1),
        (68, "[degF]", "Cel", 20),
        (293.15, "K", "Cel", 20),
        (3600, "kJ", "kW.h", 1),
        (0.5, "1", "%", 50),
        (55, "%RH", "%", 55),
        (21.5, "CEL", "Cel", 21.5),
        (2.5, "KWH", "kW.h", 2.5),
        (90, "min", "h", 1.5),
        (10, "L/min", "m3/h", 0.6),
        (0.41, "mg/m3", "ug/m3", 410),
        (1013.25, "mbar", "hPa", 1013.25),
        (36, "km/h", "m/s", 10),
        (21.5, "°C", "Cel", 21.5),
    ],
)
def test_a_value_keeps_its_meaning_in_another_unit(value: float, unit: str, into: str, expected: float) -> None:
    told = conversion(unit, into)
    assert told is not None
    assert value * told.scale + told.offset == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("unit", "into"), [("W", "V"), ("kW.h", "kW"), ("Cel", "%"), ("furlong", "m"), ("V.A", "W")])
def test_what_cannot_be_turned_into_another_is_told(unit: str, into: str) -> None:
    assert conversion(unit, into) is None


def test_a_unit_of_the_citys_own_stays_as_it_is() -> None:
    assert conversion("bicycles", "bicycles") == SAME
    assert not is_known("bicycles")


def test_every_spelling_leads_to_a_unit() -> None:
    assert {unit for unit in _ALIASES.values() if unit not in _UNITS} == set()
    assert not set(_ALIASES) & set(_UNITS)


@given(st.sampled_from(sorted(_UNITS)), st.sampled_from(sorted(_UNITS)), st.floats(-1e6, 1e6))
def test_there_and_back_is_where_it_began(one: str, other: str, value: float) -> None:
    there, back = conversion(one, other), conversion(other, one)
    assert (there is None) == (back is None)
    if there is not None and back is not None:
        again = (value * there.scale + there.offset) * back.scale + back.offset
        assert math.isclose(again, value, rel_tol=1e-9, abs_tol=1e-3)
