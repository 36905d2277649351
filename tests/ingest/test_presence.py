"""What falls to a process that does not listen is taken by the first: nobody acknowledges what none appends."""

import asyncio
from types import SimpleNamespace
from typing import Any

import psycopg

from city.topics import readings_topic
from ingest.division import Division, Split, settle
from ingest.intake import Intake
from ingest.message import Message
from ingest.metrics import IngestMetrics
from ingest.presence import Presence
from storage.pool import open_pool

FLUSH = Intake.of([Message(readings_topic(f"G-{number}"), b"{}", 1, number, 1) for number in (1, 2, 3, 9)])


def kept(division: Division) -> list[str]:
    return [message.topic.split("/")[2] for message in division.ours(FLUSH).single()]


def test_the_first_leaves_to_others_only_what_falls_to_those_that_listen() -> None:
    division = Division(Split("1/3"), {"G-1": 1, "G-2": 2, "G-3": 3})
    assert kept(division) == ["G-1", "G-2", "G-3", "G-9"]
    division.present = frozenset({1, 3})
    assert kept(division) == ["G-1", "G-2", "G-9"]
    division.present = frozenset({1, 2, 3})
    assert kept(division) == ["G-1", "G-9"]
    division.present = frozenset({1})
    assert kept(division) == ["G-1", "G-2", "G-3", "G-9"], "both have gone"


def test_what_is_remembered_of_topics_is_bounded_however_long_they_are() -> None:
    division = Division(Split("1/3"), {"G-2": 2})
    division.present = frozenset({1, 2, 3})
    for turn in range(20):
        topics = [f"citynerve/v1/G-{2 + number % 2}/{turn}-{number}-" + "x" * 60_000 for number in range(30)]
        flush = Intake.of([Message(topic, b"{}", 1, 1, 1) for topic in topics])
        assert len(division.ours(flush)) == 15
    assert sum(len(topic) for topic in division._falls) < 100_000


def test_a_process_counts_as_there_once_it_is_subscribed_and_until_it_has_not_told_for_long(database_url: str) -> None:
    def source(*, listening: bool) -> Any:
        return SimpleNamespace(listening=listening)

    async def main() -> None:
        pool = await open_pool(database_url)
        first, second = [await settle(pool, Split(f"{number}/2")) for number in (1, 2)]
        metrics = IngestMetrics()
        ours = Presence(pool, first, source(listening=True), metrics)
        missing = metrics.missing_processes._value.get
        await ours.look()
        assert (first.present, missing()) == ({1}, 1), "the second was never started"
        await Presence(pool, second, source(listening=False), IngestMetrics()).look()
        await ours.look()
        assert first.present == {1}, "it has started and is not subscribed"
        await Presence(pool, second, source(listening=True), IngestMetrics()).look()
        await ours.look()
        assert (first.present, missing()) == ({1, 2}, 0)
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE split_processes SET listening_at = now() - interval '31 s' WHERE number = 2")
        await ours.look()
        assert (first.present, missing()) == ({1}, 1), "it has gone"
        await pool.close()

    asyncio.run(main())
