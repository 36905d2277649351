"""Whether a facility is open now, from the hours that the city gives."""

from typing import Any

from city.clock import isoformat
from city.opening import from_plain, is_open, next_change


def of(plain: dict[str, Any] | None, now_us: int, timezone: str) -> dict[str, Any]:
    """Return ``open_now``, ``changes_at`` and ``hours``; all None where the city gives no hours."""
    if plain is None:
        return {"open_now": None, "changes_at": None, "hours": None}
    hours = from_plain(plain)
    change = next_change(hours, now_us, timezone)
    return {
        "open_now": is_open(hours, now_us, timezone),
        "changes_at": None if change is None else isoformat(change),
        "hours": plain,
    }
