"""Which feeders, cabinets and gateways are out, from how many of their devices were heard (pure).

A feeder has no meter of its own here: its lamps tell. Silence of many devices that each lose a share of their messages
is explained by chance with probability ``lost_share ** missed``; below `outage_probability`, and with most devices
silent, the common cause is the explanation. A gateway of which nothing was heard since explains them better than that
many broken feeders, unless some said with their last words that their supply is gone, and also where some of its
devices report too seldom to be missed yet; but one message of a gateway carries many devices, and uplinks stall, so its
silence has to last. Feeders of one cabinet that are all out are one event of the cabinet.

Where the broker tells whether the gateway is connected, that decides between it and the only cabinet that it hears: one
that is not connected is what is out, one that is hears nothing because there is nothing to hear.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from city.alarm import QUARTER_US, Census, Evidence, FaultClass, Scope
from city.asset import AssetKind
from city.clock import MINUTE_US
from city.registry import FaultRules

SILENT_SHARE = 0.75
"""Of the devices expected, this share must be silent; inventories put about 2 % of lamps on the wrong feeder."""
HEARD_SHARE = 0.50
"""An outage is over when this share is heard again."""
STALL_US = 45 * MINUTE_US
"""Uplinks stall for so long, and send what they kept: a gateway that is out is silent for longer beyond an interval."""
SLACK_US = MINUTE_US
TOLD_US = 5 * MINUTE_US
"""A gateway's clock, and the broker's patience with a connection that is gone, are off by less."""
TOGETHER = 2
"""Feeders that fell silent within so many intervals did so together."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A parent that explains the silence of its children."""

    fault: FaultClass
    scope: Scope
    since: int
    evidence: Evidence
    interval_us: int = QUARTER_US
    members: tuple[str, ...] = ()
    """Gateways or cabinets that are out together."""


def is_unexplained(silent: int, missed: int, rules: FaultRules) -> bool:
    """Tell whether chance is too small an explanation for `missed` reports of `silent` devices."""
    unlikely = missed * math.log(rules.lost_share) < math.log(rules.outage_probability)
    return silent >= rules.outage_lamps_min and unlikely


def find(census: Iterable[Census], now: int) -> list[Outage]:
    """Return the outages that one moment's counts show, gateways before what hangs below them, sorted."""
    census = list(census)
    by_gateway: dict[str, list[Census]] = defaultdict(list)
    by_root: dict[str, list[Census]] = defaultdict(list)
    for count in census:
        by_gateway[count.feeder.gateway_id].append(count)
        by_root[count.feeder.root_id].append(count)
    out: dict[str, list[Census]] = defaultdict(list)
    outages: list[Outage] = []
    apart: list[Census] = []
    for gateway_id, counts in sorted(by_gateway.items()):
        silent = [count for count in counts if is_out(count)]
        connected = online(counts)
        sure = [c for c in silent if c.gasped or _is_alive(counts, c)]
        if connected is not False:
            sure += [c for c in silent if c not in sure and _must_be_supply(counts, c)]
        lost = {c.feeder.root_id for c in sure}
        later = [c for c in silent if c not in sure and _fell_later(sure, c)]
        if lost and connected is not False:
            lost |= _lost_too([c for c in counts if c.feeder.root_id not in lost])
        left = [count for count in counts if count.feeder.root_id not in lost or count in later]
        if connected and any(map(is_out, left)) and (alone := _only_cabinet(left)):
            stalls = now - max(max(c.silent_since, c.online_at) for c in left) < _stall_us(left)
            lost |= set() if stalls else alone
            later = later if stalls else []
            left = []
        apart += later
        # Where one feeder of a cabinet has lost its supply, the cabinet explains the others better than the gateway.
        for count in silent:
            if count.feeder.root_id in lost and count not in later:
                out[count.feeder.root_id].append(count)
        if any(is_out(count) for count in left):
            outages += _of_gateway(gateway_id, left, now)
    for root_id, counts in sorted(out.items()):
        outages += _of_cabinet(counts, by_root[root_id], apart)
    return outages


def recovered(counts: Iterable[Census]) -> bool:
    """Tell whether enough of what hangs below an outage is heard again; False where nothing is expected."""
    counts = list(counts)
    expected = sum(c.expected for c in counts)
    return expected > 0 and sum(c.heard for c in counts) >= HEARD_SHARE * expected


def is_out(count: Census) -> bool:
    """Tell whether chance cannot explain the silence of a feeder's devices."""
    return count.expected > 0 and count.unexplained and count.expected - count.heard >= SILENT_SHARE * count.expected


def online(counts: list[Census]) -> bool | None:
    """Tell whether a gateway is connected, as the broker saw; None where nobody tells, or what is heard contradicts."""
    told, since = counts[0].online, max(c.online_at for c in counts)
    return None if told is False and max(c.heard_at for c in counts) > since + TOLD_US else told


