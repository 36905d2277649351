"""Sparkplug B: births, aliases, types, sequence, requests, deaths; state that follows the log, letters that return."""

import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.integration import Integration, Origin, Routes
from city.registry import IngestRegistry, KnownDevice, SeriesTarget
from ingest.bundle import Bundled
from ingest.formats import (
    Formats,
    ParsedMessage,
    Receipt,
    Unreadable,
    sparkplug_b,
    sparkplug_explain,
    sparkplug_follow,
    sparkplug_metrics,
    sparkplug_sessions,
    sparkplug_topics,
    sparkplug_values,
)
from ingest.formats.parsed import KEYS_MAX, OBJECTS_MAX
from ingest.formats.sparkplug_births import Birth, BirthBook, BirthTold, Definition
from ingest.meta import FlushOptions
from ingest.records import Flush
from ingest.replay import resolve_letter
from stream import codec
from stream.codec import DeadLetter, RecordMeta
from tests.ingest.formats.checks import DOCS, undocumented
from tests.ingest.formats.hostile import mutated, outcome
from tests.ingest.formats.sparkplug_encoder import AT_MS, REBIRTH, Payload, bd_seq, payload

AT = AT_MS * 1000
MINUTE = 60_000_000
LIVE = Receipt(AT, live=True)
NODE_BIRTH = payload(
    bd_seq(3),
    REBIRTH,
    {"name": "mains/voltage", "alias": 1, "datatype": 9, "float_value": 230.0, "timestamp": AT_MS, "unit": "V"},
)
DEVICE_BIRTH = payload(
    {"name": "power", "alias": 2, "datatype": 10, "double_value": 36.1, "unit": "kW"},
    {"name": "level", "alias": 3, "datatype": 1, "int_value": 0xFF},
    seq=1,
)


def origin(kind: str, device: str = "", edge: str = "E-1", group: str = "city") -> Origin:
    topic = f"spBv1.0/{group}/{kind}/{edge}" + (f"/{device}" if device else "")
    return Origin(topic, "sparkplug-b", edge, {})


class Node:
    """A node whose messages a bridge parses."""

    def __init__(self, formats: Formats | None = None) -> None:
        self.formats = formats or Formats()
        self.at = AT

    def send(self, kind: str, body: bytes, device: str = "", *, live: bool = True) -> ParsedMessage:
        return self.formats.parse(origin(kind, device), body, Receipt(self.at, live))

    def born(self) -> "Node":
        self.send("NBIRTH", NODE_BIRTH)
        self.send("DBIRTH", DEVICE_BIRTH, "D-1")
        return self


def values(message: ParsedMessage) -> dict[str, float | str]:
    return {name: value for item in message.objects for name, value in item.readings.items()}


def read(datatype: int | None, **field: Any) -> ParsedMessage:
    return Node().send("NBIRTH", payload({"name": "x", "datatype": datatype, **field}))


# Births, aliases, data


def test_births_give_values_and_aliases_by_which_data_are_read() -> None:
    node = Node()
    first = node.send("NBIRTH", NODE_BIRTH)
    [item] = first.objects
    assert (item.device, item.at_us, item.readings, item.units) == (
        "E-1",
        AT,
        {"mains/voltage": 230.0},
        {"mains/voltage": "V"},
    )
    assert (first.state, first.commands, first.refused) == ("online", [], {})
    second = node.send("DBIRTH", DEVICE_BIRTH, "D-1")
    assert second.objects[0].device == "E-1/D-1"
    assert values(second) == {"power": 36.1, "level": -1}
    data = payload({"alias": 2, "double_value": 0.5, "timestamp": AT_MS + 1000}, {"alias": 3, "int_value": 7}, seq=2)
    third = node.send("DDATA", data, "D-1")
    assert [(i.at_us, i.readings, i.units) for i in third.objects] == [
        (AT + 1_000_000, {"power": 0.5}, {"power": "kW"}),
        (AT, {"level": 7}, {}),
    ]
    assert node.send("NDATA", payload({"alias": 1, "float_value": 1.5}, seq=3)).objects[0].units == {
        "mains/voltage": "V"
    }


def test_an_alias_of_the_node_means_nothing_in_a_devices_message() -> None:
    message = Node().born().send("DDATA", payload({"alias": 1, "float_value": 1.5}, seq=2), "D-1")
    assert message.refused["no-birth"].only == [(0, "")]


