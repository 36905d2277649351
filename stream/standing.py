"""How far each worker has read the log, told from outside: by its checkpoints, whichever process it runs in."""

from pathlib import Path
from typing import NamedTuple

from city.topics import PARTITIONS
from storage import queries
from storage.pool import Pool, fetch_all
from stream.log import EventLog

_SQL = queries.load(Path(__file__).with_suffix(".sql"))
STUCK_S = 120.0
"""A worker that has records before it and has saved nothing for so long does not get on."""


class Standing(NamedTuple):
    """A group of workers.

    Attributes
    ----------
    partitions : int
        With a checkpoint.
    behind : int
        Records of the log that it has yet to read.
    stuck : bool
        Some partition has records before it, and no checkpoint of the last two minutes.
    """

    group: str
    partitions: int
    behind: int
    stuck: bool


async def read_standings(pool: Pool, log: EventLog) -> list[Standing]:
    """Return every group that ever saved a checkpoint.

    Raises
    ------
    EngineError
        Database or log do not answer.
    """
    ends = {topic: await log.bounds(topic) for topic in PARTITIONS}
    found: dict[str, Standing] = {}
    for group, topic, partition, next_offset, age_s in await fetch_all(pool, _SQL.checkpoints):
        known = found.get(group, Standing(group, 0, 0, False))
        behind = max(0, ends[topic][partition].end - next_offset)
        stuck = known.stuck or (behind > 0 and age_s > STUCK_S)
        found[group] = Standing(group, known.partitions + 1, known.behind + behind, stuck)
    return list(found.values())
