"""Two detection workers share the partitions of Apache Kafka and are killed again and again: the alarms are the same.

Nothing that an undisturbed run says is lost, and nothing has effect twice: neither candidates and alarms on the log,
nor alarms and tickets in the database.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from anomaly.correlate import CorrelateStage
from anomaly.detector import DetectStage
from city.alarm import AlarmEvent, AlarmEventKind, CandidateBatch
from city.topics import ALARMS, CANDIDATES, READINGS, TICKETS
from stream import codec
from stream.log import Append, Record, TopicPartition
from stream.logs.kafka import KafkaLog, KafkaLogOptions, open_kafka_log
from tests.anomaly.test_detector import behave_badly
from tests.anomaly.world import root
from tests.app.world import called
from tests.e2e.processes import ROOT

pytestmark = [pytest.mark.alone, pytest.mark.timeout(900)]

SEED = int(os.environ.get("CITYNERVE_TEST_MOVES_SEED", "5"))
KILLS = int(os.environ.get("CITYNERVE_TEST_MOVES_KILLS", "6"))
PARTITIONS = 6
TOPICS = {READINGS: PARTITIONS, CANDIDATES: 2, ALARMS: 1, TICKETS: 1}
PREFIX = "moves."
Said = set[tuple[int, bytes]]
FED_AT_ONCE = 30
PAUSE_S = (0.3, 6.0)
"""Between deaths: shorter than a member needs to come back, or longer."""


def readings(seed: int) -> list[list[Append]]:
    """One cabinet a partition for sixteen hours; faults drawn from the seed befall four lamps and a feeder of two."""
    town = behave_badly(seed)
    return [
        [Append(READINGS, number, kind, value, at) for kind, value, at in town._appends(root(number))]
        for number in range(PARTITIONS)
    ]


def undisturbed(partitions: Sequence[Sequence[Append]]) -> tuple[Said, set[bytes]]:
    """Return the candidates, with their partitions, and the alarms' events of one run without a pause."""
    said: list[list[Append]] = []
    for number, appends in enumerate(partitions):
        stage = DetectStage(TOPICS[CANDIDATES])
        state = stage.open(TopicPartition(READINGS, number), None)
        records = [Record(READINGS, number, n, a.kind, a.value, a.at_us) for n, a in enumerate(appends)]
        said.append(stage.step(state, records).appends)
    decided: set[bytes] = set()
    for partition in range(TOPICS[CANDIDATES]):
        stage = CorrelateStage(PARTITIONS, 1, candidate_partitions=TOPICS[CANDIDATES])
        seen = stage.open(TopicPartition(CANDIDATES, partition), None)
        heard = [a for some in said for a in some if a.partition == partition]
        records = [Record(CANDIDATES, partition, n, a.kind, a.value, a.at_us) for n, a in enumerate(heard)]
        decided |= {a.value for a in stage.step(seen, records).appends}
    return {(a.partition, a.value) for some in said for a in some}, decided


