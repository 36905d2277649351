"""Sparkplug B: sequence, requests for births, deaths; state that follows the log."""

import pytest

from city.integration import Origin
from ingest.formats import (
    Formats,
    Unreadable,
    sparkplug_sessions,
)
from tests.ingest.formats.sparkplug_encoder import AT_MS, Payload, bd_seq, payload
from tests.ingest.formats.sparkplug_node import DEVICE_BIRTH, LIVE, MINUTE, NODE_BIRTH, Node, origin, values


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
