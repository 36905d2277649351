"""The native format: what is accepted, what is refused and why, and that the published schema says the same."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from city.clock import SECOND_US
from city.integration import Origin
from ingest.formats import ParsedMessage, ParsedObject, Unreadable, native
from ingest.formats.parsed import KEYS_MAX, OBJECTS_MAX, PAYLOAD_BYTES_MAX
from stream.letters import printable_name

TOPIC = Origin("citynerve/v1/G-1/readings", "readings", "G-1", {})
DOCS = Path(__file__).parents[2] / "docs" / "formats"
SCHEMA = json.loads((DOCS / "native.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
AT_US = 1_795_456_800 * SECOND_US


def parse(payload: bytes | str | dict[str, Any]) -> ParsedMessage:
    if isinstance(payload, dict):
        payload = json.dumps(payload)
    return native.parse(TOPIC, payload.encode() if isinstance(payload, str) else payload)


def reasons_of(payload: bytes) -> list[str]:
    """Return why all of a message is refused; empty if some of it passes."""
    try:
        message = native.parse(TOPIC, payload)
    except Unreadable as exc:
        return [exc.reason]
    return [] if message.objects else list(message.refused)


def test_one_object_gives_its_readings_at_one_time() -> None:
    message = parse('{"device":"D-1","at":"2026-11-23T18:00:00Z","active_power_w":36.1,"dimming_level_pct":100}')
    assert message.refused == {}
    assert message.objects == [ParsedObject(0, "D-1", AT_US, {"active_power_w": 36.1, "dimming_level_pct": 100})]
    assert (message.number, message.epoch, message.sent_at_us) == (None, "", None)


def test_many_objects_carry_number_epoch_and_time_of_sending() -> None:
    message = parse(
        {
            "n": 1234,
            "epoch": "a1",
            "sent_at": "2026-11-23T19:00:02.25+01:00",
            "readings": [{"device": "D-1", "at": 1795456800000, "a_w": 1}, {"device": "D-2", "a_w": 2}],
        }
    )
    assert (message.number, message.epoch, message.sent_at_us) == (1234, "a1", AT_US + 2_250_000)
    assert message.objects == [ParsedObject(0, "D-1", AT_US, {"a_w": 1}), ParsedObject(1, "D-2", None, {"a_w": 2})]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T18:00:00Z", AT_US),
        ("2026-11-23T18:00:00.5Z", AT_US + 500_000),
        ("2026-11-23T18:00:00.123456789Z", AT_US + 123_456),
        ("2026-11-23T23:30:00+05:30", AT_US),
        ("2026-11-23T17:59:60Z", AT_US),
        ("2026-11-23t18:00:00z", AT_US),
        ("2026-11-23 18:00:00Z", AT_US),
    ],
)
def test_times_of_rfc_3339_are_read_to_the_microsecond(text: str, expected: int) -> None:
    assert parse({"device": "D-1", "at": text, "a_w": 1}).objects[0].at_us == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (978_307_199, 978_307_199_000),
        (978_307_200, 978_307_200_000_000),
        (AT_US // 1_000_000, AT_US),
        (7_258_118_399, 7_258_118_399_000_000),
        (7_258_118_400, 7_258_118_400_000),
        (AT_US // 1000, AT_US),
    ],
)
def test_a_count_of_2001_to_2199_in_seconds_is_read_as_seconds(count: int, expected: int) -> None:
    message = parse({"device": "D-1", "at": count, "sent_at": count, "a_w": 1})
    assert (message.objects[0].at_us, message.sent_at_us) == (expected, expected)


@pytest.mark.parametrize(
    "at",
    [
        "2026-11-23_18:00:00Z",
        "2026-11-23T18:00:00",
        "2026-W48-1T18:00:00Z",
        "2026-02-30T00:00:00Z",
        "٢٠٢٦-11-23T18:00:00Z",
        "2026-11-23T18:00:00Z\n",
        "2026-11-23T24:00:00Z",
        "2026-11-23T18:00:00y",
        "20261123T180000Z",
        "now",
        "",
        *(-1, 253_402_300_800_000, 10**30, 1.5, True, None, [], {}),
    ],
)
def test_a_time_that_is_none_sets_its_object_aside(at: object) -> None:
    message = parse({"device": "D-1", "at": at, "a_w": 1, "b_w": 2})
    assert message.objects == []
    assert message.refused["bad-time"].only == [(0, "a_w"), (0, "b_w")]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not-json"),
        (b"\xef\xbb\xbf{}", "not-json"),
        (b'{"device":"\xff","a_w":1}', "not-json"),
        (b'{"device":"\\ud800","a_w":1}', "not-json"),
        (b'{"device":"D\x01","a_w":1}', "not-json"),
        (b'{"device":"D-1","a_w":1} {}', "not-json"),
        (b"[" * 100_000, "not-json"),
        (b'{"device":"D-1","a_w":' + b"9" * 10_000 + b"}", "not-json"),
        (b"[1]", "not-an-object"),
        (b"true", "not-an-object"),
        (b"{}", "bad-device"),
        (b'{"device":"D-1","a_w":1,"a_w":1}', "duplicate-key"),
        (b'{"device":"D-1","a_w":1,"\\u0061_w":1}', "duplicate-key"),
        (b'{"device":"D-1","device":"D-2","a_w":1}', "duplicate-key"),
        (b'{"readings":[{"device":"D-1","a_w":1,"a_w":2}]}', "duplicate-key"),
        (b'{"device":"D-1","a_w":{"x":1,"x":2}}', "duplicate-key"),
        (b'{"device":"D-1"}', "no-readings"),
        (b'{"readings":[]}', "no-readings"),
        (b'{"readings":{}}', "not-a-list"),
        (b'{"readings":[1]}', "not-an-object"),
        (b'{"readings":[],"gateway":"G-1"}', "unexpected-key"),
        (b'{"n":-1,"device":"D-1","a_w":1}', "bad-header"),
        (b'{"n":true,"device":"D-1","a_w":1}', "bad-header"),
        (b'{"n":9007199254740992,"device":"D-1","a_w":1}', "bad-header"),
        (b'{"epoch":7,"device":"D-1","a_w":1}', "bad-header"),
        (b'{"epoch":"a b","device":"D-1","a_w":1}', "bad-header"),
        (b'{"sent_at":"now","device":"D-1","a_w":1}', "bad-header"),
        (b" " * (PAYLOAD_BYTES_MAX + 1), "too-large"),
        (b'{"readings":[' + b"{}," * OBJECTS_MAX + b"{}]}", "too-many-objects"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    assert reasons_of(payload) == [reason]


def test_good_readings_pass_beside_bad_ones() -> None:
    message = parse(
        {"device": "D-1", "a_w": 1, "b_w": "36.1", "c_w": None, "d_w": True, "Bad-Name": 5, "e_w": [1], "f_w": 1.5}
    )
    assert message.objects[0].readings == {"a_w": 1, "f_w": 1.5}
    assert {reason: refusal.only for reason, refusal in message.refused.items()} == {
        "not-a-number": [(0, "b_w"), (0, "c_w"), (0, "d_w"), (0, "e_w")],
        "bad-metric-name": [(0, "Bad-Name")],
    }


def test_numbers_beyond_any_double_are_refused() -> None:
    message = parse(b'{"device":"D-1","a_w":1e999,"b_w":' + b"9" * 400 + b',"c_w":1}')
    assert message.objects[0].readings == {"c_w": 1}
    assert message.refused["not-a-number"].only == [(0, "a_w"), (0, "b_w")]


def test_names_are_kept_as_they_came_but_not_without_end() -> None:
    message = parse(b'{"device":"D-1","\\u0000a":1,"' + b"x" * 70_000 + b'":2}')
    places = message.refused["bad-metric-name"].only
    assert places == [(0, "\0a"), (0, "x" * 128)]
    assert [printable_name(name) for _, name in places] == ["\\x00a", "x" * 128]


def test_an_object_of_too_many_keys_is_set_aside_whole() -> None:
    message = parse({"device": "D-1"} | {f"m{i}_w": i for i in range(KEYS_MAX)})
    assert message.objects == []
    assert len(message.refused["too-many-keys"].only) == KEYS_MAX


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
ODD_KEYS = st.sampled_from(["device", "at", "n", "epoch", "sent_at", "readings", "a_w", "b_v", "A", "", "\x00"])


@given(st.binary(max_size=300))
def test_any_bytes_are_parsed_or_refused(payload: bytes) -> None:
    assert all(re.fullmatch(r"[a-z-]+", reason) for reason in reasons_of(payload))


@settings(max_examples=300)
@given(st.dictionaries(ODD_KEYS | st.text(max_size=5), JSON, max_size=8))
def test_any_json_is_parsed_or_refused_and_what_passes_is_clean(body: dict[str, Any]) -> None:
    try:
        message = parse(json.dumps(body))
    except Unreadable:
        return
    for item in message.objects:
        assert item.readings
        assert all(type(v) in (int, float) and abs(v) <= 1.8e308 for v in item.readings.values())


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,20}", fullmatch=True)
metrics = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True).filter(
    lambda name: name not in {"device", "at", "n", "epoch", "sent_at", "readings"}
)
times = st.integers(0, 253402300799999) | st.datetimes().map(lambda d: d.isoformat(timespec="milliseconds") + "Z")
values = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
header = st.fixed_dictionaries(
    {},
    optional={
        "n": st.integers(0, 2**53 - 1),
        "epoch": st.from_regex(r"[A-Za-z0-9._:-]{0,20}", fullmatch=True),
        "sent_at": times,
    },
)


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    readings = draw(st.dictionaries(metrics, values, min_size=1, max_size=6))
    return {"device": draw(names), **readings, **draw(st.fixed_dictionaries({}, optional={"at": times}))}


good = st.one_of(
    st.builds(lambda item, head: {**item, **head}, objects(), header),
    st.builds(lambda items, head: {**head, "readings": items}, st.lists(objects(), min_size=1, max_size=4), header),
)


def accepted_whole(payload: str) -> bool:
    try:
        return not parse(payload).refused
    except Unreadable:
        return False


def test_what_is_no_number_is_set_aside_alone() -> None:
    message = parse(b'{"readings":[{"device":"D-1","a_w":NaN,"b_w":1},{"device":"D-2","a_w":-Infinity}]}')
    assert [(found.device, found.readings) for found in message.objects] == [("D-1", {"b_w": 1})]
    assert message.refused["not-a-number"].only == [(0, "a_w"), (1, "a_w")]


@settings(max_examples=200)
@given(good)
def test_messages_made_by_the_schema_pass_parser_and_schema(body: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid(body)
    assert accepted_whole(json.dumps(body))


@settings(max_examples=300)
@given(good, ODD_KEYS, JSON.filter(lambda v: v == v and abs(v) != float("inf") if isinstance(v, float) else True))
def test_parser_and_schema_agree_on_messages_with_one_thing_wrong(body: dict[str, Any], key: str, value: Any) -> None:
    twisted = {**body, key: value}
    text = json.dumps(twisted)
    if any(word in text for word in ("NaN", "Infinity", "\\ud", "\\n")):
        return
    # Calendars (31 February) and lone newlines are beyond what a pattern can say.
    assert accepted_whole(text) == VALIDATOR.is_valid(twisted)


def test_the_examples_of_the_documents_are_accepted() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    page = (DOCS / "native.md").read_text()
    examples = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    assert len(examples) == 2
    for example in [*examples, *SCHEMA["examples"]]:
        assert VALIDATOR.is_valid(example)
        assert accepted_whole(json.dumps(example))


def test_every_reason_of_the_parser_is_documented() -> None:
    source = (Path(native.__file__)).read_text()
    reasons = set(re.findall(r'(?:Unreadable|refuse)\(\s*"([a-z-]+)"', source)) | set(
        re.findall(r'problem = \("([a-z-]+)"', source)
    )
    page = (DOCS / "native.md").read_text()
    assert len(reasons) > 10
    assert {reason for reason in reasons if f"`{reason}`" not in page} == set()
