"""Dead letters sent back into the log once the cause is mended.

A replay is planned in one transaction, which fixes what goes where, and then appended. Killed in between, it is
appended at the next replay or start; appended twice, the store takes the first record of each portion only.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from city.clock import from_datetime, to_datetime
from city.reading import ReadingBatch
from storage import queries
from storage.pool import Connection, Pool, transaction
from stream.codec import DeadLetter, GatewayCount, NumberRange, RecordMeta, Replayed
from stream.deadletter import only_json
from stream.ledger import Tally, clean, fold
from stream.letters import LetterState, letter_of, states_of
from stream.log import EventLog
from stream.pieces import pieces
from stream.planned import Portion, send_planned, write_portion

_SQL = queries.load(Path(__file__).with_name("redelivery.sql"))
_LETTERS_A_TRANSACTION = 50


@dataclass(frozen=True, slots=True)
class Resolution:
    """What today's registry and formats make of a letter.

    Attributes
    ----------
    readings : mapping
        Rows by partition of `readings`, with `received_at` of the letter.
    still_bad : tuple of (int, str)
        Position of the object and metric of each reading that stays; empty with no readings either means all of it. Of
        a bundle as `DeadLetter.only` says.
    reason, detail : str
        Why it stays; unused where nothing does.
    devices : tuple of str or None
        Names of the devices for which it waits; None: those that were told before.
    numbers : tuple of (str, int, int)
        Epoch, first and last of the message numbers: who set the letter aside may not have read them.
    left_out : int
        Values that the device's profile of today ignores: they wait for nothing more.
    messages : int, optional
        Of a bundle, whose units are messages: how many were read whole.
    """

    readings: Mapping[int, ReadingBatch]
    still_bad: tuple[tuple[int, str], ...] = ()
    reason: str = ""
    detail: str = ""
    devices: tuple[str, ...] | None = ()
    numbers: tuple[tuple[str, int, int], ...] = ()
    left_out: int = 0
    messages: int | None = None


Resolve = Callable[[DeadLetter], Resolution]
"""A pure function: ingest's parsing and look-up, on the bytes of the letter and only the readings that it names."""


class Outcome(StrEnum):
    """What became of one letter in a replay."""

    SENT_BACK = "sent-back"
    PARTLY = "partly"
    STAYS = "stays"
    DONE = "done"
    NOT_WANTED = "not-wanted"
    UNKNOWN = "unknown"


_UNTOUCHED = {LetterState.DONE: Outcome.DONE, LetterState.NOT_WANTED: Outcome.NOT_WANTED}


class LetterResult(NamedTuple):
    """One letter after a replay: readings that went back into the log, and why what is left stays."""

    letter_id: str
    outcome: Outcome
    readings: int = 0
    reason: str = ""
    detail: str = ""


@dataclass(slots=True)
class ReplayReport:
    """What a replay did: letters looked at, readings sent back, letters of which something stays; and each of them."""

    letters: int = 0
    readings: int = 0
    still_bad: int = 0
    results: list[LetterResult] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Replayer:
    """Who replays, and when: city time, µs UTC."""

    at_us: int
    actor: str = "operator"


