"""Frames are cut out of the stream whole, however it is divided, whatever it carries."""

import contextlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.formats.parsed import PAYLOAD_BYTES_MAX
from ingest.frames import BUFFER_BYTES_MAX, FrameBuffer
from ingest.intake import PADDING, PAYLOAD_END, Intake, pubacks
from ingest.message import Message
from ingest.scan import FRAME_BYTES_MAX
from tests.ingest.world import publish_frame

OTHERS = (b"\x20\x02\x00\x00", b"\xd0\x00", b"\x40\x02\x00\x07", b"\x90\x04\x00\x01\x01\x01")

publishes = st.tuples(
    st.sampled_from(["citynerve/v1/G-1/readings", "a/ñ", "x" * 200]),
    st.binary(max_size=300),
    st.integers(0, 1),
    st.integers(1, 65535),
)


def put(buffer: FrameBuffer, chunk: bytes) -> None:
    """Let bytes arrive as a socket would bring them."""
    while chunk:
        space = buffer.space()
        part = chunk[: len(space)]
        space[: len(part)] = part
        buffer.received(len(part))
        chunk = chunk[len(part) :]


def feed(stream: bytes, cuts: list[int], most: int = 1000, *, mqtt5: bool = False) -> tuple[list[Message], list[bytes]]:
    buffer = FrameBuffer(3, mqtt5=mqtt5)
    taken: list[Message] = []
    others: list[bytes] = []
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    for start, end in itertools.pairwise(edges):
        put(buffer, stream[start:end])
        while True:
            others += buffer.scan(most)
            if len(cuts) % 2 or buffer.has_more:
                taken += buffer.cut().single()
            if not buffer.has_more:
                break
    return taken + buffer.cut().single(), others


@settings(max_examples=200)
@given(
    st.lists(publishes | st.sampled_from(OTHERS), max_size=20),
    st.lists(st.integers(0, 10_000), max_size=8),
    st.integers(1, 5),
    st.sampled_from([None, b"", b"\x01\x01", b"\x26\x00\x01a\x00\x02bc" * 30]),
)
def test_any_division_of_the_stream_gives_the_same_messages(
    parts: list[tuple[str, bytes, int, int] | bytes], cuts: list[int], most: int, properties: bytes | None
) -> None:
    stream = b"".join(p if isinstance(p, bytes) else publish_frame(*p, properties=properties) for p in parts)
    taken, others = feed(stream, cuts, most, mqtt5=properties is not None)
    expected = [p for p in parts if not isinstance(p, bytes)]
    assert taken == [Message(t, payload, q, mid if q else 0, 3) for t, payload, q, mid in expected]
    assert others == [p for p in parts if isinstance(p, bytes)]


@given(st.lists(st.binary(max_size=80), max_size=6), st.booleans())
def test_any_bytes_are_frames_or_an_end_of_the_connection(chunks: list[bytes], mqtt5: bool) -> None:
    buffer = FrameBuffer(1, mqtt5=mqtt5)
    with contextlib.suppress(ValueError):
        for chunk in chunks:
            put(buffer, chunk)
            buffer.scan(1000)
            assert all(len(m.topic) <= 80 for m in buffer.cut().single())


@pytest.mark.parametrize("properties", [None, b"", b"\x26\x00\x01a\x00\x02bc" * 60_000])
def test_of_an_endless_message_only_the_beginning_is_kept(properties: bytes | None) -> None:
    topic = "citynerve/v1/G-1/readings"
    long = publish_frame(topic, b"x" * (20 * 1024 * 1024), 1, 77, properties=properties)
    stream = long + publish_frame(topic, b"next", 1, 78, properties=None if properties is None else b"")
    buffer = FrameBuffer(1, mqtt5=properties is not None)
    taken: list[Message] = []
    for start in range(0, len(stream), 65536):
        put(buffer, stream[start : start + 65536])
        buffer.scan(1000)
        assert buffer.held_bytes <= FRAME_BYTES_MAX + 65536 < BUFFER_BYTES_MAX
        taken += buffer.cut().single()
    # Where properties leave no room for the payload, none of it is kept; both are refused, and acknowledged.
    assert [(m.token, len(m.payload) > PAYLOAD_BYTES_MAX) for m in taken] == [(77, not properties), (78, False)]
    assert taken[1].payload == b"next"


def test_messages_of_several_reads_are_one_intake_and_their_acknowledgements_one_write() -> None:
    buffer = FrameBuffer(1)
    for number in range(3000):
        put(buffer, publish_frame("t", b"%d" % number, number % 2, number + 1))
        buffer.scan(5000)
    intake = buffer.cut()
    assert [int(m.payload) for m in intake.single()] == list(range(3000))
    assert pubacks(intake.tokens) == b"".join(b"\x40\x02" + (n + 1).to_bytes(2, "big") for n in range(1, 3000, 2))
    assert intake.unrepeatable.single() == [m for m in intake.single() if m.qos == 0]
    assert Intake.of(intake.single()).single() == intake.single()


@pytest.mark.parametrize(
    "frame",
    [
        publish_frame("t", b"x", 2, 1),
        publish_frame("t", b"x", 3, 1),
        b"\x30\x01\x00",
        b"\x30\x02\x00\x05",
        b"\x30\x02\x00\x00",
        b"\x32\x03\x00\x01t",
        b"\x30\xff\xff\xff\xff\x01",
        b"\x90\xff\xff\xff\x7f",
    ],
)
def test_what_is_not_mqtt_ends_the_connection(frame: bytes) -> None:
    buffer = FrameBuffer(1)
    put(buffer, frame)
    with pytest.raises(ValueError, match=r"frame|PUBLISH"):
        buffer.scan(10)


def test_behind_the_last_message_stand_the_bytes_that_kernels_look_at() -> None:
    buffer = FrameBuffer(1)
    put(buffer, publish_frame("citynerve/v1/G-1/readings", b"{}", 1, 7))
    buffer.scan(10)
    intake = buffer.cut()
    assert len(intake.data) >= intake.frames[-1, PAYLOAD_END] + PADDING


def test_frames_of_other_types_alone_do_not_fill_the_buffer() -> None:
    buffer = FrameBuffer(1)
    answers = b"\xd0\x00" * 50_000
    for _ in range(BUFFER_BYTES_MAX // len(answers) + 2):
        put(buffer, answers)
        assert len(buffer.scan(10)) == 50_000
    assert buffer.held_bytes == 0
