"""Readings one after the other through score and watch: what opens freezes what its series learns from the next on."""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator"
import numpy as np
from numba import njit

from anomaly.statistics.kernels import score_rows
from anomaly.statistics.tickets import watch_rows


@njit(cache=True)
def judge_rows(
    row, observed_at, cell, value, states, parameters, watches, rules, score, news, channel, expected, events, place
):
    """Score, then watch, each reading before the next.

    Parameters
    ----------
    row, observed_at, cell, value, states, parameters, score, news, channel, expected
        As of `kernels.score_rows`; those of one series in the order of time.
    watches, rules, events
        As of `tickets.watch_rows`.
    place : int64[n], out
        Of each event the reading that it came with.

    Returns
    -------
    n_events : int
    """
    n_events = 0
    judged = np.zeros(1, np.bool_)
    for i in range(len(row)):
        j = i + 1
        score_rows(
            row[i:j], observed_at[i:j], cell[i:j], value[i:j], states, parameters, score[i:j], news[i:j], channel[i:j],
            expected[i:j],
        )  # fmt: skip
        judged[0] = np.isfinite(expected[i])
        found = watch_rows(
            row[i:j], observed_at[i:j], score[i:j], judged, watches, states, rules, events[n_events:]
        )  # fmt: skip
        for _ in range(found):
            place[n_events] = i
            n_events += 1
    return n_events
