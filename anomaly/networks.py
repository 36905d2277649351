"""Outages of several gateways, or of several cabinets, that chance does not explain: one cause above them (pure).

What single gateways and cabinets do by themselves is taken for a Poisson process. That another `k` of `n` fail within a
window of the first has then the probability of `k` or more events at a mean of ``n · rate · window``; where it is below
`CHANCE`, the common cause is the explanation: the network operator of the gateways, the substation of the cabinets, or,
where the city pack knows neither, something in the district.

Cabinets of one substation are one correlation group. Gateways of one network operator are not: every partition of
`candidates` hears the same counts of all gateways and finds the same outages at the same moment; the one that the
outage's own group belongs to tells it, the others only fold what is theirs (docs/decisions/0018).
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from anomaly.outage import HEARD_SHARE, SILENT_SHARE, SLACK_US, STALL_US, Outage, is_out, online
from city.alarm import Census, Evidence, FaultClass, GatewayCount, Scope
from city.asset import DISTRICT_GROUP, AssetKind, GatewayDefinition
from city.clock import DAY_US

EVERY_US = 300_000_000
"""Gateways are counted so often: none counts as silent before three quarters of an hour."""
CHANCE = 1e-3
GATEWAY_OUTAGES_A_YEAR = 12.0
"""Of one gateway by itself; cellular uplinks are lost about once a month."""
CABINET_OUTAGES_A_YEAR = 2.0
_YEAR_US = 365 * DAY_US


def counts_of(gateways: Mapping[str, GatewayDefinition], census: Iterable[Census]) -> list[GatewayCount]:
    """Return what one partition of `readings` has heard of each gateway, sorted."""
    by_gateway: dict[str, list[Census]] = defaultdict(list)
    for count in census:
        by_gateway[count.feeder.gateway_id].append(count)
    found = []
    for gateway_id, counts in sorted(by_gateway.items()):
        out = [c for c in counts if is_out(c)]
        found.append(
            GatewayCount(
                gateway=gateways.get(gateway_id, GatewayDefinition(gateway_id, group=counts[0].feeder.group)),
                expected=sum(c.expected for c in counts),
                heard=sum(c.heard for c in counts),
                silent=sum(c.expected - c.heard for c in out),
                silent_since=max((c.silent_since for c in out), default=0),
                heard_at=max(c.heard_at for c in counts),
                interval_us=max(c.interval_us for c in out or counts),
                gasped=sum(c.gasped for c in counts),
                online=online(counts),
            )
        )
    return found


def joined(counts: Iterable[GatewayCount]) -> dict[str, GatewayCount]:
    """Return gateways by id; cabinets of one gateway lie in several partitions."""
    found: dict[str, GatewayCount] = {}
    for one in counts:
        name = one.gateway.gateway_id
        known = found.get(name)
        found[name] = one if known is None else _sum(known, one)
    return found


def of_gateways(counts: Mapping[str, GatewayCount], now: int) -> list[Outage]:
    """Return outages of network operators, and of the gateways of a district whose operator nobody knows."""
    groups: dict[tuple[AssetKind, str], list[GatewayCount]] = defaultdict(list)
    for _, one in sorted(counts.items()):
        gateway = one.gateway
        if gateway.operator:
            groups[AssetKind.NETWORK, gateway.operator].append(one)
        elif gateway.district_id:
            groups[AssetKind.AREA, gateway.district_id].append(one)
    found: list[Outage] = []
    for (kind, name), members in sorted(groups.items()):
        silent = _together([one for one in members if _is_silent(one, now)])
        awake = sum(one.expected > 0 for one in members)
        interval_us = max((one.interval_us for one in silent), default=0)
        if _is_chance(len(silent), awake, GATEWAY_OUTAGES_A_YEAR, _window_us(interval_us)):
            continue
        since = min(one.silent_since for one in silent)
        evidence = _evidence("gateways-silent-together", len(silent), awake, "gateways", since)
        scope = Scope(kind, name, f"{kind}:{name}", f"{kind}:{name}")
        names = tuple(one.gateway.gateway_id for one in silent)
        found.append(Outage(FaultClass.COMMUNICATION_FAILURE, scope, since, evidence, interval_us, names))
    return found


def back(members: Iterable[str], counts: Mapping[str, GatewayCount]) -> bool | None:
    """Tell whether half of an outage's gateways are heard again; None where none of them could be."""
    known = [counts[name] for name in members if name in counts and counts[name].expected]
    heard = sum(one.heard >= HEARD_SHARE * one.expected for one in known)
    return heard >= HEARD_SHARE * len(known) if known else None


