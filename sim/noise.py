"""Noise that depends on nothing but its keys: the same reading gets the same value in every run and after a restart."""

import zlib

import numpy as np
from numpy.typing import NDArray

_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_UNIT = 1.0 / (1 << 53)


def key_of(*parts: str | int) -> int:
    """Return a 64-bit key for names and numbers, the same on every machine."""
    text = "|".join(str(part) for part in parts).encode()
    return zlib.crc32(text) << 32 | zlib.crc32(text[::-1] + b"#")


def uniform(keys: NDArray[np.uint64], at: int) -> NDArray[np.float64]:
    """Return one number of [0, 1) for each key and the moment `at` (splitmix64).

    Parameters
    ----------
    keys : uint64[n]
    at : int
        Any integer; only its low 64 bits count.
    """
    # Python's integers: a product of two uint64 scalars would warn of its overflow, sums of arrays wrap silently.
    z = keys + np.uint64((_GOLDEN * at) & 0xFFFFFFFFFFFFFFFF)
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    z = z ^ (z >> np.uint64(31))
    out: NDArray[np.float64] = (z >> np.uint64(11)).astype(np.float64) * _UNIT
    return out


def gaussian(keys: NDArray[np.uint64], at: int) -> NDArray[np.float64]:
    """Return nearly normal noise, mean 0, variance 1, never beyond ±3.5 (the sum of four uniform numbers)."""
    total = sum(uniform(keys ^ np.uint64(key_of("g", i)), at) for i in range(4))
    out: NDArray[np.float64] = (np.asarray(total) - 2.0) * np.sqrt(3.0)
    return out
