"""Rows of a generated city on their way into its files."""

from dataclasses import dataclass, field

from sim.outlines import Point

Row = tuple[object, ...]


@dataclass(slots=True)
class Plan:
    """Each list is one CSV file, in the order of its columns."""

    gateways: list[Row] = field(default_factory=list)
    cabinets: list[Row] = field(default_factory=list)
    feeders: list[Row] = field(default_factory=list)
    lamps: list[Row] = field(default_factory=list)
    facilities: list[Row] = field(default_factory=list)
    devices: list[Row] = field(default_factory=list)


def place_cells(point: Point) -> tuple[str, str]:
    """Return latitude and longitude as cells of a CSV file."""
    lon, lat = point
    return f"{lat:.6f}", f"{lon:.6f}"
