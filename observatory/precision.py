"""How often alarms are right: the share of those that people judged and found as they said, with its uncertainty."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

JUDGED_MIN = 10
"""Below so many verdicts a share says nothing."""
_Z = 1.959963984540054
"""Of the normal distribution: 95 % lie within."""


class By(StrEnum):
    """What precision is told by."""

    FAULT = "fault"
    DISTRICT = "district"
    VENDOR = "vendor"
    """Profile of the device: its make."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Alarms of one fault, district and make of device that were judged alike."""

    fault: str
    district: str
    vendor: str
    finding: str
    count: int


@dataclass(frozen=True, slots=True)
class Precision:
    """What was found of some alarms.

    Attributes
    ----------
    value, low, high : float or None
        Share of those that were right, and its 95 % interval, 0 to 1; None while too few were judged.
    """

    true: int
    false: int
    other: int
    value: float | None
    low: float | None
    high: float | None

    @property
    def judged(self) -> int:
        return self.true + self.false + self.other


def wilson(right: int, judged: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, which holds for few cases and near 0 and 1 too.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    if judged <= 0:
        return 0.0, 1.0
    share, spread = right / judged, _Z**2 / judged
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / judged + spread / (4 * judged)) / (1 + spread)
    # Where all or none were right the bound is the end itself, which rounding may miss.
    return (0.0 if right == 0 else middle - half), (1.0 if right == judged else middle + half)


def precision_of(counts: Mapping[str, int]) -> Precision:
    """Return what counts of findings say."""
    true, false, other = (counts.get(finding, 0) for finding in ("true", "false", "other"))
    judged = true + false + other
    if judged < JUDGED_MIN:
        return Precision(true, false, other, None, None, None)
    return Precision(true, false, other, true / judged, *wilson(true, judged))


def by(way: By, judged: Iterable[Judged]) -> dict[str, Precision]:
    """Return precision by fault, district or make, most judged first; '' is what has none."""
    counts: dict[str, dict[str, int]] = {}
    for one in judged:
        key = {By.FAULT: one.fault, By.DISTRICT: one.district, By.VENDOR: one.vendor}[way]
        own = counts.setdefault(key, {})
        own[one.finding] = own.get(one.finding, 0) + one.count
    found = {key: precision_of(own) for key, own in counts.items()}
    return dict(sorted(found.items(), key=lambda item: (-item[1].judged, item[0])))


def together(judged: Iterable[Judged]) -> Precision:
    """Return the precision of all of them."""
    counts: dict[str, int] = {}
    for one in judged:
        counts[one.finding] = counts.get(one.finding, 0) + one.count
    return precision_of(counts)