def _of_gateway(gateway_id: str, counts: list[Census], now: int) -> list[Outage]:
    if sum(c.expected - c.heard for c in counts if is_out(c)) < HEARD_SHARE * sum(c.expected for c in counts):
        return []
    since = max(c.silent_since for c in counts)
    interval_us = min(c.interval_us for c in counts if is_out(c))
    if now - max(since, *(c.heard_at for c in counts)) < _stall_us(counts):
        return []
    group = min(c.feeder.group for c in counts)
    scope = Scope(AssetKind.GATEWAY, gateway_id, gateway_id, group, "", gateway_id)
    evidence = _evidence("all-feeders-silent", counts)
    return [Outage(FaultClass.COMMUNICATION_FAILURE, scope, since, evidence, interval_us)]


def _is_alive(counts: list[Census], silent: Census) -> bool:
    """Tell whether anything of a gateway was heard when a feeder that fell silent should have been."""
    due = _due(silent)
    return any(c.heard_at >= due or (c.heard_at == 0 and c.heard > 0 and not is_out(c)) for c in counts)


def _due(silent: Census) -> int:
    return silent.due_at or silent.silent_since + silent.interval_us - SLACK_US


def _fell_later(sure: list[Census], count: Census) -> bool:
    """Tell whether a feeder was still heard when those of its cabinet that lost their supply should have been.

    It did not fall silent with them: what silenced it is another matter, and may be the gateway.
    """
    beside = [c for c in sure if c.feeder.root_id == count.feeder.root_id]
    return bool(beside) and all(count.heard_at >= _due(c) for c in beside)


def _must_be_supply(counts: list[Census], silent: Census) -> bool:
    """Tell whether a feeder, the only one that is awake, would not have told the loss of its supply.

    Nobody can tell it from an outage of the gateway then; a feeder is out more often.
    """
    return not silent.tells_supply and sum(c.expected > 0 for c in counts) == 1


def _stall_us(counts: list[Census]) -> int:
    """Return for how long a gateway has to be silent until no stall explains it."""
    return min(c.interval_us for c in counts if is_out(c)) + STALL_US


def _only_cabinet(counts: list[Census]) -> set[str]:
    """Return the one cabinet that a gateway should hear and does not, though it is connected all the time.

    Several at once are the gateway's radio sooner than the supply of each. A gateway that has just come back sends what
    it kept first, and one whose uplink stalls stays connected.
    """
    awake = [count for count in counts if count.expected]
    roots = {count.feeder.root_id for count in awake}
    return roots if len(roots) == 1 else set()


def _lost_too(left: list[Census]) -> set[str]:
    """Return the one cabinet that is left beside others without supply, if it is silent and could not have said more.

    What a gateway hears hangs in one neighbourhood: a second cabinet is lost with the first sooner than the gateway.
    """
    awake = [count for count in left if count.expected]
    roots = {count.feeder.root_id for count in awake}
    if len(roots) == 1 and all(is_out(count) and not count.tells_supply for count in awake):
        return roots
    return set()


def _of_cabinet(out: list[Census], below: list[Census], later: list[Census]) -> list[Outage]:
    """Return the outage of a cabinet, or of some of its feeders.

    A feeder whose clock might be what silenced it alone lost its supply if the others did so with it.
    """
    silent = [c for c in below if is_out(c) and c not in later and not c.part]
    silent.sort(key=lambda c: (c.feeder.asset_id, c.feeder.gateway_id))
    out = sorted((c for c in out if c.whole), key=lambda c: (c.feeder.asset_id, c.feeder.gateway_id))
    feeders = {c.feeder.asset_id for c in silent}
    if out and len(feeders) > 1 and feeders == {c.feeder.asset_id for c in below if c.expected} and _together(silent):
        out = silent
        awake = [c for c in out if c.woke] or out
        one = out[0].feeder
        scope = Scope(AssetKind.CABINET, one.root_id, one.root_id, one.group, "", one.gateway_id)
        since = max(c.silent_since for c in awake)
        evidence = _evidence("cabinet-silent", out)
        return [Outage(FaultClass.SUPPLY_LOSS, scope, since, evidence, max(c.interval_us for c in out))]
    return [
        Outage(FaultClass.SUPPLY_LOSS, c.feeder, c.silent_since, _evidence("feeder-silent-or-dark", [c]), c.interval_us)
        for c in out
    ]


def _together(out: list[Census]) -> bool:
    """Tell whether feeders fell silent at one moment; one that slept on may have lost its supply at any before."""
    since = [c.silent_since for c in out if c.woke]
    return not since or max(since) - min(since) <= TOGETHER * max(c.interval_us for c in out)


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
