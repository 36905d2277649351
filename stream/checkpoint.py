"""Checkpoints: state, offset and generation in one row. They are the truth; offsets committed to the log show lag."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from city.errors import FencedError, SettingsError
from storage import queries
from storage.pool import Connection
from stream.log import TopicPartition

_SQL = queries.load(Path(__file__).with_name("checkpoint.sql"))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a worker has of one partition when it takes it over."""

    generation: int
    next_offset: int
    state: bytes | None


async def without(connection: Connection, group: str, sources: Sequence[TopicPartition]) -> list[TopicPartition]:
    """Return the partitions of which a group has no checkpoint: it never worked on them, or forgot them."""
    known = {
        TopicPartition(topic, partition)
        for topic, partition in await (await connection.execute(_SQL.known, {"group": group})).fetchall()
    }
    return [source for source in sources if source not in known]


async def claim(
    connection: Connection,
    group: str,
    source: TopicPartition,
    *,
    first_offset: int,
    log_identity: str,
    code_version: str,
) -> Checkpoint:
    """Own a partition from now on; the owner before is fenced.

    Parameters
    ----------
    first_offset : int
        Where a group begins that never worked on the partition: the first record that the log still has.

    Raises
    ------
    SettingsError
        The checkpoint belongs to another log, or its state to another version of the code.
    """
    row = await (
        await connection.execute(
            _SQL.claim,
            {
                "group": group,
                "topic": source.topic,
                "partition": source.partition,
                "first_offset": first_offset,
                "log_identity": log_identity,
                "code_version": code_version,
            },
        )
    ).fetchone()
    assert row is not None
    generation, next_offset, saved_identity, saved_version, state = row
    if saved_identity != log_identity:
        raise SettingsError(
            f"{group}'s checkpoint of {source.topic}/{source.partition} belongs to log {saved_identity}, this log is"
            f" {log_identity}: point the settings at the old log, or run `citynerve log adopt` to go on with this one"
        )
    if state is not None and saved_version != code_version:
        raise SettingsError(
            f"{group}'s state of {source.topic}/{source.partition} was saved by version {saved_version}, this program"
            f" reads {code_version}: run that version, or `citynerve log rebuild {group}` to compute it anew"
        )
    return Checkpoint(generation, next_offset, None if state is None else bytes(state))


async def save(
    connection: Connection,
    group: str,
    source: TopicPartition,
    checkpoint: Checkpoint,
    *,
    log_identity: str,
    code_version: str,
) -> None:
    """Save inside the caller's transaction; holds the row until it ends.

    Raises
    ------
    FencedError
        A newer generation owns the partition; nothing of the transaction may be committed.
    """
    cursor = await connection.execute(
        _SQL.save,
        {
            "group": group,
            "topic": source.topic,
            "partition": source.partition,
            "generation": checkpoint.generation,
            "next_offset": checkpoint.next_offset,
            "state": checkpoint.state,
            "log_identity": log_identity,
            "code_version": code_version,
        },
    )
    if cursor.rowcount != 1:
        raise FencedError(f"{source.topic}/{source.partition} belongs to a newer member of {group}")


async def adopt(connection: Connection, log_identity: str) -> int:
    """Let all checkpoints go on with another log from its first record; return how many did."""
    adopted = (await connection.execute(_SQL.adopt, {"log_identity": log_identity})).rowcount
    if adopted:
        await connection.execute(_SQL.restart_ledger)
    return adopted


async def forget(connection: Connection, group: str) -> int:
    """Drop a group's states, so that it starts at the first record; return how many there were."""
    return (await connection.execute(_SQL.forget, {"group": group})).rowcount
