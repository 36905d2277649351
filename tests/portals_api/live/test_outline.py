from typing import Any

import pytest

from portals_api.live.outline import innermost


def box(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def polygon(*rings: list[list[float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def test_a_square_is_named_in_its_middle() -> None:
    found = innermost(polygon(box(-5.7, 43.50, -5.6, 43.56)))
    assert found is not None
    assert abs(found[0] - 43.53) < 2e-3
    # The square is wider than high: anywhere along its middle line is as far inside.
    assert -5.7 < found[1] < -5.6


def test_a_district_that_surrounds_another_is_named_beside_it_and_never_in_it() -> None:
    ring = polygon(box(-5.8, 43.4, -5.5, 43.7), box(-5.75, 43.5, -5.55, 43.68))
    found = innermost(ring)
    assert found is not None
    assert 43.4 < found[0] < 43.5


def test_a_bent_district_is_named_inside_although_the_middle_of_its_box_is_outside() -> None:
    bent = [[0.0, 0.0], [10.0, 0.0], [10.0, 2.0], [3.0, 2.0], [3.0, 10.0], [0.0, 10.0], [0.0, 0.0]]
    found = innermost(polygon(bent))
    assert found is not None
    lat, lon = found
    assert lon < 3
    assert lat < 10


def test_of_several_parts_the_roomiest_is_named() -> None:
    parts = {"type": "MultiPolygon", "coordinates": [[box(0, 0, 1, 1)], [box(5, 0, 9, 4)], [box(20, 0, 21, 1)]]}
    found = innermost(parts)
    assert found == pytest.approx((2.0, 7.0), abs=0.05)


@pytest.mark.parametrize("boundary", [None, {"type": "Point", "coordinates": [1, 2]}, polygon([[0, 0], [1, 1]])])
def test_what_is_no_outline_has_no_point_inside(boundary: dict[str, Any] | None) -> None:
    assert innermost(boundary) is None
