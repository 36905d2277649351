"""The gateways' memory: messages on disk until they are acknowledged and safe, so that no crash of ours loses one."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from city.clock import from_datetime
from city.errors import EngineError
from sim.times import parse_time
from storage import queries

_SQL = queries.load(Path(__file__).with_suffix(".sql"))


class Outbox:
    """One SQLite file for all gateways of a process; without a path it lives in memory.

    Each method is one transaction. A file survives SIGKILL: what was put is there, and is sent by the next process.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Open the file, or create it.

        Raises
        ------
        EngineError
            The file cannot be opened, or belongs to another process.
        """
        try:
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=5)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            for statement in (
                _SQL.create_messages,
                _SQL.create_by_gateway,
                _SQL.create_unacknowledged,
                _SQL.create_progress,
            ):
                self._db.execute(statement)
        except sqlite3.Error as exc:
            raise EngineError(f"the simulator's file {path} cannot be opened ({exc}): check path and disk") from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def put(self, messages: Iterable[tuple[str, bytes]], progress: Mapping[str, int] | None = None) -> None:
        """Keep messages (gateway, payload) in their order, and note up to which city time gateways were read.

        Raises
        ------
        EngineError
            Disk full or broken; nothing of it was kept.
        """
        rows = [{"gateway": gateway, "payload": payload} for gateway, payload in messages]
        done = [{"gateway": gateway, "done_us": done_us} for gateway, done_us in (progress or {}).items()]
        self._write((_SQL.put, rows), (_SQL.set_progress, done))

    def progress(self) -> dict[str, int]:
        """Return city time (µs UTC) up to which each gateway was read."""
        return dict(self._db.execute(_SQL.progress).fetchall())

    def after(self, gateway: str, message_id: int, count: int) -> list[tuple[int, bytes]]:
        """Return the next messages of a gateway as (id, payload)."""
        return self._db.execute(_SQL.after, {"gateway": gateway, "id": message_id, "count": count}).fetchall()

    def acknowledge(self, ids: Iterable[int], acked_us: int) -> None:
        """Note acknowledgements; `acked_us` is the machine's clock."""
        self._write((_SQL.acknowledge, [{"id": i, "acked_us": acked_us} for i in ids]))

    def resend_from(self, gateway: str, since_us: int) -> int | None:
        """Return the first message not acknowledged, or acknowledged at or after `since_us`; None if all are older."""
        return self._number(_SQL.resend_from, {"gateway": gateway, "since_us": since_us})

    def last_id(self, gateway: str) -> int:
        """Return the id of the newest message, 0 if there is none."""
        return self._number(_SQL.last_id, {"gateway": gateway}) or 0

    def last_acknowledged_us(self, gateway: str) -> int | None:
        """Return when the newest acknowledgement came, by the machine's clock."""
        return self._number(_SQL.last_acknowledged, {"gateway": gateway})

    def pending(self, gateway: str) -> int:
        """Return how many messages of a gateway are not acknowledged."""
        return self._number(_SQL.pending, {"gateway": gateway}) or 0

    def forget(self, gateway: str, before_us: int) -> None:
        """Delete what was acknowledged before `before_us`."""
        self._write((_SQL.forget, [{"gateway": gateway, "before_us": before_us}]))

    def overflow(self, gateway: str, handed_id: int, kept: int) -> int:
        """Delete the oldest messages after `handed_id` beyond `kept` of them; return how many."""
        before = self._db.total_changes
        self._write((_SQL.overflow, [{"gateway": gateway, "handed_id": handed_id, "kept": kept}]))
        return self._db.total_changes - before

    def sent(self) -> Iterator[tuple[str, str, int, float]]:
        """Yield every reading that is kept, sent or to be sent: device, metric, observed_at (µs UTC), value.

        With `RunOptions.keep` nothing is forgotten, and these are the rows that `readings` must hold.
        """
        for (payload,) in self._db.execute(_SQL.payloads):
            yield from readings_of(payload)

    def _number(self, statement: str, parameters: dict[str, Any]) -> int | None:
        value: int | None = self._db.execute(statement, parameters).fetchone()[0]
        return value

    def _write(self, *work: tuple[str, list[dict[str, Any]]]) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for statement, rows in work:
                    self._db.executemany(statement, rows)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as exc:
            raise EngineError(f"the simulator's file refused a write ({exc}): make room on the disk") from exc


def sent_readings(path: Path) -> Iterator[tuple[str, str, int, float]]:
    """Yield the readings that the outbox at `path` holds; another process may be writing to it."""
    with Outbox(path) as outbox:
        yield from outbox.sent()


def readings_of(payload: bytes) -> Iterator[tuple[str, str, int, float]]:
    """Yield the readings of one message: device, metric, observed_at (µs UTC), value."""
    body = json.loads(payload)
    for observation in body["readings"]:
        at_us = from_datetime(parse_time(observation["at"]))
        for name, value in observation.items():
            if name not in ("device", "at"):
                yield observation["device"], name, at_us, float(value)
