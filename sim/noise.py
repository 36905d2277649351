"""Noise that depends on nothing but its keys: the same reading gets the same value in every run and after a restart."""

import hashlib

import numpy as np
from numpy.typing import NDArray

_MASK = 0xFFFFFFFFFFFFFFFF
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_UNIT = 1.0 / (1 << 53)
_LANE = np.uint64(0xFFFF)
_KEPT = 8
_LANES = tuple(np.uint64(shift) for shift in (0, 16, 32, 48))

Keys = NDArray[np.uint64]
Values = NDArray[np.float64]


def key_of(*parts: str | int) -> int:
    """Return a 64-bit key for names and numbers, the same on every machine."""
    text = "|".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def keys_of(seed: int, kind: str, names: list[str]) -> Keys:
    """Return one key for each name."""
    return np.array([key_of(seed, kind, name) for name in names], np.uint64)


def unit(*parts: str | int) -> float:
    """Return one number of [0, 1) for names and numbers."""
    return (key_of(*parts) >> 11) * _UNIT


def _mixed(keys: Keys, at: int) -> Keys:
    """Return 64 random bits for each key and the moment `at` (splitmix64)."""
    # Python's integers: a product of two uint64 scalars would warn of its overflow, sums of arrays wrap silently.
    z = keys + np.uint64((_GOLDEN * at) & _MASK)
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


def uniform(keys: Keys, at: int) -> Values:
    """Return one number of [0, 1) for each key and the moment `at`.

    Parameters
    ----------
    keys : uint64[n]
    at : int
        Any integer; only its low 64 bits count.
    """
    out: Values = (_mixed(keys, at) >> np.uint64(11)).astype(np.float64) * _UNIT
    return out


def uniforms(key: int, at: NDArray[np.int64]) -> Values:
    """Return one number of [0, 1) for one key at each of many moments, the same bits as `uniform`."""
    out: Values = (_mixed(_moved(key, at), 0) >> np.uint64(11)).astype(np.float64) * _UNIT
    return out


def _moved(key: int, at: NDArray[np.int64]) -> Keys:
    """Return keys that at 0 are what `key` is at each of `at`: a key and a moment enter only as their sum."""
    return at.astype(np.uint64) * np.uint64(_GOLDEN) + np.uint64(key)


def gaussian(keys: Keys, at: int) -> Values:
    """Return nearly normal noise, mean 0, variance 1, never beyond ±3.5 (the sum of four numbers of 16 bits)."""
    bits = _mixed(keys, at)
    total = np.zeros(len(keys), np.float64)
    for lane in _LANES:
        total += (bits >> lane) & _LANE
    out: Values = ((total + 2.0) / 65_536.0 - 2.0) * np.sqrt(3.0)
    return out


def correlated(keys: Keys, at_us: int, knot_us: int) -> Values:
    """Return noise that wanders: mean 0, variance about 1, one independent draw each `knot_us`, smooth between them.

    No state is kept, so any moment can be asked for first; about like an AR(1) process whose memory is `knot_us`.
    """
    return Wandering(keys, knot_us).at(at_us)


class Wandering:
    """`correlated` for one set of keys and one length of knots; it keeps the latest draws, which many moments share."""

    def __init__(self, keys: Keys, knot_us: int) -> None:
        self._keys, self._knot_us = keys, knot_us
        self._draws: dict[int, Values] = {}

    def at(self, at_us: int) -> Values:
        """Return the same bits as ``correlated(keys, at_us, knot_us)``."""
        knot, rest = divmod(at_us, self._knot_us)
        share = rest / self._knot_us
        # Weights whose squares sum to one keep the variance between the knots.
        low, high = np.cos(share * np.pi / 2), np.sin(share * np.pi / 2)
        out: Values = low * self._draw(knot) + high * self._draw(knot + 1)
        return out

    def _draw(self, knot: int) -> Values:
        found = self._draws.get(knot)
        if found is None:
            if len(self._draws) >= _KEPT:
                self._draws.clear()
            found = self._draws[knot] = gaussian(self._keys, knot)
        return found


def wander(key: int, at_us: NDArray[np.int64], knot_us: int) -> Values:
    """Return `correlated` for one key at many moments.

    Parameters
    ----------
    at_us : int64[n], µs UTC
    """
    knot = np.asarray(at_us, np.int64) // knot_us
    share = (at_us - knot * knot_us) / knot_us
    low, high = np.cos(share * np.pi / 2), np.sin(share * np.pi / 2)
    draws = []
    for step in (knot, knot + 1):
        draws.append(gaussian(_moved(key, step), 0))
    out: Values = low * draws[0] + high * draws[1]
    return out
