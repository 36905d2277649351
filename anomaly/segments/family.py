"""The rules of feeders and cabinets as one family: their columns, what feeds them, and when they judge."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.family import Context, Family, Layout, Learnt, Rows, carry
from anomaly.segments import clock, kernels, parts, quiet, shape, switching, trips, voltage
from anomaly.segments.columns import Columns, Feeder
from anomaly.segments.layout import (
    CABINET,
    COUNT,
    FEEDER,
    LEARNT,
    LEARNT_CABINET,
    LEARNT_FEEDER,
    NOW,
    SAID,
    SILENT,
)
from anomaly.segments.shape import Shape
from anomaly.segments.switching import Turn, turn_of
from anomaly.segments.told import OPEN, PARTS
from city.alarm import CandidateKind, Census, Evidence, FaultClass, Scope, Suspicion
from city.clock import HOUR_US, MINUTE_US

_EMPTY: tuple[NDArray[np.void], NDArray[np.void]] = np.zeros(0, NOW), np.zeros(0, COUNT)
_CLOCK_AFTER_US = 3 * HOUR_US
"""After dusk, when even a clock that is far off has switched and the last controller has spoken."""
_CLOCK_INTERVAL_US = 2 * HOUR_US
"""Who speaks less often says nothing of minutes."""


class Segments(Family):
    """Feeders and cabinets of one partition: all below a cabinet is here."""

    name: ClassVar[str] = "segments"

    def __init__(self) -> None:
        self._columns = Columns()
        self._said: NDArray[np.void] = np.zeros(0, SAID)
        self._feeders: NDArray[np.void] = np.zeros(0, FEEDER)
        self._cabinets: NDArray[np.void] = np.zeros(0, CABINET)
        self._counted_at = 0
        self._told, self._counts = _EMPTY
        self._parts: dict[int, Shape] = {}
        self._unlikely: NDArray[np.float64] = np.zeros(0)

    # ------------------------------------------------------------ what is watched

    def lay_out(self, layout: Layout, at: int) -> list[Suspicion]:
        before, now = self._columns, Columns.of(layout)
        gone = self._withdrawn({f.scope.asset_id for f in now.feeders} | {c.asset_id for c in now.cabinets}, at)
        names = [feeder.scope.asset_id for feeder in before.feeders]
        self._feeders = carry(names, self._feeders, [feeder.scope.asset_id for feeder in now.feeders], FEEDER)
        names = [cabinet.asset_id for cabinet in before.cabinets]
        self._cabinets = carry(names, self._cabinets, [cabinet.asset_id for cabinet in now.cabinets], CABINET)
        self._said = carry(before.device_ids, self._said, now.device_ids, SAID)
        self._columns = now
        self._unlikely = np.array([shape.threshold(f.rules.outage_probability) for f in now.feeders])
        return gone

    def _withdrawn(self, there: set[str], at: int) -> list[Suspicion]:
        """Return the ends of what is open of what is gone: nobody could ever tell otherwise."""
        found: list[Suspicion] = []

        def close(fault: FaultClass, scope: Scope, since: int) -> None:
            if since and scope.asset_id not in there:
                evidence = Evidence("segment-withdrawn")
                found.append(Suspicion(CandidateKind.CLEAR, fault, scope, since, at, evidence, until=at))

        for row, feeder in zip(self._feeders, self._columns.feeders, strict=True):
            for name, fault in OPEN:
                close(fault, feeder.scope, int(row[name]))
            if row["part_since"]:
                close(PARTS[int(row["part_fault"])], feeder.scope, int(row["part_since"]))
        for row, scope in zip(self._cabinets, self._columns.cabinets, strict=True):
            close(FaultClass.CABINET_CLOCK_WRONG, scope, int(row["wrong_since"]))
        return found

    # ------------------------------------------------------------ readings and time

    def judge(self, rows: Rows, context: Context) -> list[Suspicion]:
        periods = context.periods
        kernels.hear(
            rows.device, rows.observed_at, rows.received_at, self._columns.channel_of[rows.series], rows.value,
            self._columns.lamps, self._said, periods.first, periods.on, periods.off,
        )  # fmt: skip
        return []

    def tick(self, now: int, context: Context) -> list[Suspicion]:
        if now // MINUTE_US <= self._counted_at // MINUTE_US or not self._columns.feeders:
            return []
        self._counted_at = now
        columns, periods = self._columns, context.periods
        limits = voltage.limits_of(self._feeders, [feeder.rules for feeder in columns.feeders], now)
        self._told, self._counts = np.zeros(len(self._said), NOW), np.zeros(len(columns.feeders), COUNT)
        kernels.gather(
            now, columns.lamps, self._said, limits, periods.first, periods.on, periods.off, context.deaf, self._told,
            self._counts,
        )  # fmt: skip
        first = periods.first.tolist()
        turns = [turn_of(periods.on[low:high], periods.off[low:high], now) for low, high in itertools.pairwise(first)]
        self._parts = self._find_parts(now, context.gaps["again"])
        return list(self._found(now, turns, context))

    def _found(self, now: int, turns: list[Turn], context: Context) -> Iterator[Suspicion]:
        parted = np.zeros(len(self._feeders), np.bool_)
        parted[self._columns.lamps["feeder"][self._said["part"] != 0]] = True
        parted[list(self._parts)] = True
        still = quiet.quiet(self._feeders, self._counts, parted, now)
        for number in np.flatnonzero(~still & (self._counts["known"] > 0)).tolist():
            feeder = self._columns.feeders[number]
            for suspicion in self._of_feeder(number, feeder, turns, now):
                yield replace(suspicion, interval_us=feeder.interval_us)
        for number, scope in enumerate(self._columns.cabinets):
            yield from self._clock(number, scope, turns, context, now)

    def _of_feeder(self, number: int, feeder: Feeder, turns: list[Turn], now: int) -> Iterator[Suspicion]:
        row, count = self._feeders[number], self._counts[number]
        yield from parts.judge(row, self._said, feeder, self._told, self._parts.get(number), now)
        yield from voltage.judge(row, count, feeder.scope, feeder.rules, now)
        yield from switching.judge(
            row, count, feeder.scope, feeder.rules, turns[feeder.schedule], self._confirmed(number, turns),
            self._together(number, turns), feeder.switched, feeder.interval_us, self._spoke_at(feeder, count), now,
        )  # fmt: skip
        yield from self._trips(number, feeder, now)

    def _spoke_at(self, feeder: Feeder, count: np.void) -> int:
        """Return when the last of as many lamps was heard as it takes to tell that a feeder is live, µs UTC."""
        needed = max(1, round(switching.MOST * int(count["known"])))
        if int(count["live"]) < needed:
            return int(count["heard_at"])
        return int(np.sort(self._said["heard_at"][feeder.rows])[-needed])

    def _confirmed(self, number: int, turns: list[Turn]) -> bool:
        """Tell whether a feeder beside it, switched in the same way, shows that the time is right."""
        feeder = self._columns.feeders[number]
        guard_us = feeder.rules.guard_s * 1_000_000
        return any(
            other != number
            and self._columns.feeders[other].switched == feeder.switched
            and switching.as_it_should(
                self._counts[other], turns[self._columns.feeders[other].schedule], feeder.switched, guard_us
            )
            for other in self._columns.beside[feeder.cabinet]
        )

    def _together(self, number: int, turns: list[Turn]) -> bool:
        """Tell whether all feeders of a cabinet that are always live do what its clock, if it is off, makes of them."""
        feeder = self._columns.feeders[number]
        if feeder.switched:
            return False
        live = [
            other
            for other in self._columns.beside[feeder.cabinet]
            if not self._columns.feeders[other].switched and self._counts[other]["powered"] >= switching.LAMPS_MIN
        ]
        return len(live) > 1 and all(
            switching.is_beside_the_hour(
                self._counts[other], feeder.rules, turns[self._columns.feeders[other].schedule]
            )
            for other in live
        )

    def _trips(self, number: int, feeder: Feeder, now: int) -> Iterator[Suspicion]:
        row, count = self._feeders[number], self._counts[number]
        lost_at = 0
        if count["gasped"] or 2 * int(count["missed"]) >= int(count["known"]):
            lamps = self._columns.lamps
            beside = self._columns.heard_by[int(lamps["gateway"][feeder.rows[0]])]
            others = beside[lamps["feeder"][beside] != number]
            back_us = 2 * int(np.maximum(lamps["interval_us"], self._said["interval_us"])[feeder.rows].max())
            counted = int((row["trips"] > now - trips.NIGHT_US).sum())
            lost_at = trips.loss_at(
                self._said[feeder.rows], self._said[others], now, back_us, int(row["trips"][-1]), counted
            )
        yield from trips.judge(row, lost_at, feeder.scope, feeder.rules, now)

    def _clock(self, number: int, scope: Scope, turns: list[Turn], context: Context, now: int) -> Iterator[Suspicion]:
        errors: dict[bool, list[clock.Error]] = {True: [], False: []}
        due, rules = (0, 0), None
        for f in self._columns.beside[number]:
            feeder = self._columns.feeders[f]
            turn = turns[feeder.schedule]
            if not turn.burning or turn.since_us < _CLOCK_AFTER_US or not len(feeder.rows):
                continue
            if turn.began_at <= int(self._cabinets[number]["judged_at"]):
                continue
            rows = feeder.rows
            # Field by field: whole rows of all lamps would be most of what a quiet minute takes.
            learnt_us = self._said["interval_us"][rows]
            interval_us = int(np.maximum(self._columns.lamps["interval_us"][rows], learnt_us).max())
            slept_due = _before(context, feeder.schedule, turn.began_at)
            if interval_us > _CLOCK_INTERVAL_US or not slept_due:
                continue
            due, rules = (slept_due, turn.began_at), feeder.rules
            error = clock.error_of(self._said["slept_at"][rows], self._said["woke_at"][rows], interval_us, *due)
            if error is not None:
                errors[feeder.switched].append(error)
        # A contactor is what the clock moves; lamps that always have supply may go by clocks of their own.
        error = clock.middle(errors[True] or errors[False])
        if error is not None and rules is not None:
            yield from clock.judge(self._cabinets[number], error, scope, rules, *due, now)

    # ------------------------------------------------------------ silence

    def _find_parts(self, now: int, again: NDArray[np.float64]) -> dict[int, Shape]:
        """Return what the silence of feeders looks like, where there is any."""
        columns = self._columns
        heard_at = np.zeros(len(columns.gateways), np.int64)
        hung = columns.lamps["feeder"] >= 0
        np.maximum.at(heard_at, columns.lamps["gateway"][hung], self._said["heard_at"][hung])
        told = self._told["state"] == SILENT
        weight = parts.chance(columns.lamps[told], self._said[told], again[told], self._told["missed"][told])
        unlikely = np.bincount(columns.lamps["feeder"][told], weight, len(columns.feeders))
        found = {}
        # Most of the time a few messages are lost here and there, and nothing else is the matter.
        for number in np.flatnonzero((self._counts["silent"] >= 2) & (unlikely > self._unlikely)).tolist():
            found[number] = parts.find(
                columns.feeders[number], columns.lamps, self._said, self._told, again, heard_at, now
            )
        return found

    def census(self, now: int, context: Context) -> list[Census]:
        if self._counted_at != now:
            return []
        periods = context.periods
        first = periods.first.tolist()
        turns = [turn_of(periods.on[low:high], periods.off[low:high], now) for low, high in itertools.pairwise(first)]
        return list(
            parts.census(
                self._columns,
                self._said,
                self._told,
                context.gaps["again"],
                self._counts,
                self._feeders,
                self._parts,
                turns,
                lambda number: self._confirmed(number, turns),
                lambda number: self._together(number, turns),
                context.links,
                now,
            )
        )

    # ------------------------------------------------------------ snapshot

    def learnt(self) -> list[Learnt]:
        columns, scopes = self._columns, [feeder.scope for feeder in self._columns.feeders]
        cabinets = columns.cabinets
        return [
            Learnt("controllers", self._said, columns.device_ids, columns.scopes, LEARNT),
            Learnt("feeders", self._feeders, [scope.asset_id for scope in scopes], scopes, LEARNT_FEEDER),
            Learnt("cabinets", self._cabinets, [one.asset_id for one in cabinets], cabinets, LEARNT_CABINET),
        ]

    def keep(self) -> list[NDArray[Any]]:
        counted_at = np.array([self._counted_at], np.int64)
        return [counted_at, self._said, self._feeders, self._cabinets]

    def restore(self, snapshot: bytes) -> None:
        self._counted_at = int.from_bytes(snapshot[:8], "little")
        cut = 8
        for name, dtype, rows in (
            ("_said", SAID, len(self._said)),
            ("_feeders", FEEDER, len(self._feeders)),
            ("_cabinets", CABINET, len(self._cabinets)),
        ):
            size = dtype.itemsize * rows
            setattr(self, name, np.frombuffer(snapshot[cut : cut + size], dtype).copy())
            cut += size


def _before(context: Context, schedule: int, began_at: int) -> int:
    """Return when the night before the one that began at `began_at` should have ended, µs UTC; 0: not known."""
    low, high = int(context.periods.first[schedule]), int(context.periods.first[schedule + 1])
    i = low + int(np.searchsorted(context.periods.on[low:high], began_at)) - 1
    return int(context.periods.off[i]) if i >= low else 0