def test_a_metric_that_says_all_of_itself_needs_no_birth() -> None:
    message = Node().send(
        "NDATA",
        payload(
            {"name": "a", "datatype": 1, "int_value": 5, "unit": "V"},
            {"name": "b", "double_value": 0.5, "unit": "kW"},
            {"name": "on", "boolean_value": True},
            {"name": "off", "datatype": 11, "int_value": 0},
            {"name": "state", "string_value": "ON"},
            {"name": "since", "datatype": 13, "long_value": AT_MS},
            {"name": "c", "int_value": 5, "unit": "V"},
            {"name": "d", "datatype": 10, "double_value": 5.0},
            {"name": "e", "datatype": 31, "bytes_value": struct.pack("<2d", 1.0, 2.0)},
        ),
    )
    assert values(message) == {"a": 5, "b": 0.5, "on": 1, "off": 0, "state": "ON", "since": AT_MS}
    assert list(message.refused) == ["no-birth"]
    assert message.refused["no-birth"].only == [(0, "c"), (0, "d"), (0, "e/0"), (0, "e/1")]


@pytest.mark.parametrize("seq", [2, 3])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_number_never_loses_the_unit_of_its_birth(seq: int, restarted: bool) -> None:
    """After a restart, or a message that was lost, 1.25 kW are no 1.25 W."""
    node = Node().born()
    if restarted:
        node.formats = Formats()
    message = node.send("DDATA", payload({"name": "power", "datatype": 10, "double_value": 1.25}, seq=seq), "D-1")
    if seq == 2 and not restarted:
        assert message.objects[0].units == {"power": "kW"}
        return
    assert (message.objects, message.refused["no-birth"].only) == ([], [(0, "power")])
    assert [topic for topic, _ in message.commands] == ["spBv1.0/city/NCMD/E-1"]


def test_many_metrics_of_one_time_are_several_objects_and_times_keep_their_places() -> None:
    metrics = [{"name": f"m{n}", "datatype": 10, "double_value": n, "timestamp": AT_MS + n % 2} for n in range(300)]
    message = Node().send("NBIRTH", payload(*metrics))
    assert len(values(message)) == 300
    assert {(item.position, item.at_us) for item in message.objects} == {(0, AT), (1, AT + 1000)}
    assert all(len(item.readings) <= KEYS_MAX for item in message.objects)


def test_history_is_read_at_its_own_times_beside_each_other() -> None:
    metrics = [
        {"name": "p", "datatype": 10, "double_value": n, "timestamp": AT_MS - n * 60_000, "is_historical": True}
        for n in range(5)
    ]
    message = Node().send("NBIRTH", payload(*metrics))
    assert [(item.at_us, item.readings["p"]) for item in message.objects] == [(AT - n * MINUTE, n) for n in range(5)]
    assert message.sent_at_us == AT


def test_null_transient_and_control_metrics_measure_nothing() -> None:
    message = Node().send(
        "NDATA",
        payload(
            {"name": "a", "datatype": 10, "is_null": True},
            {"name": "b", "datatype": 10, "double_value": 1, "is_transient": True},
            bd_seq(1),
            REBIRTH,
            {"name": "Device Control/Reboot", "datatype": 11, "boolean_value": True},
        ),
    )
    assert (message.objects, message.refused) == ([], {})


@pytest.mark.parametrize(("quality", "passes"), [(192, True), (0, False), (500, False)])
def test_what_its_sender_does_not_vouch_for_is_set_aside(quality: int, passes: bool) -> None:
    message = read(10, double_value=1.0, quality=quality)
    assert bool(message.objects) is passes
    assert list(message.refused) == ([] if passes else ["bad-quality"])


# Types


@pytest.mark.parametrize(
    ("datatype", "field", "expected"),
    [
        (1, {"int_value": 0xFF}, -1),
        (1, {"int_value": 0xFFFFFF80}, -128),
        (1, {"int_value": 127}, 127),
        (2, {"int_value": 0x8000}, -32768),
        (2, {"int_value": 0xFFFF8AD0}, -30000),
        (3, {"int_value": 0xFFFFFFFF}, -1),
        (3, {"int_value": 2**31 - 1}, 2**31 - 1),
        (3, {"long_value": 2**64 - 5}, -5),
        (4, {"long_value": 2**64 - 1}, -1),
        (4, {"long_value": 2**63 - 1}, 2**63 - 1),
        (4, {"int_value": 7}, 7),
        (5, {"int_value": 250}, 250),
        (6, {"int_value": 65535}, 65535),
        (7, {"int_value": 2**32 - 1}, 2**32 - 1),
        (7, {"long_value": 2**32 - 1}, 2**32 - 1),
        (8, {"long_value": 2**64 - 1}, 2**64 - 1),
        (9, {"float_value": 1.5}, 1.5),
        (10, {"double_value": -0.1}, -0.1),
        (11, {"boolean_value": True}, 1),
        (11, {"boolean_value": False}, 0),
        (12, {"string_value": "ON"}, "ON"),
        (14, {"string_value": ""}, ""),
        (15, {"string_value": "b3b5"}, "b3b5"),
        (13, {"long_value": AT_MS}, AT_MS),
    ],
)
def test_every_scalar_type_is_read_as_its_sender_meant_it(
    datatype: int, field: dict[str, Any], expected: float | str
) -> None:
    message = read(datatype, **field)
    assert message.refused == {}
    assert values(message) == {"x": expected}


