"""What the sensors of a facility add to what they measure: independent from reading to reading, and without a state."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.noise import key_of, uniforms

Times = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SensorNoise:
    """Noise of one shape, of a size for each metric.

    Attributes
    ----------
    sizes : mapping
        Metric → standard deviation, in its unit; whatever is not named has none.
    heavy : bool
        Student's t of four degrees of freedom, scaled to that standard deviation, instead of a normal: its tail is as
        that of sensors on a bad line.
    """

    sizes: Mapping[str, float]
    heavy: bool = False

    def of(self, key: int, metric: str, at_us: Times) -> Values:
        """Return what is added to the readings of one sensor at each moment, always the same.

        Parameters
        ----------
        key : int
            Of the sensor's facility.
        at_us : int64[n], µs UTC

        References
        ----------
        Box and Muller 1958 for the normal. χ² of four degrees is −2 ln(u₁ u₂), and t₄ = z / √(χ²/4) has variance 2.
        """
        size = self.sizes.get(metric, 0.0)
        if not size:
            return np.zeros(len(at_us))
        # 1 − u: of (0, 1], so that no logarithm is of nothing.
        u = [1.0 - uniforms(key_of(key, "sensor", metric, part), at_us) for part in range(4)]
        z = np.sqrt(-2.0 * np.log(u[0])) * np.cos(2.0 * np.pi * u[1])
        if self.heavy:
            z = z / np.sqrt(-np.log(u[2] * u[3]) / 2.0) / np.sqrt(2.0)
        out: Values = size * z
        return out
