"""Which of several processes hears which gateway, where a broker has no shared subscriptions.

The division is made once and written down: a gateway that is registered later stays with the first process, which has
heard it while nobody knew it. So no gateway changes hands while processes run, and none is heard twice or not at all.
"""

import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from city.errors import SettingsError
from city.topics import ROOT
from ingest.intake import TOPIC_END, TOPIC_START, Intake
from ingest.message import OWN_FILTERS
from storage import queries
from storage.pool import Pool, transaction

_SQL = queries.load(Path(__file__).with_suffix(".sql"))
_OWN = f"{ROOT}/".encode()

_TOPICS_MAX = 100_000
"""Remembered with the process to which each falls."""
_TOPIC_BYTES_MAX = 256
"""Longer topics are looked at anew each time: what is remembered stays within some tens of megabytes."""


class Split:
    """One of several processes among which gateways are divided by name."""

    def __init__(self, text: str) -> None:
        number, _, processes = text.partition("/")
        if not (number.isdecimal() and processes.isdecimal() and 1 <= int(number) <= int(processes) <= 64):
            raise SettingsError(f"CITYNERVE_MQTT_SPLIT is {text[:20]!r}: say 2/4 for the second of four processes")
        self.number, self.processes = int(number), int(processes)

    def falls_to(self, name: str) -> int:
        """Return the process to which a gateway, or a filter of an integration, falls; from 1."""
        return zlib.crc32(name.encode()) % self.processes + 1


class Division:
    """What one process hears.

    Parameters
    ----------
    given : mapping
        Gateway → the process that hears it; all others, also those that nobody knows, are heard by the first.

    Attributes
    ----------
    present : frozenset of int
        Processes that are subscribed, or were a moment ago. What falls to any other the first takes itself, rather
        twice than not at all: it comes to the other as well once that is back, if the broker kept its session.
    """

    def __init__(self, split: Split, given: Mapping[str, int]) -> None:
        self.split = split
        self.present: frozenset[int] = frozenset()
        self._given = {gateway: number for gateway, number in given.items() if number != 1}
        self._first = split.number == 1
        self._falls: dict[bytes, int] = {}

    def filters(self, gateways: Iterable[str], foreign: Iterable[str]) -> tuple[list[str], list[str]]:
        """Return what this process listens to, and what an earlier session, divided otherwise, may have listened to."""
        mine: list[str] = [*OWN_FILTERS] if self._first else []
        others: list[str] = [] if self._first else [*OWN_FILTERS]
        for gateway in dict.fromkeys([*self._given, *gateways]):
            hears = not self._first and self._given.get(gateway, 1) == self.split.number
            (mine if hears else others).append(f"{ROOT}/{gateway}/+")
        for name in foreign:
            (mine if self.split.falls_to(name) == self.split.number else others).append(name)
        return mine, others

    def ours(self, intake: Intake) -> Intake:
        """Return the messages that are for this process: the first one hears those of the others as well."""
        others = self.present - {1}
        if not self._first or not self._given or not others:
            return intake
        if len(self._falls) > _TOPICS_MAX:
            self._falls.clear()
        falls, data = self._falls, intake.data
        numbers = []
        for start, end in intake.frames[:, [TOPIC_START, TOPIC_END]].tolist():
            topic = data[start:end]
            number = falls.get(topic)
            if number is None:
                number = self._falls_to(topic)
                if end - start <= _TOPIC_BYTES_MAX:
                    falls[topic] = number
            numbers.append(number)
        return intake.select(~np.isin(np.array(numbers, np.int64), list(others)))

    def _falls_to(self, topic: bytes) -> int:
        """Return the process to which a topic falls; all but those of given gateways to the first."""
        if not topic.startswith(_OWN):
            return 1
        return self._given.get(topic[len(_OWN) :].partition(b"/")[0].decode(errors="replace"), 1)


async def settle(pool: Pool, split: Split) -> Division:
    """Return the division among so many processes; it is made, and written down, when the first of them asks.

    Raises
    ------
    EngineError
        The database did not answer.
    """
    async with transaction(pool) as connection:
        cursor = await connection.execute(_SQL.begin, {"processes": split.processes})
        if await cursor.fetchone() is not None:
            rows = await (await connection.execute(_SQL.gateways)).fetchall()
            names = [gateway for (gateway,) in rows]
            values = {"gateways": names, "numbers": [split.falls_to(name) for name in names]}
            await connection.execute(_SQL.give, {"processes": split.processes, **values})
        given = await (await connection.execute(_SQL.given, {"processes": split.processes})).fetchall()
    return Division(split, dict(given))
