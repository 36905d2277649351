"""The registry onto the log: detection learns each cabinet and facility whole, in the order of its readings."""

from collections.abc import Collection
from pathlib import Path

from city.asset import shard_of
from city.errors import SettingsError
from city.registry import RootDefinition
from city.topics import READINGS
from storage import queries
from storage.pool import Pool, transaction
from stream import codec
from stream.lock import hold_registry
from stream.log import Append, EventLog
from stream.registry import installation_of, load_roots

_SQL = queries.load(Path(__file__).with_suffix(".sql"))
_APPEND_TOGETHER = 32
"""Root definitions in one append: a city of thousands of cabinets is not held in memory as one request."""


async def publish(
    pool: Pool,
    log: EventLog,
    at_us: int,
    *,
    renew_before_us: int = 0,
    changed: tuple[int, Collection[str]] | None = None,
) -> int:
    """Append one ``registry`` record per root to its partition of `readings`, where the log lacks the newest version.

    Any number of processes may call it at once; one of them appends. A crash between the append and its note makes
    the next call append again, which changes nothing for the readers.

    Parameters
    ----------
    at_us : int
        City time, µs UTC.
    renew_before_us : int
        Append all again if that was last done before, µs UTC: retention is about to take the old records away.
    changed : (int, collection of str), optional
        The registry's version and the only roots that differ from the version before; where the log knows that one,
        they are all that is appended.

    Returns
    -------
    int
        Records appended.

    Raises
    ------
    SettingsError
        Nothing was imported yet, or a root has too many devices for one record.
    EngineError
        Database or log did not answer.
    """
    async with transaction(pool) as connection:
        await hold_registry(connection)
        standing = await installation_of(connection)
        known = standing.published >= standing.version and standing.log_identity == log.identity
        if known and standing.published_at_us >= renew_before_us:
            return 0
        partitions = dict(await (await connection.execute(_SQL.partitions)).fetchall())
        only, told_at_us = None, at_us
        before_known = standing.log_identity == log.identity and standing.published_at_us >= renew_before_us
        if changed is not None and before_known and (standing.version, standing.published + 1) == (changed[0],) * 2:
            only, told_at_us = changed[1], standing.published_at_us
        records = [_record(root, partitions, log, at_us) for root in await load_roots(connection, only, at_us)]
        for start in range(0, len(records), _APPEND_TOGETHER):
            await log.append(records[start : start + _APPEND_TOGETHER])
        note = {"version": standing.version, "at_us": told_at_us, "log_identity": log.identity}
        await connection.execute(_SQL.published, note)
    return len(records)


def _record(root: RootDefinition, partitions: dict[int, int], log: EventLog, at_us: int) -> Append:
    value = codec.encode(root)
    if len(value) > log.max_record_bytes:
        raise SettingsError(
            f"{root.root_id} has {len(root.devices)} devices, which makes a record of {len(value)} bytes; the log takes"
            f" {log.max_record_bytes}: split it in the city pack, or raise the log's record limit"
        )
    return Append(READINGS, partitions[shard_of(root.root_id)], codec.REGISTRY, value, at_us)
