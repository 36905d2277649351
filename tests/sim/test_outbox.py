"""The gateways' memory on disk."""

import json
from pathlib import Path

import pytest

from city.errors import EngineError
from sim.outbox import Outbox, sent_readings


def message(value: float) -> bytes:
    reading = {"device": "D", "at": "2026-11-23T18:00:00Z", "co2_ppm": value}
    return json.dumps({"n": 1, "epoch": "e", "readings": [reading]}).encode()


def test_what_was_put_is_there_after_a_kill(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "outbox.sqlite")
    first.put([("G", message(1)), ("H", message(2)), ("G", message(3))], {"G": 77})
    # Not closed: the next process finds what a killed one left.
    with Outbox(tmp_path / "outbox.sqlite") as second:
        assert second.progress() == {"G": 77}
        assert [payload for _, payload in second.after("G", 0, 10)] == [message(1), message(3)]
        assert [value for *_, value in second.sent()] == [1, 2, 3]
        assert second.pending("G") == 2
    first.close()
    assert next(iter(sent_readings(tmp_path / "outbox.sqlite"))) == ("D", "co2_ppm", 1_795_456_800_000_000, 1.0)


def test_messages_come_in_order_and_in_bounded_numbers() -> None:
    with Outbox() as outbox:
        outbox.put([("G", message(i)) for i in range(5)])
        first = outbox.after("G", 0, 2)
        second = outbox.after("G", first[-1][0], 9)
        assert [p for _, p in first + second] == [message(i) for i in range(5)]
        assert outbox.last_id("G") == second[-1][0]
        assert outbox.last_id("H") == 0


def test_it_resends_from_the_first_that_is_open_or_fresh() -> None:
    with Outbox() as outbox:
        outbox.put([("G", message(i)) for i in range(4)])
        ids = [i for i, _ in outbox.after("G", 0, 9)]
        outbox.acknowledge(ids, 100)
        assert outbox.resend_from("G", 101) is None
        assert outbox.resend_from("G", 100) == ids[0]
        outbox.acknowledge(ids[2:3], 200)
        assert outbox.resend_from("G", 150) == ids[2]
        assert outbox.last_acknowledged_us("G") == 200
        assert outbox.last_acknowledged_us("H") is None


def test_only_what_was_acknowledged_long_ago_is_forgotten() -> None:
    with Outbox() as outbox:
        outbox.put([("G", message(i)) for i in range(3)] + [("H", message(9))])
        ids = [i for i, _ in outbox.after("G", 0, 9)]
        outbox.acknowledge(ids[:1], 100)
        outbox.acknowledge(ids[1:2], 200)
        outbox.forget("G", 200)
        assert [i for i, _ in outbox.after("G", 0, 9)] == ids[1:]
        assert outbox.pending("H") == 1


def test_a_full_memory_loses_the_oldest_that_never_left() -> None:
    with Outbox() as outbox:
        outbox.put([("G", message(i)) for i in range(10)])
        ids = [i for i, _ in outbox.after("G", 0, 99)]
        assert outbox.overflow("G", ids[1], 5) == 3
        assert [i for i, _ in outbox.after("G", 0, 99)] == [*ids[:2], *ids[5:]]
        assert outbox.overflow("G", ids[1], 5) == 0


def test_a_failed_write_keeps_nothing_of_it() -> None:
    with Outbox() as outbox:
        with pytest.raises(EngineError):
            outbox.put([("G", message(1)), ("G", None)], {"G": 1})  # type: ignore[list-item]
        assert outbox.last_id("G") == 0
        assert outbox.progress() == {}
        outbox.put([("G", message(1))])
        assert outbox.pending("G") == 1


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be opened"):
        Outbox(tmp_path / "no" / "such" / "folder.sqlite")
    (tmp_path / "text").write_text("this is not a database, it is only a long enough text" * 10)
    with pytest.raises(EngineError, match="cannot be opened"):
        Outbox(tmp_path / "text")
