"""Plain CSV: the three shapes of its page, RFC 4180's quotation marks, and lines that are refused alone."""

import csv as independent
import io
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.integration import Origin
from ingest.formats import ParsedMessage, Unreadable, csv, values
from ingest.formats.parsed import OBJECTS_MAX, PAYLOAD_BYTES_MAX
from tests.ingest.formats.checks import DOCS, replayed, undocumented
from tests.ingest.formats.hostile import assert_read_or_refused, mutated, seconds

ORIGIN = Origin("citynerve/v1/GW-1/csv", "csv", "GW-1", {})
AT_US = 1_795_456_800_000_000
[WIDE, LONG, BARE] = re.findall(r"```csv\n(.*?)```", (DOCS / "csv.md").read_text(), re.DOTALL)


def parse(text: str | bytes, **levels: str) -> ParsedMessage:
    return csv.parse(ORIGIN._replace(levels=levels), text.encode() if isinstance(text, str) else text)


def told(message: ParsedMessage) -> list[tuple[str, int | None, dict[str, Any], dict[str, str]]]:
    assert message.refused == {}
    return [(item.device, item.at_us, item.readings, item.units) for item in message.objects]


def refused(text: str) -> dict[str, list[tuple[int, str]]]:
    return {reason: refusal.only for reason, refusal in parse(text).refused.items()}


def test_a_wide_table_gives_an_object_a_line() -> None:
    units = {"power": "W", "voltage": "V", "dimming": "%"}
    assert told(parse(WIDE)) == [
        ("N-17", AT_US, {"power": 36.1, "voltage": 229.8, "dimming": 100}, units),
        ("N-18", AT_US, {"voltage": 230.1, "dimming": 0}, {"voltage": "V", "dimming": "%"}),
    ]


def test_a_long_table_gives_a_value_a_line_and_reads_decimal_commas() -> None:
    assert told(parse(LONG)) == [
        ("N-17", AT_US, {"power": 36.1}, {"power": "W"}),
        ("N-17", AT_US, {"state": "on"}, {}),
    ]


def test_lines_without_a_header_are_told_apart_by_their_fields() -> None:
    assert told(parse(BARE)) == [
        ("N-17", AT_US, {"power": 36.1}, {"power": "W"}),
        ("N-18", None, {"power": 0}, {}),
        ("GW-1", None, {"humidity": 55}, {"humidity": "%"}),
    ]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\n\n", "\r\n \r\n"])
def test_lines_end_as_they_like(end: str) -> None:
    assert told(parse(WIDE.replace("\n", end))) == told(parse(WIDE))
    assert told(parse("\ufeff" + WIDE.replace("\n", end).removesuffix(end))) == told(parse(WIDE))


def test_a_line_that_names_no_device_is_of_the_topics_own() -> None:
    assert told(parse("at,power\n,5\n", device="N-9")) == [("N-9", None, {"power": 5}, {})]
    assert told(parse("power;36,1;W", device="N-9")) == [("N-9", None, {"power": 36.1}, {"power": "W"})]
    assert told(parse("device,power\n,5")) == [("GW-1", None, {"power": 5}, {})]


def test_quotation_marks_are_those_of_rfc_4180() -> None:
    assert told(parse('device,at,name,value\n"N,17", ,"a ""b""","36.1"\n')) == [("N,17", None, {'a "b"': 36.1}, {})]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        *(("1", 1), ("-1.50", -1.5), ("+.5", 0.5), ("5.", 5), ("1e3", 1000), ("1E-3", 0.001), ("0x10", "0x10")),
        *(("1 000", "1 000"), ("nan", "nan"), ("inf", "inf"), ("1_0", "1_0"), ("٣", "٣"), ("on", "on"), ("-", "-")),
    ],
)
def test_a_cell_is_a_number_or_a_word(cell: str, value: float | str) -> None:
    assert told(parse(f"N-1,,x,{cell}")) == [("N-1", None, {"x": value}, {})]


def test_each_bad_line_is_refused_alone() -> None:
    text = """device,at,power,mode
N-1,,5,on
N-1,,5
N-1,,5,on,6
N-1,yesterday,5,on
N-1,,1e999,on
"N-1,,5,on
N-1,,,
N-2,,6,off"""
    assert [item.readings for item in parse(text).objects] == [
        {"power": 5, "mode": "on"},
        {"mode": "on"},
        {"power": 6, "mode": "off"},
    ]
    assert refused(text) == {
        "bad-line": [(1, ""), (2, ""), (5, "")],
        "bad-time": [(3, "power"), (3, "mode")],
        "not-a-number": [(4, "power")],
        "no-readings": [(6, "")],
    }


def test_half_a_number_with_a_decimal_comma_is_no_unit() -> None:
    assert refused("N-1,,power,36,1") == {"bad-unit": [(0, "power")]}
    assert refused("power,0,1") == {"bad-unit": [(0, "power")]}
    assert told(parse("power;0,1;1")) == [("GW-1", None, {"power": 0.1}, {"power": "1"})]


