"""Sparkplug B: births, aliases, types, and any bytes."""

import re
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.formats import (
    Formats,
    sparkplug_b,
    sparkplug_explain,
    sparkplug_metrics,
    sparkplug_topics,
    sparkplug_values,
)
from ingest.formats.parsed import KEYS_MAX, OBJECTS_MAX
from tests.ingest.formats.checks import DOCS, undocumented
from tests.ingest.formats.hostile import assert_read_or_refused, mutated
from tests.ingest.formats.sparkplug_encoder import AT_MS, REBIRTH, Payload, bd_seq, payload
from tests.ingest.formats.sparkplug_node import AT, DEVICE_BIRTH, LIVE, MINUTE, NODE_BIRTH, Node, origin, read, values

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
    assert_read_or_refused(lambda o, b: formats.parse(o, b, LIVE), where, body)
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
        message = assert_read_or_refused(lambda o, b: formats.parse(o, b, LIVE), where, body)
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
