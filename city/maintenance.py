"""Maintenance windows: where works go on, and until when nobody is sent out for what they make of the city."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from city.clock import HOUR_US

if TYPE_CHECKING:  # `city.alarm` names windows in what it says.
    from city.alarm import Scope

REMEMBERED_US = 12 * HOUR_US
"""So long after its end a window still explains what could not speak since: a switched feeder sleeps by day."""


@dataclass(frozen=True, slots=True)
class MaintenanceWindow:
    """Works, as detection and correlation know them: neither why nor who, which stay in the database.

    Attributes
    ----------
    window_id : int
    assets : tuple of str
        What is worked at, ascending, as far as one cabinet or facility has to do with it: lamps, feeders, cabinets,
        gateways or facilities; a district is written out. Whatever hangs below is meant too.
    starts_at, ends_at : int
        µs UTC.
    """

    window_id: int
    assets: tuple[str, ...]
    starts_at: int
    ends_at: int

    def runs(self, now: int) -> bool:
        """Tell whether works go on at `now`, µs UTC."""
        return self.starts_at <= now < self.ends_at

    def is_told(self, now: int) -> bool:
        """Tell whether correlation has to know of it at `now`, µs UTC: it runs, or ended of late."""
        return self.starts_at <= now < self.ends_at + REMEMBERED_US

    def covers(self, scope: "Scope") -> bool:
        """Tell whether an asset is worked at, or hangs below what is."""
        return is_below(scope, self.assets)


def is_below(scope: "Scope", assets: Collection[str]) -> bool:
    """Tell whether an asset is among `assets`, or its feeder, cabinet or gateway is."""
    return any(name in assets for name in (scope.asset_id, scope.feeder_id, scope.root_id, scope.gateway_id) if name)