def test_a_date_has_the_unit_of_its_type() -> None:
    assert read(13, long_value=AT_MS).objects[0].units == {"x": "ms"}


@pytest.mark.parametrize(
    ("datatype", "data", "expected"),
    [
        # The specification prints EF for -23, floats in big endian, and dates of six bytes, all against its own text.
        (22, "E97B", [-23, 123]),
        (23, "D08A3075", [-30000, 30000]),
        (24, "FFFFFFFFFAAFCB12", [-1, 315338746]),
        (25, "CE0672AC189CBAC4C4BA9C18AC7206CE", [-4270929666821191986, -3601064768563266876]),
        (26, "17FA", [23, 250]),
        (27, "1E0088CC", [30, 52360]),
        (28, "3400000049FB55C4", [52, 3293969225]),
        (29, "3400000000000000D99E02D1B27637E4", [52, 16444743074749521625]),
        (32, "0C00000034D0", [0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1]),
        (33, "4142430068656c6c6f00", ["ABC", "hello"]),
        (34, "C7D0907524010000B8BAB89781010000", [1256102875335, 1656107875000]),
        (30, struct.pack("<2f", 1.5, -2.25).hex(), [1.5, -2.25]),
        (31, struct.pack("<2d", 12.354213, 1022.9123213).hex(), [12.354213, 1022.9123213]),
        (22, "", []),
    ],
)
def test_arrays_of_the_specification_are_read_element_by_element(
    datatype: int, data: str, expected: list[float | str]
) -> None:
    message = read(datatype, bytes_value=bytes.fromhex(data))
    assert message.refused == {}
    assert values(message) == {f"x/{place}": value for place, value in enumerate(expected)}


def test_a_table_is_read_by_column_and_by_row_where_it_has_several() -> None:
    def table(*rows: tuple[float, bool]) -> bytes:
        message = Payload(timestamp=AT_MS, seq=0)
        told = message.metrics.add(name="t", datatype=16).dataset_value
        told.num_of_columns = 2
        told.columns.extend(["power", "on"])
        told.types.extend([10, 11])
        for power, on in rows:
            row = told.rows.add()
            row.elements.add(double_value=power)
            row.elements.add(boolean_value=on)
        return bytes(message.SerializeToString())

    assert values(Node().send("NBIRTH", table((1.5, True)))) == {"t/power": 1.5, "t/on": 1}
    several = values(Node().send("NBIRTH", table((1.5, True), (2.5, False))))
    assert several == {"t/0/power": 1.5, "t/0/on": 1, "t/1/power": 2.5, "t/1/on": 0}


def test_a_templates_members_are_read_and_its_definition_is_not() -> None:
    def template(*, definition: bool, depth: int = 1) -> bytes:
        message = Payload(timestamp=AT_MS, seq=0)
        inner = message.metrics.add(name="lamp", datatype=19).template_value
        inner.is_definition = definition
        for _ in range(depth - 1):
            inner = inner.metrics.add(name="in", datatype=19).template_value
            inner.is_definition = definition
        inner.metrics.add(name="power", datatype=10, double_value=2.5)
        inner.metrics.add(name="off", datatype=10, is_null=True)
        return bytes(message.SerializeToString())

    assert values(Node().send("NBIRTH", template(definition=False))) == {"lamp/power": 2.5}
    assert values(Node().send("NBIRTH", template(definition=False, depth=3))) == {"lamp/in/in/power": 2.5}
    assert Node().send("NBIRTH", template(definition=True)).objects == []
    assert list(Node().send("NBIRTH", template(definition=False, depth=9)).refused) == ["bad-value"]


