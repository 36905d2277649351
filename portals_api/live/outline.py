"""The point of an outline that lies farthest inside it: where a district's name stands, and where a search leads."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_STEPS = 24
"""Points tried along each side of the box, each time."""
_ROUNDS = 4
"""Each looks around the best point of the one before, in a box a sixth as wide: about a metre in a city at the end."""


def innermost(boundary: dict[str, Any] | None) -> tuple[float, float] | None:
    """Return lat and lon of the point farthest from the edge of a GeoJSON polygon or of several; None without one.

    The middle of an outline's box may lie outside of it, where a district is bent or surrounds another.
    """
    segments = _segments(boundary)
    if segments is None:
        return None
    # East and north must measure alike: a degree of longitude is shorter.
    squeeze = math.cos(math.radians(float(segments[:, 1].mean())))
    segments = segments * np.array([squeeze, 1.0, squeeze, 1.0])
    low = np.minimum(segments[:, :2].min(axis=0), segments[:, 2:].min(axis=0))
    high = np.maximum(segments[:, :2].max(axis=0), segments[:, 2:].max(axis=0))
    middle, half = (low + high) / 2, (high - low) / 2
    for _ in range(_ROUNDS):
        steps = np.linspace(-1, 1, _STEPS + 1)
        points = middle + np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2) * half
        middle, half = points[np.argmax(_depth(points, segments))], half / 6
    return float(middle[1]), float(middle[0] / squeeze)


def _segments(boundary: dict[str, Any] | None) -> NDArray[np.float64] | None:
    """Return the edges of all rings: float64[n_edges, 4], degrees, as lon, lat, lon, lat."""
    if boundary is None or boundary.get("type") not in ("Polygon", "MultiPolygon"):
        return None
    polygons = boundary["coordinates"] if boundary["type"] == "MultiPolygon" else [boundary["coordinates"]]
    rings = [np.array([corner[:2] for corner in ring], np.float64) for polygon in polygons for ring in polygon]
    edges = [np.hstack([ring, np.roll(ring, -1, axis=0)]) for ring in rings if len(ring) > 2]
    return np.vstack(edges) if edges else None


def _depth(points: NDArray[np.float64], segments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each point's distance from the nearest edge; negative outside. Holes are outside."""
    x, y = points[:, :1], points[:, 1:]
    ax, ay, bx, by = segments.T
    dx, dy = bx - ax, by - ay
    along = ((x - ax) * dx + (y - ay) * dy) / np.maximum(dx * dx + dy * dy, 1e-30)
    along = np.clip(along, 0, 1)
    distance = np.hypot(x - ax - along * dx, y - ay - along * dy).min(axis=1)
    crossed = ((ay > y) != (by > y)) & (x < ax + (y - ay) * dx / np.where(dy == 0, 1.0, dy))
    depth: NDArray[np.float64] = np.where(crossed.sum(axis=1) % 2 == 1, distance, -distance)
    return depth
