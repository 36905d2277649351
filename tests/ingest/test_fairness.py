"""One gateway cannot starve the others: buckets, bundles, a flood that is set aside on a real log and comes back."""

import asyncio
import base64
import zlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.clock import ManualClock
from city.topics import DEAD_LETTERS, readings_topic
from ingest.bridge import Bridge, BridgeOptions
from ingest.bundle import Bundled, bundle_topic, is_bundle, pack, unpack
from ingest.decode import decode
from ingest.fairness import Fairness, FairnessOptions
from ingest.formats.parsed import PAYLOAD_BYTES_MAX
from ingest.intake import Intake
from ingest.isolation import divide
from ingest.message import Message
from ingest.metrics import IngestMetrics
from ingest.replay import resolve_letter
from stream import codec
from stream.codec import DeadLetter
from stream.logs.postgres import open_postgres_log
from tests.ingest.world import make_topics, numbers_on, reading, records_of, registry

NOW = 1_795_456_800_000_000
REGISTRY = registry()
FEW = FairnessOptions(readings_per_s=10, readings_burst=100, refusals_per_s=1, refusals_burst=5, calm_s=30)


def test_a_gateway_is_isolated_when_it_has_used_its_burst_and_read_again_when_it_is_calm() -> None:
    fair = Fairness(FEW)
    fair.charge({"G-1": 100, "G-2": 100}, {}, 0.0)
    assert fair.isolated == frozenset()
    fair.charge({"G-1": 11, "G-2": 5}, {}, 1.0)
    assert fair.isolated == {"G-1"}
    fair.charge({"G-1": 50}, {}, 5.0)
    assert fair.isolated == {"G-1"}, "it floods on"
    fair.charge({"G-2": 1}, {}, 8.0)
    assert fair.isolated == {"G-1"}
    fair.charge({"G-2": 1}, {}, 40.0)
    assert fair.isolated == frozenset()


def test_a_gateway_of_which_nothing_is_understood_is_isolated() -> None:
    fair = Fairness(FEW)
    fair.charge({}, {"G-1": 6}, 0.0)
    assert fair.isolated == {"G-1"}
    fair.charge({"G-1": 1}, {}, 10.0)
    assert fair.isolated == frozenset()


def test_days_of_a_gateway_that_was_offline_are_not_a_flood() -> None:
    fair = Fairness()
    for second in range(60):
        fair.charge({"G-1": 80_000}, {}, float(second))
    assert fair.isolated == frozenset(), "ten years of an air station, and more, in a minute"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.floats(0, 10)), max_size=200))
def test_who_keeps_below_the_rate_is_never_isolated(steps: list[tuple[str, int, float]]) -> None:
    fair = Fairness(FEW)
    now = dict.fromkeys("abc", 0.0)
    clock = 0.0
    for name, count, pause in steps:
        clock = max(clock, now[name]) + pause
        now[name] = clock + count / FEW.readings_per_s
        fair.charge({name: count}, {}, clock)
        assert fair.isolated == frozenset()


def test_buckets_are_bounded_whatever_names_come() -> None:
    fair = Fairness(FEW)
    for number in range(25_000):
        fair.charge({f"G-{number}": 1}, {f"G-{number}": 1}, number / 1000)
    assert len(fair._readings) <= 10_000
    assert len(fair._refusals) <= 10_000


BUNDLED = st.builds(Bundled, st.text(max_size=40), st.binary(max_size=300), st.booleans())


@given(st.lists(BUNDLED, max_size=50))
def test_a_bundle_gives_back_what_went_in(messages: list[Bundled]) -> None:
    packed = list(pack(messages, 4_000))
    assert [one for bundle, _ in packed for one in unpack(bundle)] == messages
    assert sum(count for _, count in packed) == len(messages)
    assert all(len(bundle) <= 2_000 for bundle, _ in packed)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_bundle_are_told(data: bytes) -> None:
    try:
        unpack(data)
    except ValueError:
        return


def test_a_bundle_that_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        unpack(zlib.compress(bytes(64 * 1024 * 1024)))


def test_marks_states_and_others_stay_and_the_isolated_go_aside_in_order() -> None:
    topics = ["citynerve/v1/G-1/readings", "citynerve/v1/G-2/readings", "", "citynerve/v1/G-1/state"]
    messages = [Message(topics[n % 4], b"%d" % n, 1, n, 1) for n in range(12)]
    rest, apart = divide(Intake.of(messages), REGISTRY.routes, frozenset({"G-1"}))
    assert [rest.topic(n) for n in range(len(rest))] == [t for _ in range(3) for t in topics[1:]]
    assert {name: [one.payload for one in found] for name, found in apart.items()} == {"G-1": [b"0", b"4", b"8"]}


