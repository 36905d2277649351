"""The life of an alarm: how long it waits, when its end is believed, and when it is the same again (pure)."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, replace

from anomaly.causes import Case
from city.alarm import FaultClass, Suspicion
from city.asset import AssetKind
from city.clock import HOUR_US, MINUTE_US

WAIT_US = 15 * MINUTE_US
"""A child's alarm waits at least this long for a parent that explains it: one interval of a usual lamp."""
WAIT_MOST_US = 60 * MINUTE_US
RETURN_WAIT_US = 45 * MINUTE_US
"""After a parent has cleared, a child that was folded has this long to be lit again, or a few intervals to be heard."""
RETURN_INTERVALS, SILENT_INTERVALS = 3, 4
SILENT_WAIT_US = 2 * HOUR_US
AWAIT_US = 6 * HOUR_US
"""So long at most a lamp waits while most of its feeder is silent and nothing above it is told."""
DAY_WAIT_US = 24 * HOUR_US
"""A lamp that burnt by day says that it is off when it is told to be: at night it burns anyhow."""
OFF_DELAY_US = 5 * MINUTE_US
"""The end of a single lamp's fault is believed after this: one good reading between bad ones is none."""
SAME_US = 12 * HOUR_US
"""What comes back within this after it cleared is the same alarm, not another one."""
SAME_LAMP_US = 24 * HOUR_US
"""Of a lamp: what was clear for the rest of a night may show again in the next."""
REMEMBERED_US = 48 * HOUR_US
"""A lamp that is missed for the first time within this after an outage above it cleared may not have spoken since."""
DOUBT_US = 24 * HOUR_US
"""What may be the hour's doing waits for so long at most: by then a lamp was told both to burn and not to."""
TIMED = frozenset({FaultClass.LAMP_FAILURE, FaultClass.LAMP_UNEXPECTED_ON, FaultClass.DIMMING_FAILURE})
"""What a lamp seems to have that is switched at a wrong hour."""
DISCOVERY_RATE = 0.05
"""Of what statistics alone let become alarms, this share may be chance, within one correlation group."""


@dataclass(frozen=True, slots=True)
class Rest:
    """An alarm that has cleared and may come back.

    Attributes
    ----------
    suspicion : Suspicion
        As it was raised.
    cleared_at : int
        µs UTC.
    times : int
        How often it has come so far.
    """

    suspicion: Suspicion
    cleared_at: int
    times: int = 1


Rests = MutableMapping[str, Rest]
"""By fault, asset, and device where its asset has several."""


def wait_us(suspicion: Suspicion) -> int:
    """Return how long a suspicion waits for a cause above it.

    What is said of a whole feeder has been judged from all its lamps, and goes out at once; nothing explains what a
    facility says of itself but its silence. What explains lamps that report seldom shows while they still owe their
    reports: a quarter of their interval is enough for the slowest.
    """
    kind = suspicion.scope.kind
    silent = suspicion.fault is FaultClass.COMMUNICATION_FAILURE
    if kind in (AssetKind.FEEDER, AssetKind.CABINET) or (kind is AssetKind.FACILITY and not silent):
        return 0
    return min(max(WAIT_US, suspicion.interval_us // 4), WAIT_MOST_US)


def return_wait_us(case: Case) -> int:
    """Return how long a case waits for its own end after its cause has cleared."""
    if case.fault is FaultClass.COMMUNICATION_FAILURE:
        return max(SILENT_WAIT_US, SILENT_INTERVALS * case.interval_us)
    if case.fault is FaultClass.LAMP_UNEXPECTED_ON:
        return DAY_WAIT_US
    return max(RETURN_WAIT_US, RETURN_INTERVALS * case.interval_us)


def off_delay_us(suspicion: Suspicion) -> int:
    """Return for how long the end of a fault has to last before it is told."""
    return OFF_DELAY_US if suspicion.scope.kind is AssetKind.LAMP else 0


def again(rests: Rests, key: str, suspicion: Suspicion) -> Suspicion:
    """Return a suspicion as the alarm that it takes up again, where there was one of late."""
    rest = rests.get(key)
    same_us = SAME_LAMP_US if suspicion.scope.kind is AssetKind.LAMP else SAME_US
    if rest is None or suspicion.at - rest.cleared_at > same_us:
        return suspicion
    detail = {**suspicion.evidence.detail, "times": rest.times + 1}
    return replace(suspicion, since=rest.suspicion.since, evidence=replace(suspicion.evidence, detail=detail))


def rest(rests: Rests, key: str, suspicion: Suspicion, now: int) -> None:
    """Remember an alarm that has cleared."""
    times = suspicion.evidence.detail.get("times", 1)
    rests[key] = Rest(suspicion, now, int(times))


def forget(rests: Rests, now: int) -> None:
    """Let go of what has been clear for long."""
    for key in [key for key, one in rests.items() if now - one.cleared_at > REMEMBERED_US]:
        del rests[key]


def grown(case: Case, suspicion: Suspicion) -> Case:
    """Return a case that is not raised yet with what is said of it now, where that is more than was said before.

    What a rule says is more than anything that statistics suspect.
    """
    before = case.suspicion.surprise
    if case.raised or before is None or (suspicion.surprise is not None and suspicion.surprise <= before):
        return case
    return replace(case, suspicion=replace(suspicion, since=case.suspicion.since))


def held_back(cases: Mapping[str, Case], due: Iterable[str]) -> set[str]:
    """Return which of the cases that are due would be too many discoveries by chance.

    Benjamini and Hochberg (1995) over all series that statistics watch in one correlation group, of which those that
    are no candidates are beyond every bound; e-values would demand more of each. What is held back is not gone: it is
    told once it has grown, or others stand beside it. What a rule found has no surprise and is never held back.
    """
    groups: dict[str, list[tuple[float, str]]] = defaultdict(list)
    among: dict[str, int] = defaultdict(int)
    for key, case in cases.items():
        if case.suspicion.surprise is not None:
            group = case.scope.group
            groups[group].append((case.suspicion.surprise, key))
            among[group] = max(among[group], case.suspicion.among)
    passed: set[str] = set()
    for group, found in groups.items():
        found.sort(reverse=True)
        bound = 0
        for rank, (surprise, _) in enumerate(found, 1):
            if -surprise <= math.log(DISCOVERY_RATE * rank / max(among[group], len(found))):
                bound = rank
        passed |= {key for _, key in found[:bound]}
    return {key for key in due if cases[key].suspicion.surprise is not None} - passed
