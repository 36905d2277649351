"""Frames are cut out of the stream whole, however it is divided, whatever it carries."""

import contextlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.formats.parsed import PAYLOAD_BYTES_MAX
from ingest.frames import BUFFER_BYTES_MAX, FRAME_BYTES_MAX, FrameBuffer
from ingest.message import Message
from tests.ingest.world import publish_frame

OTHERS = (b"\x20\x02\x00\x00", b"\xd0\x00", b"\x40\x02\x00\x07", b"\x90\x04\x00\x01\x01\x01")

publishes = st.tuples(
    st.sampled_from(["citynerve/v1/G-1/readings", "a/ñ", "x" * 200]),
    st.binary(max_size=300),
    st.integers(0, 1),
    st.integers(1, 65535),
)


def feed(stream: bytes, cuts: list[int], most: int = 1000) -> tuple[list[Message], list[bytes]]:
    buffer = FrameBuffer(3)
    taken: list[Message] = []
    others: list[bytes] = []
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    for start, end in itertools.pairwise(edges):
        buffer.append(stream[start:end])
        while True:
            part: list[Message] = []
            others += buffer.scan(part, most)
            taken += part
            if not buffer.has_more:
                break
    return taken, others


@settings(max_examples=200)
@given(
    st.lists(publishes | st.sampled_from(OTHERS), max_size=20),
    st.lists(st.integers(0, 10_000), max_size=8),
    st.integers(1, 5),
)
def test_any_division_of_the_stream_gives_the_same_messages(
    parts: list[tuple[str, bytes, int, int] | bytes], cuts: list[int], most: int
) -> None:
    stream = b"".join(p if isinstance(p, bytes) else publish_frame(*p) for p in parts)
    taken, others = feed(stream, cuts, most)
    expected = [p for p in parts if not isinstance(p, bytes)]
    assert taken == [Message(t, payload, q, mid if q else 0, 3) for t, payload, q, mid in expected]
    assert others == [p for p in parts if isinstance(p, bytes)]


@given(st.lists(st.binary(max_size=80), max_size=6))
def test_any_bytes_are_frames_or_an_end_of_the_connection(chunks: list[bytes]) -> None:
    buffer = FrameBuffer(1)
    with contextlib.suppress(ValueError):
        for chunk in chunks:
            buffer.append(chunk)
            buffer.scan([], 1000)


def test_of_an_endless_message_only_the_beginning_is_kept() -> None:
    frame = publish_frame("citynerve/v1/G-1/readings", b"x" * (20 * 1024 * 1024), 1, 77)
    stream = frame + publish_frame("citynerve/v1/G-1/readings", b"next", 1, 78)
    buffer = FrameBuffer(1)
    taken: list[Message] = []
    for start in range(0, len(stream), 65536):
        buffer.append(stream[start : start + 65536])
        buffer.scan(taken, 1000)
        assert len(buffer._data) <= FRAME_BYTES_MAX + 65536 < BUFFER_BYTES_MAX
    assert [(m.token, len(m.payload) > PAYLOAD_BYTES_MAX) for m in taken] == [(77, True), (78, False)]
    assert taken[1].payload == b"next"


@pytest.mark.parametrize(
    "frame",
    [
        publish_frame("t", b"x", 2, 1),
        publish_frame("t", b"x", 3, 1),
        b"\x30\x01\x00",
        b"\x30\x02\x00\x05",
        b"\x32\x03\x00\x01t",
        b"\x30\xff\xff\xff\xff\x01",
        b"\x90\xff\xff\xff\x7f",
    ],
)
def test_what_is_not_mqtt_ends_the_connection(frame: bytes) -> None:
    buffer = FrameBuffer(1)
    buffer.append(frame)
    with pytest.raises(ValueError, match=r"frame|PUBLISH"):
        buffer.scan([], 10)


def test_topics_without_end_do_not_fill_memory() -> None:
    buffer = FrameBuffer(1)
    for number in range(200):
        buffer.append(publish_frame(f"citynerve/v1/{number}{'x' * 60_000}/readings", b"{}", 0, 0))
        taken: list[Message] = []
        buffer.scan(taken, 10)
        assert len(taken) == 1
    remembered = buffer._topics
    assert sum(len(raw) + len(topic) for raw, topic in remembered.items()) < 100_000
