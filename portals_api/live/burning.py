"""Which lamps burn: the last power reading of each, from the database once, then from the log as it grows.

Readings come late and out of order: the one observed last counts, whenever it came, and of two observed at the same
moment the first. See docs/decisions/0007-live-board.md for why this stands in memory and in no table.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import psycopg
from numpy.typing import NDArray

from city.clock import DAY_US, to_datetime
from city.errors import DataError, OffsetOutOfRangeError
from city.reading import ReadingBatch
from city.topics import READINGS
from portals_api.live.inventory import SQL, Lamps
from storage.pool import Pool, transaction
from stream import codec
from stream.log import EventLog, Record, TopicPartition

logger = logging.getLogger(__name__)

LIT_SHARE = 0.2
"""Above this share of its rated power a lamp burns."""
_MEMORY_US = 2 * DAY_US
"""A lamp that was not heard for so long is unknown when the board begins."""
_BEHIND_MAX = 20_000
"""Records behind which reading the database again is cheaper than following."""
_READ = 500


@dataclass
class Burning:
    """The last reading of each lamp.

    Attributes
    ----------
    observed_at : int64[n_lamps], µs UTC
        0 for a lamp that was never heard.
    power_w : float64[n_lamps], W
        NaN for a lamp that was never heard.
    """

    lamps: Lamps
    observed_at: NDArray[np.int64] = field(init=False)
    power_w: NDArray[np.float64] = field(init=False)
    _lamp_of: NDArray[np.int32] = field(init=False)
    _next: dict[int, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.observed_at = np.zeros(len(self.lamps), np.int64)
        self.power_w = np.full(len(self.lamps), np.nan)
        self._lamp_of = np.full(int(self.lamps.series.max(initial=0)) + 1, -1, np.int32)
        self._lamp_of[self.lamps.series] = self.lamps.series_lamp

    async def load(self, pool: Pool, log: EventLog, now_us: int) -> None:
        """Read what is stored, and begin to follow the log exactly where the store has not written yet.

        Raises
        ------
        EngineError
            Database or log did not answer.
        """
        bounds = await log.bounds(READINGS)
        async with transaction(pool) as connection:
            # One snapshot for offsets and values, so that nothing falls between the two.
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            stored = await (await connection.execute(SQL.stored_until, {"log_identity": log.identity})).fetchall()
            found: Sequence[tuple[int, int, float]] = []
            try:
                async with connection.transaction():
                    wanted = {"series": self.lamps.series.tolist(), "since": to_datetime(now_us - _MEMORY_US)}
                    found = await (await connection.execute(SQL.last_values, wanted, prepare=False)).fetchall()
            except psycopg.errors.UndefinedTable:
                found = []  # The workers have not laid the tables out yet: nothing was stored.
        until = dict(stored)
        self._next = {p: min(max(until.get(p, b.begin), b.begin), max(b.end, b.begin)) for p, b in bounds.items()}
        if found:
            series, observed, value = (np.array(column) for column in zip(*found, strict=True))
            self.take(series.astype(np.int32), observed.astype(np.int64), value.astype(np.float64))

    async def follow(self, log: EventLog) -> bool:
        """Take what came since; return False where that is so much, or so long gone, that `load` must begin anew.

        Raises
        ------
        EngineError
            The log did not answer; what was read is kept, call again.
        """
        bounds = await log.bounds(READINGS)
        if sum(b.end - self._next.get(p, b.begin) for p, b in bounds.items()) > _BEHIND_MAX:
            return False
        for partition, bound in bounds.items():
            while (at := self._next.get(partition, bound.begin)) < bound.end:
                try:
                    records = await log.read(TopicPartition(READINGS, partition), at, max_records=_READ)
                except OffsetOutOfRangeError:
                    return False
                if not records:
                    break
                together = ReadingBatch.concatenate(_batches(records))
                self.take(together.series_id, together.observed_at, together.value)
                self._next[partition] = records[-1].offset + 1
        return True

    def take(
        self, series: NDArray[np.int32], observed_at: NDArray[np.int64], value: NDArray[np.float64]
    ) -> NDArray[np.int32]:
        """Keep what was observed later than what is known; return the lamps of which that is so.

        Parameters
        ----------
        series, observed_at, value : int32[n], int64[n] in µs UTC, float64[n]
            In the order of arrival; of any series, those of no lamp's power are passed over.
        """
        known = series < len(self._lamp_of)
        lamp = np.where(known, self._lamp_of[np.where(known, series, 0)], -1)
        ours = lamp >= 0
        lamp, observed_at, value = lamp[ours], observed_at[ours], value[ours]
        order = np.lexsort((-np.arange(len(lamp)), observed_at, lamp))
        lamp, observed_at, value = lamp[order], observed_at[order], value[order]
        last = np.ones(len(lamp), np.bool_)
        last[:-1] = lamp[1:] != lamp[:-1]
        lamp, observed_at, value = lamp[last], observed_at[last], value[last]
        newer = observed_at > self.observed_at[lamp]
        lamp = lamp[newer]
        self.observed_at[lamp] = observed_at[newer]
        self.power_w[lamp] = value[newer]
        return lamp.astype(np.int32)


def _batches(records: Sequence[Record]) -> list[ReadingBatch]:
    """Decode batches; one that cannot be read stops the store, but a picture of the city may lack it."""
    batches: list[ReadingBatch] = []
    for record in records:
        if record.kind != codec.BATCH:
            continue
        try:
            batches.append(codec.decode_batch(record.value))
        except DataError as exc:
            where = {"partition": record.partition, "offset": record.offset, "reason": str(exc)}
            logger.warning("the board passes a record over", extra=where)
    return batches
