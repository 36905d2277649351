"""Reads what a city pack says of time: lighting schedules with their dimming, and opening hours."""

import re
from collections.abc import Set

from city.lighting import LightingSchedule
from city.opening import OpeningHours, parse_closed, parse_hours
from city.packfile import Cells, shown

_STEP = re.compile(r"([01]\d|2[0-3]):([0-5]\d) (\d{1,3})")
_STEPS_MAX = 48


def parse_schedule(cells: Cells, identity: str, timezone: str) -> LightingSchedule:
    """Read one table of schedules.toml; mistakes are noted.

    Parameters
    ----------
    timezone : str
        The city's, in which the steps of the dimming are written.
    """
    if not cells.only(("lat", "lon", "elevation_below_deg"), ("dimming",)):
        return LightingSchedule(identity, 0, 0, 0)
    steps = _dimming(cells) if "dimming" in cells.values else ()
    return LightingSchedule(
        identity,
        cells.number("lat", -90, 90),
        cells.number("lon", -180, 180),
        cells.number("elevation_below_deg", -18, 10),
        steps,
        # A schedule without steps is the same whatever the zone.
        timezone if steps else "UTC",
    )


def _dimming(cells: Cells) -> tuple[tuple[int, int], ...]:
    steps: list[tuple[int, int]] = []
    for text in cells.names("dimming"):
        found = _STEP.fullmatch(text)
        level = int(found[3]) if found else 0
        if found is None or not 1 <= level <= 100:
            cells.wrong(
                "dimming", f'{shown(text)} is not a step: write local time and percent from 1 to 100, as in "23:30 60"'
            )
        else:
            steps.append((int(found[1]) * 60 + int(found[2]), level))
    if [minute for minute, _ in steps] != sorted({minute for minute, _ in steps}):
        cells.wrong("dimming", "the steps of dimming must ascend from 00:00: sort them, and name each time once")
    if len(steps) > _STEPS_MAX:
        cells.wrong("dimming", f"dimming has {len(steps)} steps: {_STEPS_MAX} at most")
    # Local midnight is nothing special: what is written last holds until the first.
    return tuple(steps)


def parse_opening(cells: Cells, identity: str, known: Set[str]) -> OpeningHours:
    """Read one table of opening.toml; mistakes are noted.

    Parameters
    ----------
    known : set of str
        Facilities and their kinds; empty: not known, because their file is broken.
    """
    nothing = OpeningHours(((),) * 7)
    if known and identity not in known:
        cells.wrong("", f"{shown(identity)} is no facility and no kind of facility: mend the name, or remove the table")
    if not cells.only(("hours",), ("closed",)):
        return nothing
    closed: list[str] = []
    for text in cells.names("closed", empty=True) if "closed" in cells.values else ():
        try:
            closed.append(parse_closed(text))
        except ValueError as exc:
            cells.wrong("closed", str(exc))
    try:
        return OpeningHours(parse_hours(cells.names("hours", empty=True)), tuple(closed))
    except ValueError as exc:
        cells.wrong("hours", str(exc))
    return nothing
