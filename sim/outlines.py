"""Gijón's six districts in schematic outline, drawn by hand for the simulation; not a map of the real borders."""

Point = tuple[float, float]
"""Longitude, latitude in degrees."""

OUTLINES: dict[str, tuple[str, float, float, tuple[Point, ...]]] = {
    # id: name, share of the lamps, heading of the streets in degrees, ring
    "centre": (
        "Centro",
        0.09,
        12.0,
        ((-5.675, 43.548), (-5.664, 43.549), (-5.655, 43.541), (-5.655, 43.533), (-5.672, 43.534)),
    ),
    "east": (
        "Este",
        0.24,
        -8.0,
        (
            (-5.655, 43.541),
            (-5.640, 43.542),
            (-5.625, 43.546),
            (-5.610, 43.546),
            (-5.612, 43.526),
            (-5.648, 43.526),
            (-5.655, 43.533),
        ),
    ),
    "south": (
        "Sur",
        0.23,
        25.0,
        (
            (-5.676, 43.526),
            (-5.660, 43.522),
            (-5.648, 43.526),
            (-5.612, 43.526),
            (-5.620, 43.508),
            (-5.675, 43.508),
            (-5.690, 43.518),
        ),
    ),
    "west": (
        "Oeste",
        0.24,
        -20.0,
        (
            (-5.735, 43.560),
            (-5.700, 43.562),
            (-5.675, 43.548),
            (-5.672, 43.534),
            (-5.676, 43.526),
            (-5.690, 43.518),
            (-5.735, 43.530),
        ),
    ),
    "el-llano": (
        "El Llano",
        0.08,
        5.0,
        ((-5.672, 43.534), (-5.655, 43.533), (-5.648, 43.526), (-5.660, 43.522), (-5.676, 43.526)),
    ),
    "rural": (
        "Rural",
        0.12,
        40.0,
        (
            (-5.780, 43.570),
            (-5.735, 43.560),
            (-5.735, 43.530),
            (-5.690, 43.518),
            (-5.675, 43.508),
            (-5.620, 43.508),
            (-5.612, 43.526),
            (-5.610, 43.546),
            (-5.575, 43.556),
            (-5.560, 43.530),
            (-5.580, 43.480),
            (-5.650, 43.465),
            (-5.720, 43.480),
            (-5.790, 43.520),
        ),
    ),
}


def inside(lon: float, lat: float, ring: tuple[Point, ...]) -> bool:
    """Tell whether a point lies within a ring (ray casting)."""
    found = False
    for (x1, y1), (x2, y2) in zip(ring, ring[1:] + ring[:1], strict=True):
        if (y1 > lat) != (y2 > lat) and lon < x1 + (lat - y1) / (y2 - y1) * (x2 - x1):
            found = not found
    return found
