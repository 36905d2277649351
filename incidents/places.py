"""How far apart things are, and the cells of the map whose locks keep two reports of one place from racing. Pure."""

import math

CELL_DEG = 0.01
"""About a kilometre: a city has some hundred cells, and a report holds its own for milliseconds."""
NEAR_M = 50.0
"""Reports of one kind this close to each other, or to a lamp, are about the same thing."""

_METRES_PER_DEG = 111_195.0


def distance_m(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Return the distance of two points (degrees) in a city, in metres; flat-earth, good to 0.1 % within 100 km."""
    dy = (lat2 - lat1) * _METRES_PER_DEG
    dx = (lon2 - lon1) * _METRES_PER_DEG * math.cos(math.radians((lat1 + lat2) / 2))
    return math.hypot(dx, dy)


def box(lat: float, lon: float, radius_m: float = NEAR_M) -> tuple[float, float, float, float]:
    """Return south, west, north, east (degrees) of the square around a point."""
    dlat = radius_m / _METRES_PER_DEG
    dlon = dlat / max(math.cos(math.radians(lat)), 0.01)
    return lat - dlat, lon - dlon, lat + dlat, lon + dlon


def cell_of(lat: float, lon: float) -> str:
    """Return the name of the cell that holds a point: the root of a place's ticket."""
    return f"cell:{math.floor(lat / CELL_DEG)}:{math.floor(lon / CELL_DEG)}"


def cells_near(lat: float, lon: float) -> set[str]:
    """Return the one to four cells that hold everything near a point."""
    south, west, north, east = box(lat, lon)
    return {cell_of(y, x) for y in (south, north) for x in (west, east)}
