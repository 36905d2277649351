"""How ingest's kernels are compiled."""

from typing import Any

from numba import njit

_options: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False}
kernel: Any = njit(**_options)
"""For functions that make no arrays. They are given tables of many arrays, and without ``_nrt=False`` each call among
them counts a reference to each: that alone cost 0.7 µs a message."""
