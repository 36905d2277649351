"""What planted faults change in the lamps of a bank."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from city.alarm import FaultClass
from city.clock import DAY_US, HOUR_US, MINUTE_US
from sim.faults import PlantedFault
from sim.lamps import Stand
from sim.noise import key_of, unit

CYCLE_US = 17 * MINUTE_US
CYCLE_DARK_US = 6 * MINUTE_US
_WARM_UP_US = 20 * MINUTE_US

_LOW_V, _HIGH_V = -30.0, 27.0
_NEUTRAL_V = (33.0, -36.0, 4.0)


def change_lamp(
    stand: Stand, fault: PlantedFault, index: Sequence[int], at_us: int, supplied: NDArray[np.bool_]
) -> None:
    """Change the rows of one lamp in place, as its fault has it at `at_us`; a fault that is over leaves its run-up.

    Parameters
    ----------
    index : sequence of int
        The lamp's rows in the bank.
    supplied : bool[n]
        Rows with supply.
    """
    rows = np.array(index, np.int64)
    if not fault.active(at_us):
        if fault.fault is FaultClass.LAMP_FAILURE and fault.end_us is not None and fault.end_us <= at_us:
            stand.since_us[rows] = np.maximum(stand.since_us[rows], fault.end_us)
        return
    key = key_of("fault", fault.asset_id, fault.onset_us)
    match fault.fault:
        case FaultClass.LAMP_FAILURE:
            stand.burning[rows] = False
        case FaultClass.LAMP_UNEXPECTED_ON:
            new = ~stand.burning[rows] & supplied[rows]
            stand.since_us[rows] = np.where(new, fault.onset_us, stand.since_us[rows])
            stand.level_pct[rows] = np.where(new, 100.0, stand.level_pct[rows])
            stand.burning[rows] |= new
        case FaultClass.DIMMING_FAILURE:
            stand.level_pct[rows] = np.where(stand.level_pct[rows] > 0, 100.0, 0.0)
        case FaultClass.CYCLING_FAILURE:
            _cycle(stand, rows, at_us, key)
        case FaultClass.FLICKER:
            stand.factor[rows] *= 0.55 + 0.45 * unit("flicker", key, at_us)
        case FaultClass.POWER_FACTOR_TOO_LOW:
            stand.bare[rows] = True
        case FaultClass.LED_MODULE_LOST:
            stand.factor[rows] *= (0.5, 0.67, 0.75, 0.83)[key % 4]
        case FaultClass.LAMP_POWER_TOO_LOW:
            stand.factor[rows] *= 1 - min(0.12 * (at_us - fault.onset_us) / DAY_US, 0.35)
        case FaultClass.LAMP_POWER_TOO_HIGH:
            stand.factor[rows] *= 1.22


def _cycle(stand: Stand, rows: NDArray[np.int64], at_us: int, key: int) -> None:
    """Put a hot, worn lamp out for a while: it needs more voltage than the gear gives, cools, and starts again."""
    lit_us = at_us - stand.since_us[rows]
    hot = lit_us > _WARM_UP_US
    phase = (lit_us + key % CYCLE_US) % CYCLE_US
    dark = hot & (phase < CYCLE_DARK_US)
    stand.burning[rows] &= ~dark
    stand.since_us[rows] = np.where(hot & ~dark, at_us - (phase - CYCLE_DARK_US), stand.since_us[rows])


def shift_voltage(
    stand: Stand, fault: PlantedFault, rows: NDArray[np.bool_], phase: NDArray[np.int64], along: NDArray[np.float64]
) -> None:
    """Change the voltage of a feeder's rows in place."""
    match fault.fault:
        case FaultClass.SUPPLY_VOLTAGE_TOO_LOW:
            stand.shift_v[rows] += _LOW_V
        case FaultClass.SUPPLY_VOLTAGE_TOO_HIGH:
            stand.shift_v[rows] += _HIGH_V
        case FaultClass.LOST_NEUTRAL:
            turn = key_of("neutral", fault.asset_id, fault.onset_us) % 3
            shift = np.array(_NEUTRAL_V)[(phase + turn) % 3]
            # The star point drifts the further, the more load hangs behind.
            stand.shift_v += np.where(rows, shift * (0.85 + 0.15 * along), 0.0)


def hours_between(since_us: int, until_us: int) -> float:
    """Return a length in hours, never negative."""
    return max(until_us - since_us, 0) / HOUR_US
