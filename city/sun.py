"""When the sun says that lamps should burn.

Solar position after Meeus, *Astronomical Algorithms* (2nd ed., ch. 25), in the low-precision form that NOAA's solar
calculator uses: within about 0.01° for 1900–2100. The tests hold it against `astral`.
"""

import numpy as np
from numpy.typing import NDArray

from city.clock import DAY_US, SECOND_US

_J2000_US = 946_728_000 * SECOND_US
_STEP_US = 15 * 60 * SECOND_US
"""Crossings are looked for in steps of this; a day or night shorter than that does not switch lamps."""


def elevation_deg(at_us: NDArray[np.int64], lat: float, lon: float) -> NDArray[np.float64]:
    """Return the sun's geometric elevation.

    Parameters
    ----------
    at_us : int64[n]
        µs UTC.
    lat, lon : float
        Degrees, north and east positive.

    Returns
    -------
    float64[n]
        Degrees above the horizon, refraction not included.
    """
    days = (np.asarray(at_us, np.int64) - _J2000_US) / DAY_US
    century = days / 36525.0
    mean_longitude = np.radians((280.46646 + century * (36000.76983 + century * 0.0003032)) % 360)
    anomaly = np.radians(357.52911 + century * (35999.05029 - 0.0001537 * century))
    centre = np.radians(
        np.sin(anomaly) * (1.914602 - century * (0.004817 + 0.000014 * century))
        + np.sin(2 * anomaly) * (0.019993 - 0.000101 * century)
        + np.sin(3 * anomaly) * 0.000289
    )
    node = np.radians(125.04 - 1934.136 * century)
    longitude = mean_longitude + centre - np.radians(0.00569) - np.radians(0.00478) * np.sin(node)
    obliquity = np.radians(23.439291 - century * 0.0130042 + 0.00256 * np.cos(node))
    declination = np.arcsin(np.sin(obliquity) * np.sin(longitude))
    right_ascension = np.arctan2(np.cos(obliquity) * np.sin(longitude), np.cos(longitude))
    sidereal = np.radians((280.46061837 + 360.98564736629 * days + lon) % 360)
    hour_angle = sidereal - right_ascension
    phi = np.radians(lat)
    sine = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour_angle)
    elevation: NDArray[np.float64] = np.degrees(np.arcsin(sine))
    return elevation


def burning_periods(
    start_us: int, end_us: int, lat: float, lon: float, elevation_below_deg: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return when an astronomical clock has the lamps on.

    A period belongs to the UTC day in which it starts; periods that touch [start_us, end_us) are returned whole, so
    that the same instant gets the same answer whatever the range asked for.

    Returns
    -------
    on_us, off_us : int64[n]
        Starts and ends, ascending, to the second. Empty where the sun never sets; one long period where it never
        rises.
    """
    step = _STEP_US
    first = (start_us // DAY_US - 2) * DAY_US
    last = (end_us // DAY_US + 3) * DAY_US
    grid = np.arange(first, last, step, dtype=np.int64)
    dark = elevation_deg(grid, lat, lon) < elevation_below_deg
    edges = np.flatnonzero(dark[1:] != dark[:-1])
    crossing = _bisect(grid[edges], step, lat, lon, elevation_below_deg)
    becomes_dark = dark[edges + 1]
    on, off = crossing[becomes_dark], crossing[~becomes_dark]
    if dark[0]:
        on = np.concatenate([grid[:1], on])
    if dark[-1]:
        off = np.concatenate([off, [last]])
    touching = (off > start_us) & (on < end_us)
    return on[touching], off[touching]


def _bisect(low: NDArray[np.int64], step: int, lat: float, lon: float, level_deg: float) -> NDArray[np.int64]:
    """Narrow each crossing inside [low, low + step] to the second, rounded up."""
    low = low.copy()
    high = low + step
    below = elevation_deg(low, lat, lon) < level_deg
    while len(low) and int((high - low).max()) > SECOND_US:
        middle = (low + high) // 2 // SECOND_US * SECOND_US
        middle = np.where(middle <= low, low + SECOND_US, middle)
        same = (elevation_deg(middle, lat, lon) < level_deg) == below
        low = np.where(same, middle, low)
        high = np.where(same, high, middle)
    return high
