"""Repairs of the simulated city: faults end when a crew has been there, and stay ended after a restart."""

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from city.errors import EngineError
from sim.faults import PlantedFault
from storage import queries

_SQL = queries.load(Path(__file__).with_suffix(".sql"))


class Repairs:
    """The simulated truth as crews change it; its methods may be called from any thread.

    Parameters
    ----------
    planted : sequence of PlantedFault
        What breaks, crews or not.
    path : Path or None
        An SQLite file of its own, which outlives a kill; None: in memory.

    Raises
    ------
    EngineError
        The file cannot be opened.
    """

    def __init__(self, planted: Sequence[PlantedFault], path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._by_asset: dict[str, list[PlantedFault]] = defaultdict(list)
        self._fresh: list[tuple[str, int]] = []
        try:
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=5, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute(_SQL.create_repairs)
            rows = self._db.execute(_SQL.all).fetchall()
        except sqlite3.Error as exc:
            raise EngineError(f"the simulator's file {path} cannot be opened ({exc}): check path and disk") from exc
        repaired = {(asset, fault, onset): at for asset, fault, onset, at in rows}
        for fault in planted:
            at_us = repaired.get((fault.asset_id, str(fault.fault), fault.onset_us))
            self._by_asset[fault.asset_id].append(fault if at_us is None else replace(fault, end_us=at_us))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def faults(self) -> tuple[PlantedFault, ...]:
        """Return every fault with the end that it has by now."""
        with self._lock:
            return tuple(sorted(fault for faults in self._by_asset.values() for fault in faults))

    def active(self, assets: Iterable[str], at_us: int) -> list[PlantedFault]:
        """Return what is wrong with any of these assets at `at_us`, µs UTC."""
        with self._lock:
            return [fault for asset in assets for fault in self._by_asset.get(asset, ()) if fault.active(at_us)]

    def mend(self, assets: Iterable[str], at_us: int) -> list[PlantedFault]:
        """End what is wrong with any of these assets at `at_us`; return it, as it was.

        Raises
        ------
        EngineError
            Disk full or broken; nothing was mended.
        """
        mended: list[PlantedFault] = []
        with self._lock:
            for asset in assets:
                found = [fault for fault in self._by_asset.get(asset, ()) if fault.active(at_us)]
                if not found:
                    continue
                self._save(found, at_us)
                self._by_asset[asset] = [
                    replace(fault, end_us=at_us) if fault in found else fault for fault in self._by_asset[asset]
                ]
                self._fresh.append((asset, at_us))
                mended += found
        return mended

    def fresh(self) -> list[tuple[str, int]]:
        """Return each (asset, µs UTC) mended since the last call: what the world does not know yet."""
        with self._lock:
            fresh, self._fresh = self._fresh, []
            return fresh

    def _save(self, found: Iterable[PlantedFault], at_us: int) -> None:
        rows = [
            {"asset_id": f.asset_id, "fault": str(f.fault), "onset_us": f.onset_us, "repaired_us": at_us} for f in found
        ]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(_SQL.add, rows)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as exc:
            raise EngineError(f"the simulator's file refused a repair ({exc}): make room on the disk") from exc
