"""Sparkplug B: what was set aside returns, read by the births that it followed."""

from dataclasses import replace

from city.integration import Integration, Routes
from city.registry import IngestRegistry, KnownDevice, SeriesTarget
from ingest.bundle import Bundled
from ingest.formats import (
    Formats,
    sparkplug_follow,
)
from ingest.formats.sparkplug_births import Birth, BirthBook, BirthTold, Definition
from ingest.meta import FlushOptions
from ingest.records import Flush
from ingest.replay import resolve_letter
from stream import codec
from stream.codec import DeadLetter, RecordMeta
from tests.ingest.formats.sparkplug_encoder import AT_MS, REBIRTH, bd_seq, payload
from tests.ingest.formats.sparkplug_node import AT, MINUTE, NODE_BIRTH


def registry(*names: str) -> IngestRegistry:
    targets = {name: SeriesTarget(number, 3, -1e12, 1e12) for number, name in enumerate(names)}
    devices = {"E-1": KnownDevice("D", "E-1", targets), "E-1/D-1": KnownDevice("DD", "E-1", targets)}
    topics = ("spBv1.0/{group}/{type}/{edge}", "spBv1.0/{group}/{type}/{edge}/{device}")
    routes = Routes((Integration("plant", "sparkplug-b", topics, "{edge}"),))
    return IngestRegistry({"E-1": 1}, devices, 1, routes)


def flushed(known: IngestRegistry, *messages: tuple[str, bytes], at: int = AT) -> tuple[Flush, list[DeadLetter]]:
    flush = Flush(known, at, FlushOptions(12, 2, 1 << 20))
    for topic, body in messages:
        flush.add(f"spBv1.0/city/{topic}", body)
    return flush, [codec.decode(DeadLetter, letter.value) for letter in flush.aside.letters]


def birth(alias: int, name: str, datatype: int = 9) -> Birth:
    return Birth({name: Definition(datatype, "")}, {alias: name})


def book(*told: tuple[Birth, int, int]) -> BirthBook:
    return BirthBook(BirthTold(("city", "E-1"), "", one, first, last) for one, first, last in told)


def test_data_without_a_birth_come_back_once_it_answered() -> None:
    known = registry("volts", "named")
    body = payload(
        {"alias": 1, "float_value": 2.0, "timestamp": AT_MS - 5000},
        {"name": "named", "datatype": 11, "boolean_value": True},
        seq=7,
    )
    flush, [letter] = flushed(known, ("NDATA/E-1", body))
    assert [topic for topic, _ in flush.commands] == ["spBv1.0/city/NCMD/E-1"]
    assert list(flush.rows[3].value) == [1.0]
    assert (letter.reason, letter.only) == ("no-birth", ((0, ""),))
    assert resolve_letter(letter, known).reason == "no-birth"
    answered = book((birth(1, "volts"), AT + 1_000_000, AT + 1_000_000))
    resolution = resolve_letter(letter, known, None, answered)
    [batch] = resolution.readings.values()
    assert (list(batch.value), list(batch.observed_at)) == ([2.0], [AT - 5_000_000])
    assert (resolution.still_bad, resolution.reason) == ((), "")


def test_what_was_known_before_is_not_believed_of_data_that_came_without_a_birth() -> None:
    known = registry("old", "new")
    _, [letter] = flushed(known, ("NDATA/E-1", payload({"alias": 1, "float_value": 2.0}, seq=7)))
    before = (birth(1, "old"), AT - 10 * MINUTE, AT - 5 * MINUTE)
    assert resolve_letter(letter, known, None, book(before)).reason == "no-birth"
    [batch] = resolve_letter(letter, known, None, book(before, (birth(1, "new"), AT + 1, AT + 1))).readings.values()
    assert list(batch.series_id) == [1]
    far = (birth(1, "new"), AT + 30 * MINUTE, AT + 30 * MINUTE)
    assert resolve_letter(letter, known, None, book(before, far)).reason == "no-birth"
    more = Birth({"old": Definition(9, ""), "more": Definition(9, "")}, {1: "old", 2: "more"})
    agreeing = book(before, (more, AT + 30 * MINUTE, AT + 30 * MINUTE))
    [batch] = resolve_letter(letter, known, None, agreeing).readings.values()
    assert list(batch.series_id) == [0], "the birth before and the next one say the same of it"
    same = (birth(1, "old"), AT - 10 * MINUTE, AT + 30 * MINUTE)
    [batch] = resolve_letter(letter, known, None, book(same)).readings.values()
    assert list(batch.series_id) == [0], "told before and after alike"


def test_data_of_an_unknown_device_are_read_by_the_birth_that_was_known_then() -> None:
    topics = registry("volts")
    unknown = IngestRegistry({"E-1": 1}, {}, 1, topics.routes)
    first = payload(bd_seq(1), {"name": "volts", "alias": 1, "datatype": 9, "float_value": 1.0})
    data = payload({"alias": 1, "float_value": 2.0}, seq=1)
    _, letters = flushed(unknown, ("NBIRTH/E-1", first), ("NDATA/E-1", data))
    assert [letter.reason for letter in letters] == ["unknown-device"] * 2
    then = (birth(1, "volts"), AT, AT)
    [batch] = resolve_letter(letters[1], topics, None, book(then)).readings.values()
    assert list(batch.value) == [2.0]
    changed = (birth(1, "other"), AT + MINUTE, AT + MINUTE)
    later = DeadLetter(letters[1].reason, "", letters[1].topic, letters[1].payload, "E-1", AT + 1, 1)
    assert resolve_letter(later, topics, None, book(then, changed)).reason == "ambiguous-birth"
    other = (birth(1, "other"), AT - MINUTE, AT - MINUTE)
    assert resolve_letter(letters[1], topics, None, book(other, then)).reason == "", "a moment after its birth"
    at_once = replace(letters[1], received_at=AT)
    assert resolve_letter(at_once, topics, None, book(other, then)).reason == "ambiguous-birth", "in one moment"