def test_a_templates_member_keeps_its_unit_and_its_time() -> None:
    def template(*members: dict[str, Any]) -> bytes:
        told = Payload.FromString(payload(*members))
        message = Payload(timestamp=AT_MS, seq=0)
        inner = message.metrics.add(name="lamp", datatype=19, timestamp=AT_MS - 1000).template_value
        inner.metrics.extend(told.metrics)
        return bytes(message.SerializeToString())

    power = {"name": "power", "datatype": 10, "double_value": 2.5}
    message = Node().send(
        "NBIRTH", template({**power, "unit": "kW", "timestamp": AT_MS - 5000}, {**power, "name": "p"})
    )
    assert [(item.at_us, item.readings, item.units) for item in message.objects] == [
        (AT - 5_000_000, {"lamp/power": 2.5}, {"lamp/power": "kW"}),
        (AT - 1_000_000, {"lamp/p": 2.5}, {}),
    ]
    assert list(Node().send("NBIRTH", template({**power, "quality": 0})).refused) == ["bad-quality"]
    assert list(Node().send("NBIRTH", template({**power, "timestamp": 2**60})).refused) == ["bad-time"]
    assert list(Node().send("NBIRTH", template({"datatype": 10, "double_value": 1.0})).refused) == ["bad-metric-name"]


def test_a_templates_member_keeps_type_and_unit_of_its_birth() -> None:
    def template(*members: dict[str, Any], seq: int) -> bytes:
        told = Payload.FromString(payload(*members))
        message = Payload(timestamp=AT_MS, seq=seq)
        inner = message.metrics.add(name="lamp", datatype=19).template_value
        deeper = inner.metrics.add(name="in", datatype=19).template_value
        inner.metrics.extend(told.metrics)
        deeper.metrics.extend(told.metrics)
        return bytes(message.SerializeToString())

    node = Node()
    first = template({"name": "power", "datatype": 3, "int_value": 5, "unit": "kW"}, seq=0)
    data = template({"name": "power", "int_value": 0xFFFFFFFF}, seq=1)
    assert node.send("NBIRTH", first).objects[0].units == {"lamp/in/power": "kW", "lamp/power": "kW"}
    [item] = node.send("NDATA", data).objects
    assert item.readings == {"lamp/in/power": -1, "lamp/power": -1}
    assert item.units == {"lamp/in/power": "kW", "lamp/power": "kW"}
    assert Node().send("NDATA", data).refused["no-birth"].only == [(0, "lamp/in/power"), (0, "lamp/power")]


def test_one_bad_value_sets_none_of_its_neighbours_aside() -> None:
    member = {"datatype": 10, "double_value": 2.5}
    told = Payload.FromString(
        payload(
            {**member, "name": "a"},
            {**member, "name": "b", "quality": 500},
            {**member, "name": "c", "timestamp": 2**60},
            {**member, "name": "d", "double_value": float("nan"), "timestamp": AT_MS + 9},
            {**member, "name": "e" * 130},
            {"name": "f", "datatype": 3, "float_value": 1.0},
            member,
            {"name": "g", "datatype": 19, "template_value": {"metrics": [{"name": "x"}, {**member, "name": "y"}]}},
            {**member, "name": "h"},
        )
    )
    message = Payload(timestamp=AT_MS, seq=0)
    message.metrics.add(name="t", datatype=19).template_value.metrics.extend(told.metrics)
    found = Node().send("NBIRTH", bytes(message.SerializeToString()))
    assert values(found) == {"t/a": 2.5, "t/g/y": 2.5, "t/h": 2.5}
    assert {reason: refusal.only for reason, refusal in found.refused.items()} == {
        "bad-quality": [(0, "t/b")],
        "bad-time": [(0, "t/c")],
        "not-a-number": [(1, "t/d"), (0, "t/g/x")],
        "bad-metric-name": [(0, "t/" + "e" * 126), (0, "t")],
        "bad-value": [(0, "t/f")],
    }
    floats = read(30, bytes_value=struct.pack("<3f", 1.0, float("nan"), 3.0))
    assert (values(floats), floats.refused["not-a-number"].only) == ({"x/0": 1.0, "x/2": 3.0}, [(0, "x/1")])
    words = read(33, bytes_value=b"on\x00\xff\x00off\x00")
    assert (values(words), words.refused["not-a-number"].only) == ({"x/0": "on", "x/2": "off"}, [(0, "x/1")])
    table = Payload(timestamp=AT_MS, seq=0)
    cells = table.metrics.add(name="t", datatype=16).dataset_value
    cells.columns.extend(["p", "q"])
    cells.types.extend([10, 10])
    row = cells.rows.add()
    row.elements.add(double_value=1.5)
    row.elements.add(boolean_value=True)
    found = Node().send("NBIRTH", bytes(table.SerializeToString()))
    assert (values(found), found.refused["bad-value"].only) == ({"t/p": 1.5}, [(0, "t/q")])


