"""What a gateway hears at one moment as columns, for runs that play years: no dictionary for each device."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Heard:
    """Devices that spoke, and what they said.

    Attributes
    ----------
    device_ids : tuple of str
        Of all that belong together; rows index them.
    rows : int64[n]
        Which of them spoke.
    metrics : tuple of str
    values : float64[n, metrics]
    """

    device_ids: tuple[str, ...]
    rows: NDArray[np.int64]
    metrics: tuple[str, ...]
    values: NDArray[np.float64]