def test_a_node_of_which_messages_went_aside_unread_is_asked_for_its_births_again() -> None:
    known = registry("volts")
    flush, _ = flushed(
        known, ("NBIRTH/E-1", payload(bd_seq(1), {"name": "volts", "alias": 1, "datatype": 9, "float_value": 1.0}))
    )
    aside = Bundled("spBv1.0/city/NBIRTH/E-1", b"none", False)
    flush.isolate("E-1", [aside, aside])
    flush.add("spBv1.0/city/NDATA/E-1", payload({"alias": 1, "float_value": 2.0}, seq=1))
    letters = [codec.decode(DeadLetter, letter.value) for letter in flush.aside.letters]
    assert [letter.reason for letter in letters] == ["isolated", "no-birth"]
    assert [topic for topic, _ in flush.commands] == ["spBv1.0/city/NCMD/E-1"]


def bundled(known: IngestRegistry, *messages: tuple[str, bytes], at: int = AT) -> tuple[DeadLetter, Formats]:
    """Set messages of E-1 aside unread, as of an isolated gateway; return their letter, and what ingest remembers."""
    flush = Flush(known, at, FlushOptions(12, 2, 1 << 20))
    flush.isolate("E-1", [Bundled(f"spBv1.0/city/{topic}", body, False) for topic, body in messages])
    return codec.decode(DeadLetter, flush.aside.letters[0].value), flush.formats


def test_data_of_a_bundle_are_read_by_the_births_that_they_follow_in_it() -> None:
    known = registry("volts", "other")

    def told(name: str, number: int) -> bytes:
        metric = {"name": name, "alias": 1, "datatype": 9, "float_value": number * 10.0, "timestamp": AT_MS + number}
        return payload(bd_seq(number), metric, timestamp=AT_MS + number)

    def data(value: float, seq: int) -> bytes:
        return payload(
            {"alias": 1, "float_value": value, "timestamp": AT_MS + int(value)}, seq=seq, timestamp=AT_MS + 9
        )

    messages = [("NDATA/E-1", data(1.0, 9)), ("NBIRTH/E-1", told("volts", 1)), ("NDATA/E-1", data(2.0, 1))]
    messages += [("NBIRTH/E-1", told("other", 3)), ("NDATA/E-1", data(4.0, 1)), ("NDATA/E-1", data(5.0, 3))]
    letter, formats = bundled(known, *messages)
    kept = formats.sessions.take_changes().births
    assert [(one.birth, one.first_at) for one in kept] == [(birth(1, "other"), AT)], "kept for later letters"
    resolution = resolve_letter(letter, known)
    [batch] = resolution.readings.values()
    assert list(zip(batch.series_id, batch.value, strict=True)) == [(0, 10.0), (0, 2.0), (1, 30.0), (1, 4.0)]
    assert (resolution.reason, resolution.still_bad) == ("no-birth", ((0, ""), (5, ""))), (
        "before the first, behind a gap"
    )
    assert [numbers[1:] for numbers in resolution.numbers] == [(0, 1), (0, 1), (3, 3)], "what stays has come too"
    before = BirthBook([BirthTold(("city", "E-1"), "", birth(1, "volts"), AT - MINUTE, AT + MINUTE)])
    first = replace(letter, only=((0, ""),), units=1)
    [batch] = resolve_letter(first, known, None, before).readings.values()
    assert list(zip(batch.series_id, batch.value, strict=True)) == [(0, 1.0)]
    # What is read again later follows the births of the bundle all the same.
    again = resolve_letter(replace(letter, only=((4, ""),), units=1), known)
    [batch] = again.readings.values()
    assert list(zip(batch.series_id, batch.value, strict=True)) == [(1, 4.0)]


def test_births_of_who_sends_too_much_are_kept_as_far_as_they_are_few() -> None:
    known = registry("volts")
    big = payload(bd_seq(1), *({"name": f"m{n}", "datatype": 9, "float_value": 1.0} for n in range(1000)))
    births = [(f"DBIRTH/E-1/D-{n}", big) for n in range(20)] + [("NBIRTH/E-1", b"\xff")]
    _, formats = bundled(known, *births, *births)
    kept = formats.sessions.take_changes().births
    assert 0 < len(kept) <= sparkplug_follow.PASSED_BYTES_MAX // len(big)
    stranger = IngestRegistry({}, {}, 1, known.routes)
    _, formats = bundled(stranger, ("NBIRTH/E-1", NODE_BIRTH))
    assert formats.sessions.take_changes().births == [], "a stranger's births are nobody's"


def test_numbers_go_to_the_ledger_even_of_messages_without_readings() -> None:
    known = registry("volts")
    flush, letters = flushed(known, ("NBIRTH/E-1", payload(bd_seq(1), REBIRTH)), ("DDEATH/E-1/D-1", payload(seq=1)))
    assert letters == []
    [record] = flush.records()
    assert [(n.first, n.last) for n in codec.decode(RecordMeta, record.meta).numbers] == [(0, 1)]
    assert flush.states == {"E-1": "online"}
