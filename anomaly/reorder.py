"""Puts readings of one partition back in order of event time, within bounds."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from anomaly import ordering
from city.clock import SECOND_US
from city.reading import ReadingBatch

LATENESS_US = 5 * SECOND_US
ROWS_MAX = 524_288
_NEVER = np.iinfo(np.int64).min // 2


class _Piece(NamedTuple):
    """Readings of one record that wait, and the least and the largest of their observed_at, µs UTC."""

    rows: ReadingBatch
    first: int
    last: int


class ReorderBuffer:
    """Holds readings until a tick has passed them by `LATENESS_US`, or, where no tick comes, until it is full.

    A tick also tells how long nobody listened, so what came before it is judged after it. Full, the buffer lets go of
    what its own gateway's event time has passed: one with a back-log, or with a wrong clock, holds up nobody else.

    Parameters
    ----------
    latest : iterable of (int, int)
        Gateway number → largest observed_at so far, µs UTC.
    """

    def __init__(self, held: ReadingBatch | None = None, latest: Iterable[tuple[int, int]] = ()) -> None:
        self._pieces: list[_Piece] = []
        self._rows = 0
        if held is not None and len(held):
            self._keep(held)
        self._latest = np.zeros(0, np.int64)
        for gateway, at in latest:
            self._reserve(gateway)
            self._latest[gateway] = at

    @property
    def held(self) -> ReadingBatch:
        """Readings that wait, in the order of receipt."""
        return ReadingBatch.concatenate(self.waiting())

    def waiting(self) -> list[ReadingBatch]:
        """Return readings that wait, as they came: they never change, so another thread may join them."""
        return [piece.rows for piece in self._pieces]

    @property
    def latest(self) -> list[tuple[int, int]]:
        """(gateway number, largest observed_at so far), sorted."""
        known = np.flatnonzero(self._latest > _NEVER)
        return list(zip(known.tolist(), self._latest[known].tolist(), strict=True))

    def push(self, batch: ReadingBatch) -> ReadingBatch:
        """Take one record's readings; return what has to go because the buffer is full."""
        if not len(batch):
            return batch
        self._reserve(int(batch.gateway_id.max()))
        first, last = ordering.note(batch.gateway_id, batch.observed_at, self._latest)
        self._pieces.append(_Piece(batch, first, last))
        self._rows += len(batch)
        if self._rows <= ROWS_MAX:
            return ReadingBatch.empty()
        held = self.held
        due = held.observed_at <= self._latest[held.gateway_id] - LATENESS_US
        if self._rows - int(due.sum()) > ROWS_MAX // 2:
            due = np.ones(self._rows, np.bool_)
        self._pieces, self._rows = [], 0
        self._keep(held.take(~due))
        return held.take(due)

    def pass_time(self, now_us: int) -> ReadingBatch:
        """Return what a tick at `now_us` makes due."""
        until = now_us - LATENESS_US
        due: list[ReadingBatch] = []
        pieces, self._pieces, self._rows = self._pieces, [], 0
        for piece in pieces:
            if piece.last <= until:
                due.append(piece.rows)
            elif piece.first > until:
                self._pieces.append(piece)
                self._rows += len(piece.rows)
            else:
                mask = piece.rows.observed_at <= until
                due.append(piece.rows.take(mask))
                self._keep(piece.rows.take(~mask))
        return ReadingBatch.concatenate(due)

    def _keep(self, rows: ReadingBatch) -> None:
        if len(rows):
            self._pieces.append(_Piece(rows, int(rows.observed_at.min()), int(rows.observed_at.max())))
            self._rows += len(rows)

    def _reserve(self, gateway: int) -> None:
        if gateway >= len(self._latest):
            grown = np.full(max(64, 2 * gateway), _NEVER, np.int64)
            grown[: len(self._latest)] = self._latest
            self._latest = grown
