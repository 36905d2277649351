"""Which feeders and gateways are out, from how many of their devices were heard (pure).

A feeder has no meter of its own here: its lamps tell. Silence of many devices that each lose a share `lost_share` of
their messages is explained by chance with probability ``lost_share ** missed``; below `outage_probability`, and with
most devices silent, the common cause is the explanation. A gateway of which nothing was heard since explains them
better than that many broken feeders, also where some of its devices report too seldom to be missed yet; but one message
of a gateway carries many devices, and uplinks stall, so its silence has to last.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from city.alarm import Census, Evidence, FaultClass, Scope
from city.asset import AssetKind
from city.clock import MINUTE_US
from city.registry import FaultRules

SILENT_SHARE = 0.75
"""Of the devices expected, this share must be silent; inventories put about 2 % of lamps on the wrong feeder."""
HEARD_SHARE = 0.50
"""An outage is over when this share is heard again."""
GATEWAY_MISSES = 3
"""Reports that each device of a silent gateway must owe: one lost batch is not an outage."""


ALIVE_AFTER_US = 14 * MINUTE_US
"""A gateway of which something is heard so long after its feeders fell silent is there: almost one interval of a lamp,
because lines are read at different moments and one may have been read just before the gateway itself fell silent."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A parent that explains the silence of its children."""

    fault: FaultClass
    scope: Scope
    since: int
    evidence: Evidence


def is_unexplained(silent: int, missed: int, rules: FaultRules) -> bool:
    """Tell whether chance is too small an explanation for `missed` reports of `silent` devices."""
    unlikely = missed * math.log(rules.lost_share) < math.log(rules.outage_probability)
    return silent >= rules.outage_lamps_min and unlikely


def find(census: Iterable[Census]) -> list[Outage]:
    """Return the outages that one moment's counts show, gateways before feeders, sorted."""
    by_gateway: dict[str, list[Census]] = defaultdict(list)
    for count in census:
        by_gateway[count.feeder.gateway_id].append(count)
    outages: list[Outage] = []
    for gateway_id in sorted(by_gateway):
        outages.extend(_of_gateway(gateway_id, by_gateway[gateway_id]))
    return outages


def recovered(counts: Iterable[Census]) -> bool:
    """Tell whether enough of what hangs below an outage is heard again; False where nothing is expected."""
    counts = list(counts)
    expected = sum(c.expected for c in counts)
    return expected > 0 and sum(c.heard for c in counts) >= HEARD_SHARE * expected


def is_out(count: Census) -> bool:
    """Tell whether chance cannot explain the silence of a feeder's devices."""
    return count.unexplained and count.expected - count.heard >= SILENT_SHARE * count.expected


def _of_gateway(gateway_id: str, counts: list[Census]) -> list[Outage]:
    silent = [c for c in counts if is_out(c)]
    if not silent:
        return []
    if _is_alive(counts, max(c.silent_since for c in silent)):
        return [_supply_loss(c) for c in sorted(silent, key=lambda c: c.feeder.asset_id)]
    if any(c.missed < GATEWAY_MISSES * (c.expected - c.heard) for c in counts):
        return []
    group = min(c.feeder.group for c in counts)
    scope = Scope(AssetKind.GATEWAY, gateway_id, gateway_id, group, "", gateway_id)
    return [
        Outage(
            FaultClass.COMMUNICATION_FAILURE,
            scope,
            max(c.silent_since for c in counts),
            _evidence("all-feeders-silent", counts),
        )
    ]


def _is_alive(counts: list[Census], since: int) -> bool:
    """Tell whether anything of a gateway was heard well after some of its feeders fell silent."""
    return any(c.heard_at > since + ALIVE_AFTER_US or (c.heard_at == 0 and not is_out(c)) for c in counts)


def _supply_loss(count: Census) -> Outage:
    return Outage(FaultClass.SUPPLY_LOSS, count.feeder, count.silent_since, _evidence("feeder-silent-or-dark", [count]))


def _evidence(rule: str, counts: list[Census]) -> Evidence:
    expected, heard = sum(c.expected for c in counts), sum(c.heard for c in counts)
    return Evidence(
        rule=rule,
        observed=float(heard),
        expected=float(expected),
        unit="devices",
        last_heard_at=max(c.silent_since for c in counts),
        detail={"missed_reports": sum(c.missed for c in counts), "feeders": len(counts)},
    )