@pytest.mark.parametrize(
    ("datatype", "field", "reason"),
    [
        (1, {"int_value": 200_000}, "bad-value"),
        (5, {"int_value": 256}, "bad-value"),
        (3, {"long_value": 2**40}, "bad-value"),
        (9, {"int_value": 1}, "bad-value"),
        (3, {"float_value": 1.0}, "bad-value"),
        (12, {"double_value": 1.0}, "bad-value"),
        (99, {"int_value": 1}, "bad-value"),
        (9, {"float_value": float("nan")}, "not-a-number"),
        (10, {"double_value": float("inf")}, "not-a-number"),
        (12, {"string_value": "x" * 200}, "not-a-number"),
        (17, {"bytes_value": b"raw"}, "not-a-number"),
        (18, {"bytes_value": b"file"}, "not-a-number"),
        (10, {}, "not-a-number"),
        (24, {"bytes_value": b"123"}, "bad-value"),
        (32, {"bytes_value": b"\x09\x00\x00\x00\x01"}, "bad-value"),
        (32, {"bytes_value": b"\x09"}, "bad-value"),
        (33, {"bytes_value": b"\xff\x00"}, "not-a-number"),
        (22, {"bytes_value": bytes(3000)}, "too-many-keys"),
        (10, {"double_value": 1.0, "timestamp": 2**63}, "bad-time"),
    ],
)
def test_what_no_sensor_measures_is_refused_by_itself(datatype: int, field: dict[str, Any], reason: str) -> None:
    body = payload({"name": "x", "datatype": datatype, **field}, {"name": "good", "datatype": 10, "double_value": 1})
    message = Node().send("NBIRTH", body)
    assert list(message.refused) == [reason]
    assert values(message) == {"good": 1.0}


def test_more_times_than_objects_are_refused() -> None:
    metrics = [{"name": "p", "datatype": 11, "boolean_value": True, "timestamp": n} for n in range(OBJECTS_MAX + 5)]
    message = Node().send("NBIRTH", payload(*metrics))
    assert len(message.objects) == OBJECTS_MAX
    assert len(message.refused["too-many-objects"].only) == 5


# Sessions: sequence, rebirths, deaths


def test_messages_are_numbered_across_the_turn_of_the_sequence() -> None:
    node = Node().born()
    numbers = [node.send("NDATA", payload(seq=seq % 256)).number for seq in range(2, 600)]
    assert numbers == list(range(2, 600))


def test_births_begin_a_new_run_of_numbers() -> None:
    node = Node()
    first = node.send("NBIRTH", NODE_BIRTH)
    again = node.send("NBIRTH", payload(bd_seq(4), seq=0, timestamp=AT_MS + 5))
    assert first.epoch.endswith(f".3.{AT_MS}")
    assert again.epoch != first.epoch
    assert (first.number, again.number) == (0, 0)
    other = Formats().parse(origin("NBIRTH", group="other"), NODE_BIRTH, LIVE)
    assert other.epoch != first.epoch, "nodes of one gateway do not share their numbers"


def test_a_gap_leaves_its_numbers_out_and_asks_for_births() -> None:
    node = Node().born()
    message = node.send("NDATA", payload(seq=5))
    assert message.number == 5
    [(topic, command)] = message.commands
    assert topic == "spBv1.0/city/NCMD/E-1"
    [metric] = Payload.FromString(command).metrics
    assert (metric.name, metric.datatype, metric.boolean_value) == ("Node Control/Rebirth", 11, True)
    assert metric.timestamp == AT_MS
    late = node.send("NDATA", payload(seq=3))
    assert (late.number, late.commands) == (3, []), "what comes late fills its gap"
    assert node.send("NDATA", payload(seq=5)).number == 5, "what comes again has the same number"
    assert node.send("NDATA", payload(seq=6)).number == 6


