"""The parameters of statistics: what each means, its unit, where it comes from, and the range it is searched in.

One set serves every series. The ranges are about a factor of two around what a method's source or plain reasoning
gives; `bench.score.nab` draws from them. The set that ships was searched half a range beyond them on either side, on
all of NAB; only the weight of what is stuck, to which NAB is blind, was set by hand.
"""

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _searched(default: float, low: float, high: float, *, log: bool = True) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "log": log})


@dataclass(frozen=True, slots=True)
class Parameters:
    """One set. A rate is the weight of the newest reading in an exponentially weighted mean (EWMA).

    Attributes
    ----------
    level_rate, spread_rate : per reading
        Memory of 50 to 400 readings, half a day to four days at a quarter of an hour. Roberts (1959), EWMA charts.
    day_rate, week_rate : per visit of an hour's cell
        Memory of days and of weeks: 0.2 is five visits.
    clip : spreads
        What one reading may teach. Huber's ψ; 3.5 is customary (Iglewicz and Hoaglin 1993).
    floor : share of the range seen
        No spread is taken for smaller: quantised and constant series.
    level_smooth, drift_smooth : per reading
        Smoothing of the residuals: small shifts that last (EWMA chart).
    short_rate : per reading
        Of the mean distance from the season, whose ratio to the channel's own scale tells a change of spread.
    down : 1
        How much less a fall of spread counts than a rise.
    surprise_rate : per reading
        Smoothing of −ln p of transitions (first-order Markov chain on 16 bins).
    slow : per reading
        Memory of a channel's own scale.
    tail_from : spreads of the channel
        Where the tail begins: peaks over threshold.
    tail_rate : per reading; slope_rate : per reading in the tail
        Memory of the tail's share, and of its slope (Hill 1975).
    limit : nats
        Most that a tail may say.
    ramp : share of the range
        A new extreme counts in full from this far beyond the range seen.
    range_decay : per reading
        Shrinking of the range: old extremes fade in 30,000 to 300,000 readings.
    season_weight … stuck_weight : 1
        Weights of the channels.
    record_weight : 1
        Weight of a channel's own new extreme: among n exchangeable readings the last is the largest with p = 1/n.
    age : nats per nat of ln(n / 1000)
        The longer a series, the more chances it had (multiplicity in time).
    record_decay : per reading, kept
        Memory of the record that a score has to exceed to say something new.
    rise : 1
        By what factor it has to exceed it.
    habit : 1
        Share of the mean record that is taken off the news: a series that cries often has to cry louder.
    gap : nats per nat of ln(gap / interval)
        Withheld on return from a gap.
    """

    level_rate: float = _searched(0.010575, 0.005, 0.02)
    spread_rate: float = _searched(0.0013228, 0.0025, 0.01)
    day_rate: float = _searched(0.35002, 0.1, 0.4)
    week_rate: float = _searched(0.27546, 0.1, 0.4)
    clip: float = _searched(3.8661, 3.0, 5.0)
    floor: float = _searched(0.015137, 0.002, 0.02)
    level_smooth: float = _searched(0.024876, 0.01, 0.04)
    drift_smooth: float = _searched(0.020933, 0.02, 0.1)
    short_rate: float = _searched(0.16287, 0.05, 0.2)
    down: float = _searched(0.1993, 0.0, 0.3, log=False)
    surprise_rate: float = _searched(0.049243, 0.07, 0.3)
    slow: float = _searched(0.00053671, 0.001, 0.004)
    tail_from: float = _searched(3.6258, 3.0, 4.0, log=False)
    tail_rate: float = _searched(0.00036424, 0.0005, 0.002)
    slope_rate: float = _searched(0.024787, 0.02, 0.1)
    limit: float = _searched(21.76, 15.0, 30.0, log=False)
    ramp: float = _searched(0.027717, 0.02, 0.1)
    range_decay: float = _searched(1.697e-06, 3e-6, 3e-5)
    season_weight: float = _searched(1.3461, 0.5, 1.5, log=False)
    level_weight: float = _searched(0.54741, 0.5, 1.5, log=False)
    drift_weight: float = _searched(1.2654, 0.5, 1.5, log=False)
    spread_weight: float = _searched(0.9561, 0.25, 0.75, log=False)
    transition_weight: float = _searched(0.10036, 0.25, 0.75, log=False)
    extreme_weight: float = _searched(1.8498, 2.0, 4.0, log=False)
    stuck_weight: float = _searched(0.46369, 0.25, 0.75, log=False)
    record_weight: float = _searched(0.21734, 0.3, 1.0, log=False)
    age: float = _searched(1.2008, 0.5, 1.5, log=False)
    record_decay: float = _searched(0.99595, 0.99, 0.998, log=False)
    rise: float = _searched(1.2261, 1.05, 1.3, log=False)
    habit: float = _searched(0.55281, 0.35, 1.0, log=False)
    gap: float = _searched(0.64025, 0.5, 1.5, log=False)

    def row(self) -> NDArray[np.void]:
        """Return the set as the kernels take it: `PARAMETERS[1]`."""
        return np.array([tuple(getattr(self, name) for name in NAMES)], PARAMETERS)


NAMES = tuple(one.name for one in fields(Parameters))
PARAMETERS = np.dtype([(name, "f8") for name in NAMES])


def ranges() -> dict[str, tuple[float, float, bool]]:
    """Return (low, high, whether it is drawn on a logarithmic scale) of each parameter."""
    return {one.name: (one.metadata["low"], one.metadata["high"], one.metadata["log"]) for one in fields(Parameters)}


def draw(rng: np.random.Generator) -> Parameters:
    """Draw a set at random from the ranges."""
    return at({name: float(rng.random()) for name in NAMES})


def at(place: dict[str, float]) -> Parameters:
    """Return the set at a place in the unit cube."""
    return beyond({name: min(max(share, 0.0), 1.0) for name, share in place.items()})


def beyond(place: dict[str, float]) -> Parameters:
    """Return the set at a place that may lie outside the unit cube; weights do not fall below 0, nor `rise` below 1."""
    values = {}
    for name, (low, high, log) in ranges().items():
        value = low * (high / low) ** place[name] if log else low + (high - low) * place[name]
        values[name] = min(max(value, _LEAST.get(name, 0.0)), _MOST.get(name, value))
    return Parameters(**values)


_LEAST, _MOST = {"rise": 1.0}, {"record_decay": 0.9999, "day_rate": 1.0, "week_rate": 1.0}


def place(parameters: Parameters) -> dict[str, float]:
    """Return the place of a set in the unit cube: the inverse of `at`."""
    found = {}
    for name, (low, high, log) in ranges().items():
        value = getattr(parameters, name)
        found[name] = float(np.log(value / low) / np.log(high / low)) if log else (value - low) / (high - low)
    return found