async def replay(
    pool: Pool, log: EventLog, letter_ids: Sequence[str], resolve: Resolve, *, at_us: int, actor: str = "operator"
) -> ReplayReport:
    """Send back what can be understood now; the rest stays, with today's reason. Again has no effect.

    Parameters
    ----------
    letter_ids : sequence of str
        From `list_letters`; letters that are done already, not wanted or unknown are passed over and told.
    resolve : callable
        Called in another thread: large messages would hold up everything else.
    at_us : int
        City time, µs UTC.
    actor : str
        Who does it, for the letters' history: a role.
    """
    report = ReplayReport()
    by = Replayer(at_us, actor)
    await send_planned(pool, log)
    wanted = list(dict.fromkeys(letter_ids))
    for start in range(0, len(wanted), _LETTERS_A_TRANSACTION):
        chosen = wanted[start : start + _LETTERS_A_TRANSACTION]
        async with transaction(pool) as connection:
            held = [
                _held(row) for row in await (await connection.execute(_SQL.hold, {"letter_ids": chosen})).fetchall()
            ]
            resolutions = await asyncio.to_thread(lambda found: [resolve(one.letter) for one in found], held)
            results = {
                one.letter_id: await _plan(connection, one, resolution, by, log.max_record_bytes // 2)
                for one, resolution in zip(held, resolutions, strict=True)
            }
            states = await states_of(connection, [letter_id for letter_id in chosen if letter_id not in results])
            # Of a letter that stays no record goes to the log that could say that its message came.
            staying = Tally()
            for one, resolution in zip(held, resolutions, strict=True):
                if results[one.letter_id].outcome is Outcome.STAYS:
                    staying.numbers += _ranges(one, resolution)
            await fold(connection, staying)
        for letter_id in chosen:
            state = states.get(letter_id)
            untouched = _UNTOUCHED.get(state, Outcome.UNKNOWN) if state else Outcome.UNKNOWN
            _count(report, results.get(letter_id) or LetterResult(letter_id, untouched))
        await send_planned(pool, log)
    return report


def _count(report: ReplayReport, result: LetterResult) -> None:
    report.results.append(result)
    if result.outcome in (Outcome.SENT_BACK, Outcome.PARTLY, Outcome.STAYS):
        report.letters += 1
        report.readings += result.readings
        report.still_bad += result.outcome is not Outcome.SENT_BACK


class _Held(NamedTuple):
    letter_id: str
    letter: DeadLetter
    hour: int
    portion: int
    open_units: int


def _held(row: Sequence[Any]) -> _Held:
    letter, (hour, portion, sent_back) = letter_of(row[1:10]), row[10:]
    return _Held(row[0], letter, from_datetime(hour), portion, letter.units - sent_back)


async def _plan(connection: Connection, held: _Held, resolution: Resolution, by: Replayer, limit: int) -> LetterResult:
    """Fix what goes where, so that a repeat after a crash brings the very same portions, each at most `limit` bytes."""
    going = {partition: batch for partition, batch in resolution.readings.items() if len(batch)}
    count = sum(len(batch) for batch in going.values())
    # A unit is a reading, or an unreadable message of which anything may come, or a message of a bundle: that stays as
    # long as anything of it does. None of them may leave the quarantine for nothing.
    bundle = resolution.messages is not None
    staying = len({place for place, _ in resolution.still_bad}) if bundle else len(resolution.still_bad)
    settles = max(0, held.open_units - staying)
    fewer = not bundle and settles > count + resolution.left_out
    stays = bool(resolution.reason) and not resolution.still_bad
    verdict = {
        "letter_id": held.letter_id,
        "reason": clean(resolution.reason or held.letter.reason),
        "detail": clean(resolution.detail or held.letter.detail),
        "replayed_at": to_datetime(by.at_us),
        "actor": by.actor,
        "devices": None if resolution.devices is None else [clean(name) for name in resolution.devices],
    }
    if stays or fewer:
        if fewer and not stays:
            verdict["detail"] = f"only {count} of {held.open_units} readings set aside were found in the message again"
        await connection.execute(_SQL.still_bad, verdict)
        if (verdict["reason"], verdict["detail"]) != (held.letter.reason, held.letter.detail):
            # The same again is counted, not told: a letter may be tried a thousand times.
            await connection.execute(_SQL.note, {**verdict, "kind": "stays", "readings": 0})
        return LetterResult(held.letter_id, Outcome.STAYS, 0, str(verdict["reason"]), str(verdict["detail"]))
    portions = await _plan_portions(connection, held, going, settles, _ranges(held, resolution), by.at_us, limit)
    only = only_json(resolution.still_bad)
    await connection.execute(_SQL.planned, {**verdict, "settles": settles, "only_readings": only, "portions": portions})
    left = bool(resolution.still_bad)
    told = {"reason": verdict["reason"] if left else "", "detail": verdict["detail"] if left else ""}
    await connection.execute(_SQL.note, {**verdict, **told, "kind": "sent-back", "readings": count})
    outcome = Outcome.PARTLY if left else Outcome.SENT_BACK
    return LetterResult(held.letter_id, outcome, count, str(told["reason"]), str(told["detail"]))


def _ranges(held: _Held, resolution: Resolution) -> tuple[NumberRange, ...]:
    gateway_id, hour = held.letter.gateway_id, held.hour
    return tuple(NumberRange(gateway_id, epoch, first, last, hour) for epoch, first, last in resolution.numbers)


async def _plan_portions(
    connection: Connection,
    held: _Held,
    going: Mapping[int, ReadingBatch],
    settles: int,
    ranges: tuple[NumberRange, ...],
    at_us: int,
    limit: int,
) -> int:
    """Write down the records of one replay; return how many portions they take of the letter's count."""
    letter, unsettled = held.letter, settles
    # Where nothing is left to store, a record says that it waits for nothing more.
    planned = [
        (partition, number, batch, value)
        for partition, whole in (sorted(going.items()) or [(0, ReadingBatch.empty())])
        for number, (batch, value) in enumerate(pieces(whole, limit))
    ]
    for place, (partition, number, batch, value) in enumerate(planned):
        part = unsettled if place == len(planned) - 1 else min(unsettled, len(batch))
        unsettled -= part
        replayed = Replayed(held.letter_id, letter.gateway_id, held.hour, part, held.portion + number)
        meta = RecordMeta((GatewayCount(letter.gateway_id, held.hour, len(batch)),), ranges, replayed)
        ranges = ()
        await write_portion(connection, Portion(replayed, partition, value, meta, at_us))
    return 1 + max(number for _, number, _, _ in planned)
