import gettext
from xml.etree import ElementTree

import pytest

from city.clock import HOUR_US
from portals_api.chart import Frame, line_chart, sparkline
from portals_api.i18n import Words

WORDS = Words("en", gettext.NullTranslations(), "Europe/Madrid")
T0 = 1_795_472_400_000_000


def _chart(points: list[tuple[int, float]], **frame: object) -> ElementTree.Element:
    shown = Frame(T0, T0 + 24 * HOUR_US, "W", "a <title>", **frame)  # type: ignore[arg-type]
    return ElementTree.fromstring(str(line_chart(points, shown, WORDS)))


def _places(chart: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [e for e in chart.iter() if e.get("class") == kind]


def test_a_silence_cuts_the_line() -> None:
    hours = [0, 1, 2, 3, 12, 13, 14]
    chart = _chart([(T0 + h * HOUR_US, 36.0) for h in hours])
    assert len(_places(chart, "line")) == 2
    assert chart.get("aria-label") == "a <title>"


def test_expected_is_drawn_for_each_level_that_was_commanded() -> None:
    levels = [(T0, T0 + 2 * HOUR_US, 36.0), (T0 + 2 * HOUR_US, T0 + 6 * HOUR_US, 18.0)]
    chart = _chart([(T0, 1.0)], bands=[(T0, T0 + 6 * HOUR_US)], expected=levels, usual=36.0, marks=[T0 + HOUR_US])
    assert (len(_places(chart, "band")), len(_places(chart, "mark"))) == (1, 1)
    full, half = _places(chart, "expected")
    assert full.get("x2") == half.get("x1")
    assert float(str(full.get("y1"))) < float(str(half.get("y1")))


@pytest.mark.parametrize("values", [[0.0], [-5.0, 5.0], [1013.2, 1013.3], [0.0, 0.0], [1e9, -1e9], [1e-9]])
@pytest.mark.parametrize("from_zero", [True, False])
def test_any_values_stay_inside_of_the_drawing(values: list[float], from_zero: bool) -> None:
    points = [(T0 + n * HOUR_US, value) for n, value in enumerate(values)]
    chart = _chart(points, from_zero=from_zero, spread=[(at, v, v) for at, v in points])
    for line in _places(chart, "line") + _places(chart, "spread"):
        for pair in str(line.get("points")).split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= 640
            assert 0 <= y <= 212
    assert len({t.text for t in _places(chart, "end")}) >= 3


def test_a_small_chart_of_nothing_is_nothing_and_of_one_value_is_one() -> None:
    assert sparkline([], "x") == ""
    ElementTree.fromstring(str(sparkline([(T0, 1.0)], '"><script>')))
