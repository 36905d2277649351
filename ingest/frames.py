"""Cuts a stream of bytes into MQTT 3.1.1 frames: PUBLISH into messages, all others as they are. Pure."""

from ingest.formats.parsed import PAYLOAD_BYTES_MAX
from ingest.message import Message

BUFFER_BYTES_MAX = 4 * 1024 * 1024
"""Where reading stops until the messages before are taken."""

FRAME_BYTES_MAX = 512 * 1024
"""Of a longer PUBLISH only the beginning is kept: enough to be refused as too large, and still acknowledged."""

_KEPT_BYTES = 2 * 65536 + PAYLOAD_BYTES_MAX
_TOPICS_MAX = 65536
_TOPIC_BYTES_MAX = 128
"""Topics are remembered as text up to this length; nobody of ours has longer ones, and 64 kB each would fill memory."""


class FrameBuffer:
    """Bytes of one connection between socket and messages.

    Attributes
    ----------
    has_more : bool
        True if `scan` stopped at its limit: call it again before waiting for bytes.
    """

    def __init__(self, generation: int) -> None:
        self.has_more = False
        self._generation = generation
        self._data = b""
        self._skip = 0
        self._topics: dict[bytes, str] = {}

    @property
    def room(self) -> bool:
        """Tell whether more may be read into the buffer."""
        return len(self._data) < BUFFER_BYTES_MAX

    def append(self, chunk: bytes) -> None:
        """Add bytes from the socket."""
        if self._skip:
            skipped = min(self._skip, len(chunk))
            self._skip -= skipped
            chunk = chunk[skipped:]
        self._data = self._data + chunk if self._data else chunk

    def scan(self, taken: list[Message], max_messages: int) -> list[bytes]:
        """Add the whole PUBLISH frames to `taken`, up to `max_messages`; return the frames of other types.

        Raises
        ------
        ValueError
            Not MQTT, or QoS 2, to which ingest does not subscribe: drop the connection.
        """
        data, generation, topics = self._data, self._generation, self._topics
        end = len(data)
        position = 0
        others = []
        self.has_more = False
        while end - position >= 2:
            if len(taken) >= max_messages:
                self.has_more = True
                break
            head = data[position]
            length = data[position + 1]
            body = position + 2
            if length >= 0x80:
                header = _remaining_length(data, position + 1)
                if header is None:
                    break
                length, body = header
            after = body + length
            if head & 0xF0 != 0x30:
                if after > end:
                    if length > FRAME_BYTES_MAX:
                        raise ValueError("a frame too long for its type")
                    break
                others.append(data[position:after])
                position = after
                continue
            last = after
            if after > end:
                if length <= FRAME_BYTES_MAX or end - body < _KEPT_BYTES:
                    break
                last = end
                self._skip = after - end
            name_end = body + 2 + (data[body] << 8 | data[body + 1]) if length >= 2 else after + 1
            qos = head >> 1 & 3
            start = name_end + 2 if qos else name_end
            if start > after or qos > 1:
                raise ValueError("a PUBLISH that contradicts itself, or QoS 2")
            raw = data[body + 2 : name_end]
            topic = topics.get(raw)
            if topic is None:
                topic = raw.decode(errors="backslashreplace")
                if len(topics) < _TOPICS_MAX and len(raw) <= _TOPIC_BYTES_MAX:
                    topics[raw] = topic
            token = data[name_end] << 8 | data[name_end + 1] if qos else 0
            taken.append(Message(topic, data[start:last], qos, token, generation, head & 1 == 1))
            position = last
        self._data = data[position:] if position else data
        return others


def _remaining_length(data: bytes, position: int) -> tuple[int, int] | None:
    """Return a frame's length and where its body begins; None if not all of that has come."""
    length = 0
    for index in range(4):
        if position + index >= len(data):
            return None
        byte = data[position + index]
        length |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return length, position + index + 1
    raise ValueError("a frame's length of more than four bytes")