def test_after_a_gap_nothing_is_read_by_a_birth_that_may_be_over() -> None:
    """What was lost may have been a birth, and alias 1 may be another metric now."""
    node = Node().born()
    volts, watts = {"alias": 1, "float_value": 2.0}, {"alias": 2, "double_value": 0.5}
    named = {"name": "mains/current", "datatype": 9, "float_value": 0.2, "unit": "A"}
    gap = node.send("NDATA", payload(volts, named, seq=3))
    assert (values(gap), list(gap.refused)) == ({"mains/current": pytest.approx(0.2)}, ["no-birth"])
    assert len(gap.commands) == 1
    assert list(node.send("NDATA", payload(volts, seq=4)).refused) == ["no-birth"]
    assert list(node.send("DDATA", payload(watts, seq=5), "D-1").refused) == ["no-birth"], "of its devices neither"
    unsure = node.send("NDATA", payload({"name": "mains/voltage", "int_value": 230}, seq=6))
    assert list(unsure.refused) == ["no-birth"], "nor by the type that it had"
    node.send("DBIRTH", DEVICE_BIRTH.replace(b"\x18\x01", b"\x18\x07"), "D-1")
    assert values(node.send("DDATA", payload(watts, seq=8), "D-1")) == {"power": 0.5}, "it has told of itself since"
    assert list(node.send("NDATA", payload(volts, seq=9)).refused) == ["no-birth"]
    node.born()
    assert values(node.send("NDATA", payload(volts, seq=2))) == {"mains/voltage": 2.0}


@pytest.mark.parametrize("lost", [1, 100, 127, 128, 200, 254, 255])
def test_a_gap_is_seen_however_wide_it_is(lost: int) -> None:
    node = Node().born()
    seq = 2 + lost
    body = payload({"alias": 1, "float_value": 2.0}, seq=seq % 256, timestamp=AT_MS + lost * 1000)
    message = node.send("NDATA", body)
    assert (message.number, list(message.refused)) == (seq, ["no-birth"])
    assert message.commands


def test_what_comes_again_after_a_reconnection_is_read_as_before_and_changes_nothing() -> None:
    node = Node().born()
    story = [
        ("NDATA", payload({"alias": 1, "float_value": 2.0}, seq=2, timestamp=AT_MS + 1), ""),
        ("DBIRTH", DEVICE_BIRTH.replace(b"\x18\x01", b"\x18\x03"), "D-1"),
        ("NDATA", payload({"alias": 1, "float_value": 3.0}, seq=4, timestamp=AT_MS + 2), ""),
    ]
    first = [node.send(*one) for one in story]
    again = [node.send(*one) for one in story]
    assert first == again
    assert all(not message.commands and not message.refused for message in again)
    assert values(node.send("NDATA", payload({"alias": 1, "float_value": 4.0}, seq=5))) == {"mains/voltage": 4.0}


def test_what_is_older_than_the_nodes_birth_is_not_read_by_it() -> None:
    node = Node().born()
    late = node.send("NDATA", payload({"alias": 1, "float_value": 2.0}, seq=250, timestamp=AT_MS - 60_000))
    assert (late.number, list(late.refused)) == (None, ["no-birth"])


def test_births_are_asked_for_once_a_minute_and_by_no_letter_or_stranger() -> None:
    node = Node()
    data = payload({"alias": 1, "float_value": 2.0}, seq=5)
    asked = [len(node.send("NDATA", data).commands) for _ in range(5)]
    assert asked == [1, 0, 0, 0, 0]
    node.at += MINUTE
    assert node.send("NDATA", data).commands
    node.at += MINUTE
    assert node.send("NDATA", data, live=False).commands == []
    assert node.send("NBIRTH", NODE_BIRTH, live=False).number is None
    assert node.send("NDATA", data).refused, "what is not live is not remembered"


def test_a_device_without_a_birth_is_asked_for_with_its_node() -> None:
    node = Node()
    node.send("NBIRTH", NODE_BIRTH)
    message = node.send("DDATA", payload({"alias": 2, "double_value": 1.0}, seq=1), "D-1")
    assert list(message.refused) == ["no-birth"]
    assert [topic for topic, _ in message.commands] == ["spBv1.0/city/NCMD/E-1"]


def test_a_death_ends_its_own_session_and_no_later_one() -> None:
    node = Node().born()
    late = node.send("NDEATH", payload(bd_seq(2), seq=None))
    assert late.state == "online", "the will of the session before"
    assert values(node.send("NDATA", payload({"alias": 1, "float_value": 2.0}, seq=2)))
    death = node.send("NDEATH", payload(bd_seq(3), seq=None))
    assert (death.state, death.number, death.objects) == ("offline", None, [])
    assert list(node.send("NDATA", payload({"alias": 1, "float_value": 2.0}, seq=3)).refused) == ["no-birth"]
    assert Node().send("NDEATH", payload(bd_seq(3), seq=None)).state == "offline"


