"""The same as `kernels` in slow plain Python, for the tests to compare with."""

from collections.abc import Mapping, Sequence
from typing import Any

from anomaly.segments.layout import GASP_BELOW, NOMINAL_V, VOLTAGE

Row = dict[str, Any]


def hear(lamp: Mapping[str, Any], said: Row, at: int, received: int, values: Mapping[int, float]) -> None:
    """Take all that one controller says of one moment: channel → value, `received` the latest receipt."""
    if lamp["feeder"] < 0 or at <= said["heard_at"]:
        return
    said["heard_at"], said["received_at"] = at, received
    if VOLTAGE in values:
        said["volts"], said["volts_at"] = values[VOLTAGE], at


def gather_volts(now: int, lamps: Sequence[Mapping[str, Any]], said: Sequence[Row], feeder: int) -> Row:
    """Return the counts of one feeder."""
    beyond = 1.1 * NOMINAL_V, 0.9 * NOMINAL_V
    fresh = [
        row
        for lamp, row in zip(lamps, said, strict=True)
        if lamp["feeder"] == feeder
        and row["volts_at"] != 0
        and now - row["volts_at"] <= lamp["interval_us"] + lamp["interval_us"] // 2
        and row["volts"] >= GASP_BELOW * NOMINAL_V
    ]
    high = [row for row in fresh if row["volts"] > beyond[0]]
    low = [row for row in fresh if row["volts"] < beyond[1]]
    return {
        "since": min((row["volts_at"] for row in (*high, *low)), default=0),
        "fresh": len(fresh),
        "high": len(high),
        "low": len(low),
        "reserved": 0,
    }
