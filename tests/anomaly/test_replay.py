"""Replay from a real log: the same alarms, whatever else happens on it, and little in memory."""

import asyncio
from dataclasses import replace
from itertools import zip_longest

import pytest

from anomaly import replay as replaying
from anomaly.correlate import CorrelatorState
from city.alarm import AlarmEvent
from city.clock import MINUTE_US
from city.topics import ALARMS, CANDIDATES, READINGS
from stream import codec
from stream.codec import Tick
from stream.log import Append, EventLog
from stream.logs.postgres import open_postgres_log
from tests.anomaly.test_detector import behave_badly
from tests.anomaly.world import Town, correlate, detect


async def fill(log: EventLog, town: Town) -> list[bytes]:
    """Put a night on the log with all that was decided; return the alarms."""
    await log.create_topics({READINGS: 2, CANDIDATES: 1, ALARMS: 1})
    both = zip_longest(*town.records.values())
    appends = [Append(READINGS, r.partition, r.kind, r.value, r.at_us) for pair in both for r in pair if r is not None]
    for start in range(0, len(appends), 200):
        await log.append(appends[start : start + 200])
    decided = correlate([a for records in town.records.values() for a in detect(records)[1]])[1]
    await log.append([Append(ALARMS, 0, codec.ALARM, value, 1) for value in decided])
    return decided


def test_a_replay_makes_every_decision_again(database_url: str) -> None:
    async def main() -> None:
        log = await open_postgres_log(database_url)
        decided = await fill(log, behave_badly(3))
        steps: list[tuple[int, int]] = []
        report = await replaying.replay(log, lambda done, total: steps.append((done, total)))
        assert report.identical
        assert report.same == len(decided) == len(report.events) > 0
        assert steps[-1][0] == steps[-1][1]
        await log.close()

    asyncio.run(main())


def test_a_replay_tells_what_differs_and_leaves_out_what_is_decided_later(database_url: str) -> None:
    async def main() -> None:
        log = await open_postgres_log(database_url)
        decided = await fill(log, behave_badly(3))
        event = codec.decode(AlarmEvent, decided[0])
        invented = replace(event, alarm_id="f" * 24)
        future = replace(event, at=event.at + 10**15)
        await log.append([Append(ALARMS, 0, codec.ALARM, codec.encode(one), 1) for one in (invented, future)])
        report = await replaying.replay(log)
        assert report.only_recorded == (invented.event_id,)
        assert report.only_replayed == ()
        await log.close()

    asyncio.run(main())


def test_a_replay_holds_back_no_more_than_one_partition_is_ahead(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[int] = []
    hear = CorrelatorState.hear

    def watched(self: CorrelatorState, batch: object) -> list[AlarmEvent]:
        events = hear(self, batch)  # type: ignore[arg-type]
        waiting.append(sum(len(queue) for queue in self.waiting.values()))
        return events

    monkeypatch.setattr(CorrelatorState, "hear", watched)

    async def main() -> None:
        log = await open_postgres_log(database_url)
        await fill(log, Town(hours=48))
        waiting.clear()
        await replaying.replay(log)
        assert max(waiting) <= 500
        await log.close()

    asyncio.run(main())


def test_a_replay_of_many_partitions_takes_none_of_them_for_hanging(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        log = await open_postgres_log(database_url)
        await log.create_topics({READINGS: 12, CANDIDATES: 1, ALARMS: 1})
        for partition in range(12):
            times = range(MINUTE_US, 600 * MINUTE_US, MINUTE_US)
            ticks = [(at, codec.encode(Tick(at, MINUTE_US))) for at in times]
            await log.append([Append(READINGS, partition, codec.TICK, value, at) for at, value in ticks])
        assert (await replaying.replay(log)).identical
        await log.close()

    asyncio.run(main())
    assert not [record for record in caplog.records if "no alarm is decided" in record.getMessage()]
