"""What works teach is not kept: what was learnt of an asset before a maintenance window is put back after it.

Detection goes on during works, so kernels learn as ever. Copies are made at the first tick of a window and put back at
the first tick `AFTER_US` behind its end; faults that are open, runs and counters are no lessons, and stay as they are.
"""

import base64
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomaly.family import Learnt
from city.clock import MINUTE_US
from city.maintenance import MaintenanceWindow, is_below

AFTER_US = 30 * MINUTE_US
"""Controllers boot after works, and gateways send what they kept: so long nothing of it is a lesson either."""


@dataclass(slots=True)
class Unlearning:
    """Copies of what was learnt before works, by the name of columns and of their row.

    Attributes
    ----------
    kept : dict
        The learnt fields of one row, packed.
    due : tuple of int or None
        Windows for which `kept` is right; None: the columns were laid out since.
    """

    kept: dict[tuple[str, str], bytes] = field(default_factory=dict)
    due: tuple[int, ...] | None = ()

    def pass_time(self, windows: Iterable[MaintenanceWindow], columns: Sequence[Learnt] | None, now: int) -> bool:
        """Copy what works begin to touch, and put back what they have left.

        Parameters
        ----------
        columns : sequence of Learnt or None
            None: tell whether they are needed.

        Returns
        -------
        bool
            Whether there was, or is, anything to do.
        """
        running = [one for one in windows if one.starts_at <= now < one.ends_at + AFTER_US]
        due = tuple(sorted({one.window_id for one in running}))
        if due == self.due or not (running or self.kept):
            self.due = due
            return False
        if columns is None:
            return True
        assets = {name for one in running for name in one.assets}
        before, self.kept = self.kept, {}
        for column in columns:
            for row, (name, scope) in enumerate(zip(column.names, column.scopes, strict=True)):
                key = column.name, name
                if is_below(scope, assets):
                    self.kept[key] = before.get(key) or _packed(column, row)
                elif key in before:
                    _put_back(column, row, before[key])
        self.due = due
        return True

    def as_plain(self) -> list[list[str]]:
        """Return the copies as JSON holds them; equal ones give equal texts."""
        packed = sorted(self.kept.items())
        return [[*key, base64.b64encode(zlib.compress(value, 1)).decode()] for key, value in packed]

    @classmethod
    def of_plain(cls, plain: Sequence[Sequence[str]]) -> "Unlearning":
        """Read what `as_plain` returned."""
        kept = {(column, row): zlib.decompress(base64.b64decode(text)) for column, row, text in plain}
        return cls(kept, None if kept else ())


def _packed(column: Learnt, row: int) -> bytes:
    return b"".join(np.ascontiguousarray(column.rows[name][row]).tobytes() for name in column.fields)


def _put_back(column: Learnt, row: int, packed: bytes) -> None:
    place = 0
    for name in column.fields:
        part: NDArray[np.void] = column.rows[name]
        size = part[row].nbytes
        part[row] = np.frombuffer(packed[place : place + size], part.dtype).reshape(part[row].shape)
        place += size
