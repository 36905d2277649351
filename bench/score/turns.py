"""Series side by side through statistics and the rules that open and close, reading by reading as in production."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.statistics.kernels import score_rows
from anomaly.statistics.layout import STATE
from anomaly.statistics.parameters import Parameters
from anomaly.statistics.tickets import CLOSED, EVENT, OPENED, WATCH, TicketRules, watch_rows


@dataclass(slots=True)
class Report:
    """One suspicion of one series.

    Attributes
    ----------
    opened, closed : int
        Numbers of readings; `closed` is -1 where it stayed open.
    channel : int
        What weighed most when it opened.
    score : float, nats
        The most that it reached.
    """

    series: int
    opened: int
    channel: int
    score: float
    closed: int = -1


def play(at: NDArray[np.int64], cell: NDArray[np.int16], values: NDArray[np.float64]) -> list[Report]:
    """Return what opens.

    Parameters
    ----------
    at : int64[n], µs UTC; cell : int16[n], hour of the week
    values : float64[n, series]
        NaN: the series said nothing then.
    """
    n, series = values.shape
    row = np.arange(series, dtype=np.int32)
    states, watches, events = np.zeros(series, STATE), np.zeros(series, WATCH), np.zeros(series, EVENT)
    parameters, rules = Parameters().row(), TicketRules().row()
    score, news, expected = (np.zeros(series, np.float32) for _ in range(3))
    channel = np.zeros(series, np.uint8)
    found: list[Report] = []
    standing: dict[int, Report] = {}
    for j in range(n):
        times, cells = np.full(series, at[j]), np.full(series, cell[j])
        score_rows(row, times, cells, values[j], states, parameters, score, news, channel, expected)
        said = watch_rows(row, times, score, np.isfinite(expected), watches, states, rules, events)
        for event in events[:said]:
            number = int(event["row"])
            if event["kind"] == OPENED:
                standing[number] = Report(number, j, int(channel[number]), float(event["surprise"]))
                found.append(standing[number])
            elif event["kind"] == CLOSED:
                standing.pop(number).closed = j
            else:
                standing[number].score = float(event["surprise"])
    return found
