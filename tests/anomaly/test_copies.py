"""Checkpoints beside the work: what is packed is the state of the moment of its copy, whatever happens meanwhile."""

from collections import deque
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly import packed_roots
from anomaly.copies import Copies
from anomaly.detector import DetectStage
from anomaly.packed_roots import PackedRoots
from anomaly.state import DetectorState
from city.registry import RootDefinition
from city.topics import READINGS
from stream import codec, log
from tests.anomaly.test_detector import behave_badly
from tests.anomaly.world import root

ACTION = st.tuples(st.sampled_from(["step", "freeze", "pack"]), st.integers(0, 1), st.integers(1, 400))


@cache
def night() -> dict[int, list[log.Record]]:
    return behave_badly(3).records


@settings(max_examples=20, deadline=None)
@given(st.lists(ACTION, max_size=25))
def test_what_is_packed_later_is_the_state_at_the_copys_offset(actions: list[tuple[str, int, int]]) -> None:
    """Two partitions share the memory of the copies, as in a worker, and a copy may be packed after the next one."""
    stage = DetectStage(1)
    states = {p: stage.open(log.TopicPartition(READINGS, p), None) for p in (0, 1)}
    at = dict.fromkeys(states, 0)
    waiting: deque[tuple[int, int, bytes, Callable[[], bytes]]] = deque()
    packed: list[tuple[int, int, bytes]] = []

    def pack_oldest() -> None:
        partition, offset, wanted, pack = waiting.popleft()
        saved = pack()
        assert saved == wanted, "the state of the moment of the copy, and of no other"
        packed.append((partition, offset, saved))

    for action, partition, count in actions:
        if action == "step":
            stage.step(states[partition], night()[partition][at[partition] : at[partition] + count])
            at[partition] = min(at[partition] + count, len(night()[partition]))
        elif action == "freeze":
            now = states[partition].snapshot()
            waiting.append((partition, at[partition], now, stage.freeze(states[partition])))
        elif waiting:
            pack_oldest()
    while waiting:
        pack_oldest()
    for partition, offset, saved in packed[-2:]:
        again = DetectorState.restore(saved)
        stage.step(again, night()[partition][offset : at[partition]])
        assert again.snapshot() == states[partition].snapshot()


def test_a_copy_is_made_into_the_memory_of_the_one_before() -> None:
    copies = Copies()
    copies.reserve(16_000)
    (reserved,) = copies._free
    columns = [np.arange(1000), np.arange(500)[::2]]
    copy = copies.of(columns)
    assert [piece.tobytes() for piece in copy.pieces()] == [column.tobytes() for column in columns]
    assert copy.pieces()[0].base is reserved
    copy.release()
    again = copies.of(columns)
    assert again.pieces()[0].base is reserved
    other = copies.of(columns)
    assert not np.shares_memory(other.pieces()[0], again.pieces()[0]), "two at once have nothing to do with each other"
    with pytest.raises(AssertionError):
        copy.pieces()


def test_roots_are_saved_as_the_log_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing a city's roots anew took as long as it takes to lay them out, and held up the readings meanwhile."""
    stage = DetectStage(1)
    state = stage.open(log.TopicPartition(READINGS, 0), None)
    texts = [codec.encode(root(n)) for n in range(40)]
    stage.step(state, [log.Record(READINGS, 0, n, codec.REGISTRY, text, 0) for n, text in enumerate(texts[:30])])
    state.settle()
    stage.step(state, [log.Record(READINGS, 0, n, codec.REGISTRY, text, 0) for n, text in enumerate(texts[30:], 30)])
    monkeypatch.setattr(packed_roots.codec, "encode", lambda _: pytest.fail("a root was written anew"))
    saved = stage.freeze(state)()
    monkeypatch.undo()
    again = DetectorState.restore(saved)
    assert again.snapshot() == saved
    again.settle()
    assert again.roots == {root(n).root_id: root(n) for n in range(40)}


@given(st.lists(st.dictionaries(st.sampled_from("ABCDE"), st.integers(0, 3), max_size=4), max_size=5), st.data())
def test_roots_that_change_take_the_place_of_what_they_were(changes: list[dict[str, int]], data: st.DataObject) -> None:
    roots: dict[str, RootDefinition] = {}
    packed = PackedRoots()
    for change in changes:
        fresh = {f"C{name}": _root(name, version) for name, version in change.items()}
        roots |= fresh
        packed = packed.joined(
            {name: codec.encode(one) if data.draw(st.booleans()) else one for name, one in fresh.items()}
        )
        if data.draw(st.booleans()):
            packed.bytes()
    assert packed.bytes() == PackedRoots().joined(roots).bytes()
    assert packed.bytes() is packed.bytes()


@cache
def _root(name: str, version: int) -> RootDefinition:
    made = root(version)
    return RootDefinition(f"C{name}", made.kind, made.group, f"v{version}", made.feeders, made.devices, made.rules)