class Fed:
    """A source that gives what it was told to, and keeps what was acknowledged."""

    listening = True

    def __init__(self, intakes: list[Intake]) -> None:
        self.intakes = intakes
        self.acknowledged = 0

    async def take(self, **_: Any) -> Intake:
        if not self.intakes:
            await asyncio.sleep(0.01)
            return Intake.empty()
        return self.intakes.pop(0)

    def acknowledge(self, intake: Intake) -> None:
        self.acknowledged += len(intake)

    def deaths(self) -> list[Any]:
        return []

    def mark(self, payload: bytes) -> None:
        raise AssertionError(payload)

    def send(self, topic: str, payload: bytes) -> None:
        raise AssertionError(topic)


def test_a_flood_goes_aside_in_bundles_the_others_are_read_and_replay_brings_all_of_it_back(database_url: str) -> None:
    def flood(start: int) -> Intake:
        many = [Message(readings_topic("G-1"), reading(n, 0), 1, n, 1) for n in range(start, start + 200)]
        other = [Message(readings_topic("G-2"), reading(start, 1), 1, start, 1)]
        return Intake.of([*many, *other])

    async def main() -> None:
        log = await open_postgres_log(database_url)
        await make_topics(log)
        source = Fed([flood(start) for start in range(0, 2000, 200)])
        metrics = IngestMetrics()
        options = BridgeOptions(fairness=FEW)
        bridge = Bridge(source, log, lambda: REGISTRY, ManualClock(NOW), options, metrics)  # type: ignore[arg-type]
        stop = asyncio.Event()
        task = asyncio.create_task(bridge.run(stop))
        async with asyncio.timeout(60):
            while source.acknowledged < 2010:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        stop.set()
        await task
        letters = [codec.decode(DeadLetter, record.value) for record in await records_of(log, DEAD_LETTERS)]
        stored = await numbers_on(log)
        await log.close()
        assert {letter.reason for letter in letters} == {"isolated"}
        assert len(letters) <= 10, "many messages in one letter"
        aside = sum(letter.units for letter in letters)
        assert (aside, len(stored)) == (1800, 210), "each message once: read, or set aside"
        back = [resolve_letter(letter, REGISTRY) for letter in letters]
        assert [found.still_bad for found in back] == [()] * len(back)
        assert sum(len(batch) for found in back for batch in found.readings.values()) == aside
        assert [number for found in back for number in found.numbers] != [], "numbers come back, too"
        shown = decode(letters[0].topic, base64.b64decode(letters[0].payload))
        assert shown is not None
        assert "citynerve/v1/G-1/readings" in shown.text

    asyncio.run(main())


def letter_of(*messages: Bundled, gateway: str = "G-1") -> DeadLetter:
    ((packed, count),) = pack(messages, 100_000)
    return DeadLetter("isolated", "", bundle_topic(gateway), base64.b64encode(packed).decode(), gateway, NOW, count)


def test_of_a_bundle_stays_what_cannot_be_placed_and_nothing_of_another_gateway_comes_in() -> None:
    good = Bundled(readings_topic("G-1"), reading(1, 0), False)
    unknown = Bundled(readings_topic("G-1"), reading(2, 99), False)
    spoofed = Bundled(readings_topic("G-2"), reading(3, 1), False)
    broken = Bundled(readings_topic("G-1"), b"{", False)
    letter = letter_of(good, unknown, spoofed, broken)
    found = resolve_letter(letter, REGISTRY)
    assert found.still_bad == ((1, ""), (2, ""), (3, ""))
    assert (found.reason, found.devices) == ("unknown-device", ("D-99",))
    assert sum(len(batch) for batch in found.readings.values()) == 1
    again = resolve_letter(replace(letter, only=((3, ""),)), REGISTRY)
    assert (again.readings, again.reason) == ({}, "not-json")


def test_messages_of_a_bundle_that_hold_no_readings_hold_the_others_not_back() -> None:
    empty = Bundled("citynerve/v1/G-1/tts", b'{"end_device_ids":{"device_id":"d"},"join_accept":{}}', False)
    good = Bundled(readings_topic("G-1"), reading(1, 0), False)
    found = resolve_letter(letter_of(good, empty), REGISTRY)
    assert (found.still_bad, found.reason, found.messages) == ((), "", 2)


def test_a_payload_of_the_largest_size_comes_back_whole() -> None:
    large = Bundled(readings_topic("G-1"), b"x" * PAYLOAD_BYTES_MAX, False)
    assert [one for packed, _ in pack([large, large], 1_000_000) for one in unpack(packed)] == [large, large]


def test_nobody_can_publish_on_the_topic_of_a_bundle() -> None:
    assert is_bundle(bundle_topic("G-1"))
    assert "#" in bundle_topic("G-1"), "a wildcard, which brokers refuse in a PUBLISH"