class Member:
    """A process that takes part in all groups."""

    def __init__(self, name: str, arguments: Sequence[str], folder: Path) -> None:
        self._command = [sys.executable, "-m", "tests.faults.detecting", *arguments]
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=log, stderr=log)

    def kill(self) -> None:
        assert self._process is not None
        assert self._process.poll() is None, f"it ended by itself:\n{self.log.read_text()[-3000:]}"
        self._process.kill()
        self._process.wait()

    def leave(self) -> None:
        """End it as an update does: with a word to the group."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Feed(threading.Thread):
    """Appends what happens in the city, partition beside partition, until told to bring the rest at once."""

    def __init__(self, bootstrap: str, appends: Sequence[Append], over_s: float) -> None:
        super().__init__()
        self._kafka, self._appends = bootstrap, appends
        self._pause_s = over_s * FED_AT_ONCE / len(appends)
        self.hurry = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._feed())
        except BaseException as exc:  # noqa: BLE001, it is raised in the test
            self.error = exc

    async def _feed(self) -> None:
        log = await open_kafka_log(self._kafka, KafkaLogOptions(prefix=PREFIX))
        for start in range(0, len(self._appends), FED_AT_ONCE):
            await log.append(self._appends[start : start + FED_AT_ONCE])
            if not self.hurry.is_set():
                await asyncio.sleep(self._pause_s)
        await log.close()


async def whole(log: KafkaLog, topic: str) -> list[tuple[int, bytes]]:
    """Return all records of a topic, with their partitions."""
    values: list[tuple[int, bytes]] = []
    for partition, (begin, end) in (await log.bounds(topic)).items():
        offset = begin
        while offset < end:
            records = await log.read(TopicPartition(topic, partition), offset, max_records=500)
            values += [(partition, record.value) for record in records]
            offset = records[-1].offset + 1
    return values


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()  # type: ignore[arg-type]


async def prepare(bootstrap: str) -> None:
    log = await open_kafka_log(bootstrap, KafkaLogOptions(prefix=PREFIX))
    await log.create_topics(TOPICS)
    await log.close()


async def ends(bootstrap: str) -> dict[str, int]:
    log = await open_kafka_log(bootstrap, KafkaLogOptions(prefix=PREFIX))
    found = {topic: sum(bounds.end for bounds in (await log.bounds(topic)).values()) for topic in TOPICS}
    await log.close()
    return found


def wait_until_all_is_done(bootstrap: str, url: str, members: Sequence[Member], timeout_s: float = 240.0) -> None:
    deadline = time.monotonic() + timeout_s
    wanted: dict[str, int] = {}
    stood = -1
    while True:
        done = dict(rows(url, "SELECT topic, sum(next_offset)::int FROM checkpoints GROUP BY topic"))
        wanted = asyncio.run(ends(bootstrap))
        if all(done.get(topic, 0) == wanted[topic] for topic in (READINGS, CANDIDATES, ALARMS)):
            # Whoever says it again after a death may do so a moment later.
            if stood == wanted[CANDIDATES] + wanted[ALARMS]:
                return
            stood = wanted[CANDIDATES] + wanted[ALARMS]
        words = "\n".join(member.log.read_text()[-2000:] for member in members)
        assert time.monotonic() < deadline, f"{done} of {wanted}\n{words}"
        time.sleep(1.0)


def disturb(members: Sequence[Member], chance: random.Random) -> None:
    """Kill one member or the other at any moment; one of them leaves in good order once, and comes back."""
    for number in range(KILLS):
        time.sleep(chance.uniform(*PAUSE_S))
        member = members[number] if number < len(members) else chance.choice(members)
        if number == KILLS // 2:
            member.leave()
        else:
            member.kill()
        time.sleep(chance.choice([0.0, 0.0, 2.0]))
        member.start()


def test_alarms_are_those_of_an_undisturbed_run_while_members_are_killed(
    tmp_path: Path, database_url: str, kafka: str
) -> None:
    partitions = readings(SEED)
    candidates, alarms = undisturbed(partitions)
    assert len({codec.decode(AlarmEvent, a).alarm_id for a in alarms}) > 4
    beside = [append for moment in zip(*partitions, strict=True) for append in moment]
    asyncio.run(prepare(kafka))
    arguments = ["--url", database_url, "--bootstrap", kafka, "--prefix", PREFIX, "--data", str(tmp_path)]
    members = [Member(name, arguments, tmp_path) for name in ("one", "other")]
    feed = Feed(kafka, beside, over_s=KILLS * 8.0)
    try:
        for member in members:
            member.start()
        feed.start()
        deadline = time.monotonic() + 120
        while not rows(database_url, "SELECT 1 FROM checkpoints WHERE state IS NOT NULL"):
            assert time.monotonic() < deadline, members[0].log.read_text()[-3000:]
            time.sleep(0.2)
        disturb(members, random.Random(SEED))
        feed.hurry.set()
        feed.join()
        assert feed.error is None, feed.error
        wait_until_all_is_done(kafka, database_url, members)
    finally:
        feed.hurry.set()
        for member in members:
            member.leave()
    asyncio.run(assert_nothing_lost_or_doubled(kafka, candidates, alarms))
    assert_a_replay_makes_the_same(kafka, database_url, tmp_path, len(alarms))
    assert_the_database_has_each_alarm_once(database_url, alarms)
    generations = [g for (g,) in rows(database_url, "SELECT generation FROM checkpoints WHERE worker_group = 'detect'")]
    assert len(generations) == PARTITIONS
    assert min(generations) > 1, "each partition has moved"
    sys.stdout.write(f"{KILLS} deaths, seed {SEED}: {len(alarms)} alarm events, owners {sorted(generations)}\n")


async def assert_nothing_lost_or_doubled(bootstrap: str, candidates: Said, alarms: set[bytes]) -> None:
    log = await open_kafka_log(bootstrap, KafkaLogOptions(prefix=PREFIX))
    said, decided = await whole(log, CANDIDATES), await whole(log, ALARMS)
    # What a death made be said again is the same to the byte, so that its readers can tell.
    assert set(said) == candidates
    batches = [(partition, codec.decode(CandidateBatch, value)) for partition, value in set(said)]
    assert len({(p, b.source_partition, b.at, b.part) for p, b in batches}) == len(candidates)
    assert {value for _, value in decided} == alarms
    assert len({codec.decode(AlarmEvent, one).event_id for one in alarms}) == len(alarms)
    sys.stdout.write(f"{len(said) - len(candidates)} of {len(said)} candidates were said again after a death\n")
    await log.close()


def assert_a_replay_makes_the_same(bootstrap: str, url: str, folder: Path, alarms: int) -> None:
    """What members decided, each from the checkpoint of the one before, is decided again from the log alone."""
    engines = {"CITYNERVE_DATABASE_URL": url, "CITYNERVE_KAFKA": bootstrap, "CITYNERVE_KAFKA_PREFIX": PREFIX}
    done = called("replay", "--json", env={**engines, "CITYNERVE_DATA": str(folder)})
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["alarm_events"], told["same"]) == (alarms, alarms)
    assert told["only_replayed"] == told["only_recorded"] == []


def assert_the_database_has_each_alarm_once(url: str, alarms: set[bytes]) -> None:
    events = [codec.decode(AlarmEvent, value) for value in alarms]
    assert sorted(rows(url, "SELECT event_id FROM alarm_events")) == sorted((e.event_id,) for e in events)
    raised = {e.alarm_id for e in events}
    assert {alarm for (alarm,) in rows(url, "SELECT alarm_id FROM alarms")} == raised
    open_ones = raised - {e.alarm_id for e in events if e.kind is AlarmEventKind.CLEARED}
    assert {a for (a,) in rows(url, "SELECT alarm_id FROM alarms WHERE cleared_at IS NULL")} == open_ones
    doubled = "SELECT alarm_id FROM ticket_alarms GROUP BY alarm_id HAVING count(*) > 1"
    assert rows(url, doubled) == []