def of_cabinets(census: Iterable[Census], found: Sequence[Outage]) -> list[Outage]:
    """Return outages of substations, or of districts, from the losses of supply that single cabinets show."""
    awake: dict[str, dict[str, bool]] = defaultdict(dict)
    for count in census:
        if count.expected:
            roots = awake[count.feeder.group]
            roots[count.feeder.root_id] = roots.get(count.feeder.root_id, True) and is_out(count)
    lost: dict[str, dict[str, Outage]] = defaultdict(dict)
    for one in found:
        if one.fault is FaultClass.SUPPLY_LOSS and awake[one.scope.group].get(one.scope.root_id):
            lost[one.scope.group].setdefault(one.scope.root_id, one)
    outages: list[Outage] = []
    for group, cabinets in sorted(lost.items()):
        interval_us = max(one.interval_us for one in cabinets.values())
        first, last = min(o.since for o in cabinets.values()), max(o.since for o in cabinets.values())
        window_us = _window_us(interval_us)
        n = len(awake[group])
        if last - first > window_us or _is_chance(len(cabinets), n, CABINET_OUTAGES_A_YEAR, window_us):
            continue
        evidence = _evidence("cabinets-silent-together", len(cabinets), n, "cabinets", last)
        kind = AssetKind.AREA if group.startswith(DISTRICT_GROUP) else AssetKind.SUBSTATION
        name = group.removeprefix(DISTRICT_GROUP)
        scope = Scope(kind, name, f"{kind}:{name}", group)
        members = tuple(sorted(cabinets))
        outages.append(Outage(FaultClass.SUPPLY_LOSS, scope, first, evidence, interval_us, members))
    return outages


def is_shared(fault: FaultClass, kind: AssetKind) -> bool:
    """Tell whether every partition of `candidates` finds such an outage, of which one has to tell."""
    return fault is FaultClass.COMMUNICATION_FAILURE and kind in (AssetKind.NETWORK, AssetKind.AREA)


def _is_silent(one: GatewayCount, now: int) -> bool:
    """Tell whether a gateway is silent for longer than uplinks stall, and not because all below it lost its supply.

    One that the broker is connected with has its network.
    """
    if one.online:
        return False
    since = max(one.silent_since, one.heard_at)
    lasts = now - since >= one.interval_us + STALL_US
    return one.expected > 0 and not one.gasped and lasts and one.silent >= SILENT_SHARE * one.expected


def _together(silent: list[GatewayCount]) -> list[GatewayCount]:
    """Return the most that fell silent within one window; of several such the first."""
    silent = sorted(silent, key=lambda one: (one.silent_since, one.gateway.gateway_id))
    best: list[GatewayCount] = []
    for place, first in enumerate(silent):
        window_us = _window_us(first.interval_us)
        group = [one for one in silent[place:] if one.silent_since - first.silent_since <= window_us]
        best = group if len(group) > len(best) else best
    return best


def _window_us(interval_us: int) -> int:
    """Return within how long the last words lie of what fails at once: each speaks once an interval."""
    return interval_us + SLACK_US


def _is_chance(k: int, n: int, a_year: float, window_us: int) -> bool:
    """Tell whether `k` of `n` may have failed within a window by themselves; two are the fewest that are several."""
    if k < 2:
        return True
    mean = n * a_year * window_us / _YEAR_US
    # The first one is given: asked is how likely the others are to join it.
    less = sum(mean**i / math.factorial(i) for i in range(k - 1))
    return 1.0 - math.exp(-mean) * less >= CHANCE


def _sum(one: GatewayCount, other: GatewayCount) -> GatewayCount:
    return GatewayCount(
        one.gateway,
        one.expected + other.expected,
        one.heard + other.heard,
        one.silent + other.silent,
        max(one.silent_since, other.silent_since),
        max(one.heard_at, other.heard_at),
        max(one.interval_us, other.interval_us),
        one.gasped + other.gasped,
        one.online if one.online is not None else other.online,
    )


def _evidence(rule: str, observed: int, expected: int, unit: str, heard_at: int) -> Evidence:
    return Evidence(rule, float(observed), float(expected), unit, heard_at)
