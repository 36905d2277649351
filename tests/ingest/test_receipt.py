"""Messages that come together are received one after the other: no value of a device without a clock is lost."""

from city.clock import SECOND_US, ManualClock
from city.registry import IngestRegistry, KnownDevice
from city.topics import DEAD_LETTERS, READINGS, readings_topic
from ingest.bundle import Bundled
from ingest.door import Door
from ingest.intake import Intake
from ingest.message import Message
from ingest.meta import FlushOptions
from ingest.receipt import Moments
from ingest.records import Flush
from ingest.replay import resolve_letter
from stream import codec
from stream.codec import DeadLetter
from stream.log import Append
from tests.ingest.both_ways import agree
from tests.ingest.world import registry

NOW = 1_795_456_800 * SECOND_US
OPTIONS = FlushOptions(12, 2, 1 << 20)
REGISTRY = registry()
CLOCKLESS = [b'{"device":"D-0","active_power_w":%d}' % value for value in range(1, 6)]
UNKNOWN = [payload.replace(b"D-0", b"later") for payload in CLOCKLESS]
LATER = IngestRegistry(
    REGISTRY.gateways,
    {**REGISTRY.devices, "later": KnownDevice("later", "G-1", REGISTRY.devices["D-0"].targets)},
    2,
)
ONE_AFTER_THE_OTHER = [(NOW + place, place + 1.0) for place in range(5)]


def messages(payloads: list[bytes]) -> list[Message]:
    return [Message(readings_topic("G-1"), payload, 1, 1, 1) for payload in payloads]


def stored(records: list[Append]) -> list[tuple[int, float]]:
    [batch] = [codec.decode_batch(record.value) for record in records if record.topic == READINGS]
    return list(zip(batch.observed_at.tolist(), batch.value.tolist(), strict=True))


def letters(records: list[Append]) -> list[DeadLetter]:
    return [codec.decode(DeadLetter, record.value) for record in records if record.topic == DEAD_LETTERS]


def replayed(letter: DeadLetter) -> list[tuple[int, float]]:
    [batch] = resolve_letter(letter, LATER).readings.values()
    return list(zip(batch.observed_at.tolist(), batch.value.tolist(), strict=True))


def test_values_without_a_time_that_come_together_have_successive_times() -> None:
    flush = Door(REGISTRY).read(Intake.of(messages(CLOCKLESS)), NOW, OPTIONS)
    assert flush.left == []
    assert stored(flush.records()) == ONE_AFTER_THE_OTHER


def test_flushes_of_one_moment_follow_each_other() -> None:
    flush = Door(REGISTRY).read(Intake.of(messages(CLOCKLESS)), NOW - 3, OPTIONS, passed=3)
    assert stored(flush.records()) == ONE_AFTER_THE_OTHER


def test_both_ways_give_the_same_successive_times() -> None:
    unset = b'{"device":"D-0","at":5,"active_power_w":7}'
    escaped = b'{"device":"D-\\u0030","active_power_w":8}'
    assert agree(messages([*CLOCKLESS, escaped, unset, escaped, *CLOCKLESS])) == 11


def test_letters_of_one_flush_come_back_with_the_times_of_their_receipt() -> None:
    flush = Flush(REGISTRY, NOW, OPTIONS)
    for one in messages(UNKNOWN):
        flush.add(one.topic, one.payload)
    kept = letters(flush.records())
    assert [row for letter in kept for row in replayed(letter)] == ONE_AFTER_THE_OTHER
    assert [row for letter in kept for row in replayed(letter)] == ONE_AFTER_THE_OTHER, "and so again"


def test_messages_of_bundles_come_back_one_after_the_other() -> None:
    flush = Flush(REGISTRY, NOW, FlushOptions(12, 2, 100_000))
    large = [payload + b" " * 20_000 for payload in UNKNOWN]
    flush.isolate("G-1", [Bundled(readings_topic("G-1"), payload, False) for payload in large])
    kept = letters(flush.records())
    assert len(kept) > 1
    assert [row for letter in kept for row in replayed(letter)] == ONE_AFTER_THE_OTHER


def test_no_flush_begins_before_the_one_before_it_has_ended() -> None:
    moments = Moments(ManualClock(NOW))
    assert [moments.take(3), moments.take(8_192), moments.take(1)] == [(NOW, 0), (NOW, 3), (NOW, 8_195)]
