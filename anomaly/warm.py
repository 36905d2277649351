"""Compiles the kernels into Numba's cache: once, before workers start, because the cache takes one writer at a time."""

import numpy as np

from anomaly import gaps, kernels, ordering
from anomaly.facilities import kernels as facilities
from anomaly.facilities import layout, weather
from anomaly.lamps.layout import LAMP, RULES
from anomaly.layout import DEVICE, EVENT, STATE
from anomaly.segments import kernels as segments
from anomaly.segments import layout as street
from anomaly.statistics import kernels as statistics
from anomaly.statistics import layout as statistics_layout
from anomaly.statistics import rows, tickets
from anomaly.statistics.parameters import Parameters


def warm() -> None:
    """Call every kernel with the types that detection uses."""
    times, nothing = np.zeros(0, np.int64), np.zeros(0, np.int32)
    periods = np.zeros(1, np.int64), times, times
    devices, states = np.zeros(0, DEVICE), np.zeros(0, STATE)
    fleet = devices, np.zeros(0, RULES), states, np.zeros(0, LAMP), np.zeros(0, gaps.GAP)
    deaf = np.zeros((0, 2), np.int64)
    gateways, moments = np.zeros(1, np.int32), np.zeros(1, np.int64)
    for column in (gateways, moments):
        column.flags.writeable = False  # As what was read from the log is.
    ordering.note(gateways, moments, np.zeros(1, np.int64))
    ordering.by_device(nothing, times, times, np.zeros(0), nothing, np.zeros(0, np.uint8), 0)
    kernels.judge_rows(
        0, nothing, times, times, np.zeros(0, np.uint8), np.zeros(0), *fleet, *periods, deaf, np.zeros(0, EVENT)
    )
    kernels.judge_tick(0, devices, states, fleet[-1], *periods, deaf, np.zeros(0, EVENT))
    gaps.learn(0, devices, states, fleet[-1], nothing, np.zeros(1, np.int64))
    gaps.reckon(0, devices, states, fleet[-1], 0)
    lamps = np.zeros(0, street.LAMP), np.zeros(0, street.SAID)
    buildings = np.zeros(0, layout.DEVICE), np.zeros(0, layout.DEVICE_STATE)
    series, common = (np.zeros(0, layout.SERIES), np.zeros(0, layout.SERIES_STATE)), np.zeros((2, layout.CLASSES))
    context = times, nothing, nothing, nothing
    facilities.judge_rows(
        nothing,
        nothing,
        times,
        *context,
        np.zeros(0),
        np.zeros(0),
        *buildings,
        *series,
        common,
        np.zeros(0, layout.EVENT),
    )
    weather.take(np.zeros(1, weather.WEATHER)[0], 0, 10.0)
    facilities.share(0, buildings[1], *series, common)
    scores, watches = np.zeros(0, statistics_layout.STATE), np.zeros(0, tickets.WATCH)
    said = np.zeros(0, np.float32), np.zeros(0, np.float32), np.zeros(0, np.uint8), np.zeros(0, np.float32)
    cells, events = np.zeros(0, np.int16), np.zeros(0, tickets.EVENT)
    statistics.score_rows(nothing, times, cells, np.zeros(0), scores, Parameters().row(), *said)
    rules = tickets.TicketRules().row()
    tickets.watch_rows(nothing, times, said[0], np.zeros(0, np.bool_), watches, scores, rules, events)
    rows.judge_rows(
        nothing, times, cells, np.zeros(0), scores, Parameters().row(), watches, rules, *said, events, times
    )
    segments.hear(nothing, times, times, np.zeros(0, np.uint8), np.zeros(0), *lamps, *periods)
    segments.gather(
        0, *lamps, np.zeros(0, street.LIMITS), *periods, deaf, np.zeros(0, street.NOW), np.zeros(0, street.COUNT)
    )
