"""When scores make a suspicion: warm-up, open at a high score that lasts, close after a quiet day.

Nothing here is fitted to public labels: the figures are those of simulated series without a fault (docs/detection.md).
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from city.clock import DAY_US

OPENED, CLOSED, GREW = 0, 1, 2


@dataclass(frozen=True, slots=True)
class TicketRules:
    """The rules of opening and closing.

    Attributes
    ----------
    open_at, raised_at : nats
        One of the last eight scores has to reach the first, the newest and `raised_of_8` of them the second. A score
        says by itself how rare a day is that shows as much: 7 is one in 1,097, and fewer as measured.
    grown : nats
        An open suspicion is said anew when its score has grown by this: correlation weighs it against others.
    quiet_us : µs
        Closed when no score has reached `raised_at` for so long.
    warm_up_us : µs
        Since the first reading of a series; nothing opens before.
    freeze_us : µs
        Learning stands still for so long after opening. Then a shift that stayed is learned: it has become normal,
        or somebody has been told of it for a week. For twice as long only what is stuck is told.
    """

    open_at: float = 7.0
    raised_at: float = 3.0
    grown: float = 1.0
    raised_of_8: int = 2
    quiet_us: int = DAY_US
    warm_up_us: int = 14 * DAY_US
    freeze_us: int = 7 * DAY_US

    def row(self) -> NDArray[np.void]:
        """Return the rules as the kernel takes them: `RULES[1]`."""
        return np.array([astuple(self)], RULES)


RULES = np.dtype([(one.name, "f8" if one.type is float else "i8") for one in fields(TicketRules)])
WATCH = np.dtype(
    [
        ("first_at", "i8"),  # of the series; 0: never heard
        ("raised_at", "i8"),  # last score that was raised
        ("since", "i8"),  # first raised score of those that led to opening
        ("opened_at", "i8"),  # 0: not open
        ("told", "f4"),  # score when it was last said
        ("raised", "u1"),  # of the last eight scores, newest lowest
        ("high", "u1"),
    ]
)
EVENT = np.dtype([("at", "i8"), ("since", "i8"), ("until", "i8"), ("row", "i4"), ("surprise", "f4"), ("kind", "u1")])


@njit(cache=True)
def watch_rows(row, observed_at, score, judged, watches, states, rules, events):
    """Let scores open and close suspicions; each series' in the order of time.

    Parameters
    ----------
    row : int32[n]
    observed_at : int64[n], µs UTC
    score : float32[n], nats
        As `kernels.score_rows` wrote them.
    judged : bool[n]
        False for what it passed over or refused.
    watches : WATCH[m], states : layout.STATE[m]
        Change in place; of `states` only whether learning is frozen, and what is held back after it.
    rules : RULES[1]
    events : EVENT[>= n], out

    Returns
    -------
    n_events : int

    References
    ----------
    oracle: ``anomaly.statistics.tickets.watch``
    """
    r = rules[0]
    n_events = 0
    for i in range(len(row)):
        if not judged[i]:
            continue
        w = watches[row[i]]
        at = observed_at[i]
        if w.first_at == 0:
            w.first_at = at
        raised = score[i] >= r.raised_at
        before = w.raised
        w.raised = ((w.raised << 1) | (1 if raised else 0)) & 255
        w.high = ((w.high << 1) | (1 if score[i] >= r.open_at else 0)) & 255
        if raised:
            if before == 0 and w.opened_at == 0:
                w.since = at
            w.raised_at = at
        if w.opened_at != 0:
            if at - w.raised_at >= r.quiet_us:
                _tell(events[n_events], row[i], CLOSED, at, w.since, w.raised_at, w.told)
                n_events += 1
                w.opened_at = 0
            elif score[i] >= w.told + r.grown:
                w.told = score[i]
                _tell(events[n_events], row[i], GREW, at, w.since, 0, w.told)
                n_events += 1
        elif raised and w.high != 0 and _ones(w.raised) >= r.raised_of_8 and at - w.first_at >= r.warm_up_us:
            w.told = score[i]
            _tell(events[n_events], row[i], OPENED, at, w.since, 0, w.told)
            n_events += 1
            w.opened_at = at
        frozen = w.opened_at != 0 and at - w.opened_at < r.freeze_us
        if states[row[i]].frozen and not frozen:
            # What is learned anew has been told.
            states[row[i]].hold_until = max(states[row[i]].hold_until, at + 2 * r.freeze_us)
        states[row[i]].frozen = frozen
    return n_events


@njit(cache=True)
def _ones(mask):
    count = 0
    for j in range(8):
        count += (mask >> j) & 1
    return count


@njit(cache=True)
def _tell(event, row, kind, at, since, until, surprise):
    event.at, event.since, event.until, event.row, event.kind = at, since, until, row, kind
    event.surprise = surprise


@dataclass(slots=True)
class Watch:
    """The oracle's state of one series; scores are those of the last eight readings."""

    first_at: int = 0
    raised_at: int = 0
    since: int = 0
    opened_at: int = 0
    told: float = 0.0
    scores: tuple[float, ...] = ()


def watch(w: Watch, rules: TicketRules, at: int, score: float) -> tuple[dict[str, Any] | None, bool]:
    """Take one score; return what it opens or closes, and whether learning is frozen from here on."""
    w.first_at = w.first_at or at
    if score >= rules.raised_at:
        if not w.opened_at and all(one < rules.raised_at for one in w.scores):
            w.since = at
        w.raised_at = at
    w.scores = (*w.scores, score)[-8:]
    event = None
    raised = score >= rules.raised_at
    lasting = raised and sum(one >= rules.raised_at for one in w.scores) >= rules.raised_of_8
    if w.opened_at:
        if at - w.raised_at >= rules.quiet_us:
            event = {"kind": CLOSED, "at": at, "since": w.since, "until": w.raised_at, "surprise": w.told}
            w.opened_at = 0
        elif score >= w.told + rules.grown:
            w.told = score
            event = {"kind": GREW, "at": at, "since": w.since, "until": 0, "surprise": score}
    elif lasting and max(w.scores) >= rules.open_at and at - w.first_at >= rules.warm_up_us:
        event = {"kind": OPENED, "at": at, "since": w.since, "until": 0, "surprise": score}
        w.opened_at, w.told = at, score
    return event, bool(w.opened_at) and at - w.opened_at < rules.freeze_us
