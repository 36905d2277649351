"""Reads the outlines of districts from GeoJSON."""

import math
from collections.abc import Iterator
from typing import Any

from city import packfile
from city.packfile import Cells, Notes, shown

FILE = "districts.geojson"


def parse_districts(notes: Notes, text: str) -> Iterator[tuple[Cells, str, str, dict[str, Any]]]:
    """Yield each feature as (its cells, district id, name, geometry); mistakes are noted."""
    body = packfile.geojson(notes, FILE, text)
    if body is None:
        return
    features = body.get("features") if isinstance(body, dict) else None
    if not isinstance(body, dict) or body.get("type") != "FeatureCollection" or not isinstance(features, list):
        notes.add(FILE, 1, 'the file must be a FeatureCollection: {"type": "FeatureCollection", "features": [ … ]}')
        return
    if not features:
        notes.add(FILE, 1, "there are no districts: add at least one, the city itself")
    lines = [number for number, line in enumerate(text.splitlines(), 1) for _ in range(line.count('"Feature"'))]
    for index, feature in enumerate(features):
        line = lines[index] if index < len(lines) else 1
        properties = feature.get("properties") if isinstance(feature, dict) else None
        if not isinstance(properties, dict) or feature.get("type") != "Feature":
            notes.add(FILE, line, f"feature {index + 1} must be a Feature with properties district_id and name")
            continue
        cells = Cells(notes, FILE, line, properties, {})
        identity, name = cells.name("district_id"), cells.text("name")
        geometry = feature.get("geometry")
        wrong = _wrong_geometry(geometry)
        if wrong:
            cells.wrong("", f"the outline of {shown(identity)} {wrong}")
        yield cells, identity, name, geometry if isinstance(geometry, dict) else {}


def _wrong_geometry(geometry: Any) -> str:
    """Return what is wrong with a geometry, or nothing."""
    match geometry:
        case {"type": "Polygon", "coordinates": list(polygon), **rest} if not rest:
            polygons = [polygon]
        case {"type": "MultiPolygon", "coordinates": list(polygons), **rest} if not rest:
            pass
        case _:
            return "must be a Polygon or MultiPolygon with type and coordinates alone"
    if not polygons:
        return "has no polygon: draw one"
    for polygon in polygons:
        if not isinstance(polygon, list) or not polygon:
            return "has a polygon without rings: draw one"
        for ring in polygon:
            wrong = _wrong_ring(ring)
            if wrong:
                return wrong
    return ""


def _wrong_ring(ring: Any) -> str:
    if not isinstance(ring, list) or len(ring) < 4:
        return "has a ring of fewer than four positions: add some"
    for position in ring:
        match position:
            case [int() | float() as lon, int() | float() as lat] if _within(lon, 180) and _within(lat, 90):
                pass
            case _:
                return f"has the position {shown(position)}: write [longitude, latitude] in degrees"
    return "" if ring[0] == ring[-1] else "has an open ring: repeat its first position at the end"


def _within(value: float, limit: float) -> bool:
    if isinstance(value, bool):
        return False
    return (isinstance(value, int) or math.isfinite(value)) and -limit <= value <= limit