def test_the_death_of_a_device_is_numbered_and_ends_what_is_known_of_it() -> None:
    node = Node().born()
    death = node.send("DDEATH", payload(seq=2), "D-1")
    assert (death.number, death.state) == (2, "")
    assert list(node.send("DDATA", payload({"alias": 2, "double_value": 1.0}, seq=3), "D-1").refused) == ["no-birth"]
    assert values(node.send("NDATA", payload({"alias": 1, "float_value": 2.0}, seq=4)))


def test_a_gateway_that_answers_for_many_nodes_is_not_offline_with_one_of_them() -> None:
    one = origin("NDEATH")._replace(gateway="BROKER")
    assert Formats().parse(one, payload(bd_seq(3), seq=None), LIVE).state == ""


@pytest.mark.parametrize("topic", ["spBv1.0/STATE/host", "spBv1.0/city/NCMD/E-1", "spBv1.0/city/DCMD/E-1/D-1"])
def test_words_of_hosts_measure_nothing(topic: str) -> None:
    message = Formats().parse(Origin(topic, "sparkplug-b", "E-1", {}), b"not protobuf", LIVE)
    assert (message.objects, message.refused, message.commands) == ([], {}, [])


@pytest.mark.parametrize(
    ("topic", "body", "reason"),
    [
        ("citynerve/v1/E-1/sparkplug-b", b"", "bad-topic"),
        ("spBv1.0/city/NDATA/E-1/D-1", b"", "bad-topic"),
        ("spBv1.0/city/DDATA/E-1", b"", "bad-topic"),
        ("spBv1.0/city/WHAT/E-1", b"", "bad-topic"),
        ("spBv1.0/city/NDATA/" + "x" * 129, b"", "bad-topic"),
        ("spBv1.0/city/DDATA/" + "x" * 100 + "/" + "y" * 100, b"", "bad-device"),
        ("spBv1.0/city/NDATA/E-1", b"\xff", "not-sparkplug"),
        ("spBv1.0/city/NDATA/E-1", b"{}", "not-sparkplug"),
        ("spBv1.0/city/NDATA/E-1", payload(*[{"name": "x"}] * 5001), "not-sparkplug"),
        ("spBv1.0/city/NDATA/E-1", bytes(300_000), "too-large"),
    ],
)
def test_what_is_no_sparkplug_is_set_aside(topic: str, body: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        Formats().parse(Origin(topic, "sparkplug-b", "E-1", {}), body, LIVE)
    assert caught.value.reason == reason


def test_a_payload_in_bytes_of_its_own_is_set_aside_and_is_no_gap() -> None:
    node = Node().born()
    message = node.send("NDATA", payload(uuid="SPBV1.0_COMPRESSED", body=b"zip", seq=2))
    assert (message.number, list(message.refused), message.commands) == (2, ["unread-body"], [])
    assert values(node.send("NDATA", payload({"alias": 1, "float_value": 2.0}, seq=3))) == {"mains/voltage": 2.0}


# State follows the log


def test_state_does_not_run_ahead_of_what_was_appended() -> None:
    node = Node().born()
    sessions = node.formats.sessions
    sessions.commit(sessions.take_changes())
    data = payload({"alias": 1, "float_value": 2.0}, seq=2)
    reborn = payload(bd_seq(4), {"name": "other", "alias": 1, "datatype": 9, "float_value": 9.0})
    expected = node.send("NDATA", data)
    node.send("NBIRTH", reborn)
    lost = sessions.take_changes()
    sessions.roll_back()
    assert node.send("NDATA", data) == expected, "what comes again is read as before"
    node.send("NBIRTH", reborn)
    sessions.commit(lost)
    assert node.send("NDATA", payload({"alias": 1, "float_value": 2.0}, seq=1)).objects[0].readings == {"other": 2.0}
    sessions.commit(sessions.take_changes())
    sessions.roll_back()
    assert values(node.send("NDATA", payload({"alias": 1, "float_value": 2.0}, seq=2))) == {"other": 2.0}
    sessions.forget()
    assert list(node.send("NDATA", payload({"alias": 1, "float_value": 2.0}, seq=3)).refused) == ["no-birth"]


def test_a_request_that_was_not_sent_is_made_again() -> None:
    node = Node()
    data = payload({"alias": 1, "float_value": 2.0}, seq=5)
    assert node.send("NDATA", data).commands
    node.formats.sessions.roll_back()
    assert node.send("NDATA", data).commands


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparkplug_sessions, "DEFINITIONS_MAX", 10)
    monkeypatch.setattr(sparkplug_sessions, "DEFINITIONS_TOTAL_MAX", 30)
    monkeypatch.setattr(sparkplug_sessions, "NODES_MAX", 8)
    formats = Formats()
    metrics = [{"name": f"m{n}", "alias": n, "datatype": 9, "float_value": 1.0} for n in range(4)]
    for edge in range(20):
        formats.parse(origin("NBIRTH", edge=f"E-{edge}"), payload(bd_seq(1), *metrics), LIVE)
        for device in range(5):
            formats.parse(origin("DBIRTH", f"D-{device}", edge=f"E-{edge}"), payload(*metrics, seq=device + 1), LIVE)
    kept = formats.sessions._now
    assert sum(one.size for one in kept.values()) <= 30
    assert all(len(one.births) <= 3 for one in kept.values())
    last = formats.parse(origin("DDATA", "D-4", edge="E-19"), payload({"alias": 1, "float_value": 5.0}, seq=6), LIVE)
    assert values(last) == {"m1": 5.0}


