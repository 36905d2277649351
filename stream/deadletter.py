"""Dead letters, kept with their bytes and reason: `stream.letters` finds them, `stream.redelivery` sends them back."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from city.clock import hour_of, to_datetime
from city.errors import DataError
from city.topics import DEAD_LETTERS
from storage import queries
from storage.pool import Connection
from stream import codec, ledger
from stream.codec import DeadLetter
from stream.ledger import Entry, Tally, clean
from stream.letter_form import decode_letter
from stream.log import Record, TopicPartition
from stream.worker import Outcome

_SQL = queries.load(Path(__file__).with_name("deadletter.sql"))


class Kept(NamedTuple):
    """A letter and where it lies on the log."""

    offset: int
    letter: DeadLetter


@dataclass(frozen=True, slots=True)
class Effects:
    """What one poll brought for one partition."""

    entries: list[Entry]
    letters: list[Kept]


class DeadLetterStage:
    """Writes dead letters where they can be listed, and counts what they set aside.

    Parameters
    ----------
    log_identity : str
        `EventLog.identity`: letters are named by it, for the offsets of another log begin anew.
    """

    group = "dead-letters"
    topics = (DEAD_LETTERS,)
    code_version = "1"
    transactional = True

    def __init__(self, log_identity: str) -> None:
        self._log_identity = log_identity

    def open(self, source: TopicPartition, snapshot: bytes | None) -> None:
        """Return nothing: the truth is in the database."""

    def step(self, state: None, records: Sequence[Record]) -> Outcome:
        """Decode letters.

        Raises
        ------
        DataError
            A record that our own program wrote cannot be read.
        """
        effects = Effects([], [])
        for record in records:
            effects.entries.append(ledger.entry_of(record))
            if record.kind == codec.DEAD_LETTER:
                effects.letters.append(Kept(record.offset, decode_letter(record.value)))
        return Outcome(effects=effects)

    def snapshot(self, state: None) -> bytes | None:
        return None

    async def write(self, connection: Connection, effects: Mapping[TopicPartition, Effects]) -> None:
        """Keep letters and fold the ledger inside the caller's transaction."""
        tally = Tally()
        rows: list[dict[str, Any]] = []
        for source in sorted(effects):
            for entry in effects[source].entries:
                for count in entry.meta.counts:
                    tally.at(count.gateway_id, count.hour).quarantined += count.count
            rows.extend(_row(self._letter_id(source, kept.offset), kept.letter) for kept in effects[source].letters)
        if rows:
            async with connection.cursor() as cursor:
                await cursor.executemany(_SQL.keep, rows)
        entries = {source: effect.entries for source, effect in effects.items()}
        await ledger.take_appended(connection, tally, entries, {})
        await ledger.fold(connection, tally)

    def _letter_id(self, source: TopicPartition, offset: int) -> str:
        return f"{self._log_identity[:8]}-{source.partition}-{offset}"


def _row(letter_id: str, letter: DeadLetter) -> dict[str, Any]:
    try:
        payload = base64.b64decode(letter.payload, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise DataError(f"the payload of dead letter {letter_id} is not base64: {exc}") from exc
    return {
        "letter_id": letter_id,
        "reason": clean(letter.reason),
        "detail": clean(letter.detail),
        "topic": clean(letter.topic),
        "payload": payload,
        "gateway_id": clean(letter.gateway_id),
        "received_at": to_datetime(letter.received_at),
        "hour": to_datetime(hour_of(letter.received_at)),
        "units": letter.units,
        "only_readings": only_json(letter.only),
        "devices": [clean(name) for name in letter.devices],
        "retained": letter.retained,
    }


def only_json(only: Sequence[tuple[int, str]]) -> Jsonb:
    """Return the readings that a letter names as its row keeps them."""
    return Jsonb([[index, clean(metric)] for index, metric in only])
