"""What a lamp's controller measures: power by type of lamp with run-up, and voltage along the feeder.

The model is kept simple on purpose:

- power P = rated · gear · spread · run-up · (V / 230)^k + noise of 1 W (0.1 W for LED), rounded likewise; `spread` is
  each lamp's own, within 3 %. Off, the controller alone draws 0.4 W.
- run-up: a discharge lamp starts at a third of its power and reaches all of it linearly in a few minutes; LED at once.
- voltage V = 231 + 1.5 · cos(daily) − drop along the feeder while it burns + noise of 0.4 V.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from city.clock import DAY_US, MINUTE_US
from sim.noise import gaussian, key_of, uniform

STANDBY_W = 0.4
_NOMINAL_V = 231.0
_DROP_V = 4.0


@dataclass(frozen=True, slots=True)
class LampType:
    """How a kind of lamp draws power.

    Attributes
    ----------
    gear : float
        Power at the line over rated power: a magnetic ballast takes its share.
    run_up_us : int
        From a third of the power to all of it.
    exponent : float
        P ∝ V^exponent; electronic drivers hold their power.
    noise_w : float
        Resolution of what is reported.
    """

    gear: float
    run_up_us: int
    exponent: float
    noise_w: float


LAMP_TYPES = {
    "led": LampType(1.0, 0, 0.0, 0.1),
    "sodium": LampType(1.12, 5 * MINUTE_US, 1.7, 1.0),
    "metal-halide": LampType(1.10, 4 * MINUTE_US, 1.3, 1.0),
}
_OTHER = LampType(1.0, 0, 0.0, 0.1)


class LampGroup:
    """The lamps of one feeder, as columns; pure functions of time.

    Parameters
    ----------
    lamp_ids : list of str
        In the order in which they hang on the feeder.
    lamp_types : list of str
        Keys of `LAMP_TYPES`; an unknown type behaves as LED.
    rated_w : list of float
    seed : int
    """

    def __init__(self, lamp_ids: list[str], lamp_types: list[str], rated_w: list[float], seed: int) -> None:
        types = [LAMP_TYPES.get(t, _OTHER) for t in lamp_types]
        self._power_keys = np.array([key_of(seed, "power", i) for i in lamp_ids], np.uint64)
        self._voltage_keys = np.array([key_of(seed, "voltage", i) for i in lamp_ids], np.uint64)
        self._run_up_us = np.array([t.run_up_us for t in types], np.float64)
        self._exponent = np.array([t.exponent for t in types], np.float64)
        self._noise_w = np.array([t.noise_w for t in types], np.float64)
        spread = 1 + 0.06 * (uniform(self._power_keys, 0) - 0.5)
        self._burning_w = np.array(rated_w, np.float64) * np.array([t.gear for t in types], np.float64) * spread
        self._along = np.arange(1, len(lamp_ids) + 1) / max(len(lamp_ids), 1)

    def measure(
        self, at_us: int, burning: NDArray[np.bool_], since_us: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return active power (W) and supply voltage (V) of each lamp.

        Parameters
        ----------
        at_us : int
            µs UTC.
        burning : bool[n]
        since_us : int64[n]
            When each lamp was lit; read only where it burns.
        """
        daily = float(np.cos(2 * np.pi * (at_us % DAY_US) / DAY_US))
        drop = _DROP_V * self._along * float(burning.mean() if len(burning) else 0.0)
        volts = _NOMINAL_V + 1.5 * daily - drop + 0.4 * gaussian(self._voltage_keys, at_us)
        age = np.maximum(at_us - since_us, 0)
        risen = np.where(self._run_up_us > 0, age / np.maximum(self._run_up_us, 1), 1.0)
        run_up = np.clip(1 / 3 + 2 / 3 * risen, 1 / 3, 1.0)
        lit = self._burning_w * run_up * (volts / 230.0) ** self._exponent
        noisy = lit + self._noise_w * 0.5 * gaussian(self._power_keys, at_us)
        watts = np.maximum(np.round(noisy / self._noise_w) * self._noise_w, 0.0)
        return np.where(burning, watts, STANDBY_W).round(1), volts.round(1)
