"""A letter that names readings: each is found again, left out by a rule, refused again, or stays and is told."""

import base64
import json
from dataclasses import replace

import pytest

from city.clock import SECOND_US
from city.integration import Integration, Routes
from city.registry import IngestRegistry, KnownDevice, SeriesTarget, WireProfile
from city.topics import DEAD_LETTERS
from ingest.codecs import Codecs
from ingest.formats import Formats, thingsboard
from ingest.meta import FlushOptions
from ingest.records import Flush
from ingest.replay import anew, resolve_letter
from stream.codec import DeadLetter
from stream.ledger import clean
from stream.letter_form import decode_letter
from tests.ingest.world import registry

NOW = 1_790_000_000 * SECOND_US
CODEC = "function decodeUplink(i){return {data:{temperature:i.bytes[0], %s:i.bytes[1]}}}"
UPLINK = {
    "deviceInfo": {"devEui": "0101010101010101"},
    "devAddr": "00112233",
    "fCnt": 5,
    "fPort": 1,
    "data": base64.b64encode(bytes([21, 55])).decode(),
    "time": "2026-09-21T14:13:20Z",
}


def behind_a_codec(name: str, ignore: frozenset[str] = frozenset()) -> IngestRegistry:
    targets = {"temperature": SeriesTarget(1, 0, -50, 80), "humidity": SeriesTarget(2, 0, 0, 100)}
    device = KnownDevice("L-1", "NS", targets, WireProfile("p", ignore, CODEC % name))
    routes = Routes((Integration("cs", "chirpstack", ("application/{a}/device/{d}/event/up",), "NS"),))
    return IngestRegistry({"NS": 1}, {"0101010101010101": device}, 1, routes)


def set_aside(known: IngestRegistry, topic: str, payload: bytes) -> DeadLetter:
    flush = Flush(known, NOW, FlushOptions(12, 2, 1 << 20), Formats(), Codecs())
    flush.add(topic, payload)
    (found,) = [decode_letter(record.value) for record in flush.records() if record.topic == DEAD_LETTERS]
    return found


@pytest.fixture
def misspelt() -> DeadLetter:
    topic = "application/a/device/0101010101010101/event/up"
    return set_aside(behind_a_codec("humidty"), topic, json.dumps(UPLINK).encode())


def test_a_reading_that_is_called_otherwise_now_stays_and_is_told(misspelt: DeadLetter) -> None:
    assert misspelt.only == ((0, "humidty"),)
    found = resolve_letter(misspelt, behind_a_codec("humidity"), Codecs())
    assert (found.readings, found.reason) == ({}, "unknown-metric")
    assert "humidty" in found.detail
    assert "it holds temperature, humidity" in found.detail


def test_read_anew_all_of_its_object_comes(misspelt: DeadLetter) -> None:
    found = resolve_letter(anew(misspelt), behind_a_codec("humidity"), Codecs())
    assert sorted(int(n) for batch in found.readings.values() for n in batch.series_id) == [1, 2]
    assert (found.reason, found.still_bad) == ("", ())


def test_a_reading_that_the_profile_leaves_out_now_is_done_with(misspelt: DeadLetter) -> None:
    found = resolve_letter(misspelt, behind_a_codec("humidty", frozenset({"humidty"})), Codecs())
    assert (found.reason, found.left_out, found.readings) == ("", 1, {})


def test_of_several_only_those_that_are_found_come(misspelt: DeadLetter) -> None:
    both = replace(misspelt, only=((0, "humidty"), (0, "temperature")), units=2)
    found = resolve_letter(both, behind_a_codec("humidity"), Codecs())
    assert found.still_bad == ((0, "humidty"),)
    assert sum(len(batch) for batch in found.readings.values()) == 1


@pytest.mark.parametrize("name", ["tensión", "電圧", "a\u00a0b", "x" * 127])
def test_a_letter_keeps_names_as_they_came_so_that_a_mended_format_finds_them(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    known = registry()
    known.devices["D-0"].targets[name] = SeriesTarget(77, 3, -1e9, 1e9)
    objects = [{"ts": 1790000000000, "values": {"active_power_w": 5}}, {"ts": -1, "values": {name: 230}}]
    letter = set_aside(known, "citynerve/v1/G-1/thingsboard", json.dumps({"D-0": objects}, ensure_ascii=False).encode())
    assert letter.only == ((1, name),)
    monkeypatch.setattr(thingsboard, "integer", lambda value: 1_790_000_001_000 if value == -1 else value)
    for kept in (letter, replace(letter, only=((1, clean(name)),))):
        found = resolve_letter(kept, known)
        assert found.reason == ("" if name.isprintable() else "bad-metric-name")
        assert sum(len(batch) for batch in found.readings.values()) == (1 if name.isprintable() else 0)