def test_half_a_number_is_no_unit_in_a_long_table_either() -> None:
    """0,1 behind a comma would be 0 in the unit 1."""
    assert refused("device,at,name,value,unit\nN-17,,power_factor,0,1\n") == {"bad-unit": [(0, "power_factor")]}
    assert told(parse("device;at;name;value;unit\nN-17;;power_factor;0,1;1\n"))[0][2] == {"power_factor": 0.1}


def test_a_header_is_known_however_it_is_written() -> None:
    assert told(parse("Device;AT;Power [W]\nN-1;2026-11-23T18:00:00Z;36,1")) == [
        ("N-1", AT_US, {"Power": 36.1}, {"Power": "W"})
    ]
    assert told(parse("Name,Value\npower,5\n")) == [("GW-1", None, {"power": 5}, {})]
    assert told(parse("device,Value\nN-1,5\n")) == [("N-1", None, {"Value": 5}, {})]


def test_tabs_separate_too() -> None:
    text = 'device\tat\tpower [W]\tnote\nN-1\t\t36,1\t"a\tb"\nN-2\t\t\t\n'
    message = parse(text)
    assert [(item.device, item.readings) for item in message.objects] == [("N-1", {"power": 36.1, "note": "a\tb"})]
    assert list(message.refused) == ["no-readings"]


def test_a_long_line_without_name_or_value_is_refused() -> None:
    assert refused("N-1,,,5\nN-1,,x,\n" + "N" * 129 + ",,x,1") == {
        "bad-metric-name": [(0, "")],
        "no-readings": [(1, "x")],
        "bad-device": [(2, "x")],
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"\xff\xfe", "not-text"),
        ("", "no-readings"),
        (" \r\n\n", "no-readings"),
        ("device,at,power\n", "no-readings"),
        ("device,at,power,power\nN-1,,5,6", "duplicate-key"),
        ("device,at,power [W],power [kW]\nN-1,,5,6", "duplicate-key"),
        ("device,at,power,\nN-1,,5,", "bad-header"),
        ("device,at,name,value,comment\nN-1,,x,5,y", "bad-header"),
        ("device,at," + ",".join(f"m{n}" for n in range(65)), "too-many-keys"),
        ("N-1,,x,1\n" * (OBJECTS_MAX + 2), "too-many-objects"),
        (" " * (PAYLOAD_BYTES_MAX + 1), "too-large"),
    ],
)
def test_a_message_that_cannot_be_read_is_refused_whole(text: str | bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(text)
    assert caught.value.reason == reason


WORDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=("C", "Z")), min_size=1, max_size=9
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**12), 10**12)


@settings(max_examples=200)
@given(
    st.sampled_from([",", ";"]),
    st.lists(st.tuples(WORDS, WORDS.filter(lambda w: w not in ("device", "at")), NUMBERS), min_size=1, max_size=5),
)
def test_what_an_independent_writer_writes_is_read_back(separator: str, lines: list[tuple[str, str, float]]) -> None:
    out = io.StringIO()
    writer = independent.writer(out, delimiter=separator)
    writer.writerow(["device", "at", "name", "value"])
    writer.writerows([device, "", name, value] for device, name, value in lines)
    text = out.getvalue()
    assert [(device, *readings.items()) for device, _, readings, _ in told(parse(text))] == [
        (device, (name, float(value))) for device, name, value in lines
    ]


@settings(max_examples=300)
@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(str.encode)
    | st.text(',;"\n\r ab1.-[]', max_size=80).map(lambda t: ("device,at" + t).encode())
    | st.builds(lambda t, s: mutated(t.encode(), s), st.sampled_from([WIDE, LONG, BARE]), st.integers(0, 2**32))
)
def test_any_text_is_read_or_refused(payload: bytes) -> None:
    assert_read_or_refused(csv.parse, ORIGIN, payload)


def test_no_payload_takes_long() -> None:
    room = 250_000
    for text in [
        "," * room,
        "\n" * room,
        '"' * room,
        "device,at" + "," * room,
        "device,at,x [" * (room // 13),
        "device,at,x" + " " * room + "[",
        "N-1,,x," + "9" * room,
        "N-1,,x,1\n" * 2000,
        "device,at," + ",".join(f"m{n}" for n in range(64)) + ("\nN-1," + "," * 64) * 1900,
    ]:
        assert seconds(csv.parse, ORIGIN, text.encode()) < 1.0


def test_every_reason_of_the_parser_is_documented() -> None:
    assert undocumented("csv", csv, values) == set()


def test_what_was_refused_comes_back_by_replay_when_the_device_is_known() -> None:
    assert replayed("csv", b"N-1,1795456800000,p,0.036,kW\nN-1,,p,5", "N-1", {"p": "W"}) == [
        (AT_US, 36.0),
        (AT_US, 5.0),
    ]