# Letters


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


# Any bytes


@given(
    st.binary(max_size=300)
    | st.sampled_from([NODE_BIRTH, DEVICE_BIRTH]).flatmap(
        lambda body: st.integers().map(lambda seed: mutated(body, seed))
    ),
    st.sampled_from(["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"]),
)
@settings(max_examples=600)
def test_no_input_raises_anything_but_a_reason(body: bytes, kind: str) -> None:
    where = origin(kind, "D-1" if kind[0] == "D" else "")
    formats = Node().born().formats
    outcome(lambda o, b: formats.parse(o, b, LIVE), where, body)
    sparkplug_explain.explain(body)


METRIC = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(max_size=12) | st.sampled_from(["bdSeq", "power", "Node Control/Rebirth"]),
        "alias": st.integers(0, 4) | st.integers(0, 2**64 - 1),
        "timestamp": st.integers(0, 2**64 - 1) | st.just(AT_MS),
        "datatype": st.integers(0, 40),
        "is_null": st.booleans(),
        "is_transient": st.booleans(),
        "quality": st.sampled_from([0, 192, 500]),
        "unit": st.text(max_size=40),
    },
).flatmap(
    lambda metric: st.one_of(
        st.just({}),
        st.fixed_dictionaries({"int_value": st.integers(0, 2**32 - 1)}),
        st.fixed_dictionaries({"long_value": st.integers(0, 2**64 - 1)}),
        st.fixed_dictionaries({"float_value": st.floats(width=32)}),
        st.fixed_dictionaries({"double_value": st.floats()}),
        st.fixed_dictionaries({"boolean_value": st.booleans()}),
        st.fixed_dictionaries({"string_value": st.text(max_size=150)}),
        st.fixed_dictionaries({"bytes_value": st.binary(max_size=40)}),
    ).map(lambda value: {**metric, **value})
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"]),
            st.lists(METRIC, max_size=5),
            st.none() | st.integers(0, 300),
        ),
        max_size=8,
    )
)
@settings(max_examples=300)
def test_whatever_nodes_say_one_after_the_other_is_read_or_refused(
    story: list[tuple[str, list[dict[str, Any]], int | None]],
) -> None:
    formats = Formats()
    for kind, metrics, seq in story:
        where = origin(kind, "D-1" if kind[0] == "D" else "")
        body = payload(*metrics, seq=seq)
        message = outcome(lambda o, b: formats.parse(o, b, LIVE), where, body)
        assert message is not None
        assert message.number is None or 0 <= message.number < 2**40
        assert len(message.epoch) <= 64
        for told in formats.sessions.take_changes().births:
            assert "\x00" not in repr(told.birth).replace("\\x00", "")


def test_every_reason_is_documented() -> None:
    modules = (sparkplug_b, sparkplug_metrics, sparkplug_topics, sparkplug_values)
    assert undocumented("sparkplug-b", *modules) == set()
    source = "".join(Path(str(one.__file__)).read_text() for one in modules)
    reasons = set(re.findall(r'Unfit\(\s*"([a-z-]+)"', source))
    page = (DOCS / "sparkplug-b.md").read_text()
    assert reasons
    assert {reason for reason in reasons if f"`{reason}`" not in page} == set()


def test_a_payload_is_explained_to_people() -> None:
    told = sparkplug_explain.explain(DEVICE_BIRTH)
    assert "timestamp 1795456800000 ms, seq 1, 2 metrics" in told
    assert "power, alias 2, type 10, = 36.1, kW" in told
    assert sparkplug_explain.explain(b"\xff").startswith("not a Sparkplug B payload")
    assert len(sparkplug_explain.explain(payload(*[{"name": "x" * 100}] * 4000))) < 21_000
