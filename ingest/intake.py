"""What is taken from a source at once, as one value; and the port behind which brokers stand."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ingest.broker_life import BrokerLife
from ingest.message import Message

PADDING = 8
"""Kernels look at eight bytes at once."""

COLUMNS = 6
TOPIC_START, TOPIC_END, PAYLOAD_START, PAYLOAD_END, TOKEN, FLAGS = range(COLUMNS)
"""Columns of `Intake.frames`."""

RETAINED, QOS, MARK, SYSTEM = 0x01, 0x06, 0x10, 0x20
"""Bits of FLAGS: the broker had kept it; its QoS; a mark of ours; what the broker says of itself."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Messages in the order of receipt: the bytes, and where each message stands in them.

    Attributes
    ----------
    data : bytes
        Topics and payloads, among other bytes; at least `PADDING` stand behind the last.
    frames : int64[n, COLUMNS]
        Where topic and payload begin and end, token, flags. A mark's topic is empty.
    generation : int
        Of the connection that brought them; acknowledged on another one they are ignored.
    """

    data: bytes
    frames: NDArray[np.int64]
    generation: int

    @classmethod
    def empty(cls, generation: int = 0) -> Self:
        """Return an intake without messages."""
        return cls(bytes(PADDING), np.zeros((0, COLUMNS), np.int64), generation)

    @classmethod
    def of(cls, messages: Sequence[Message], generation: int | None = None) -> Self:
        """Build an intake from single messages of one connection."""
        parts: list[bytes] = []
        rows = []
        place = 0
        for message in messages:
            topic = message.topic.encode(errors="surrogatepass")
            payload = place + len(topic)
            end = payload + len(message.payload)
            flags = message.qos << 1 | message.retained | (0 if topic else MARK)
            rows.append((place, payload, payload, end, message.token, flags))
            parts += (topic, message.payload)
            place = end
        if generation is None:
            generation = messages[0].generation if messages else 0
        return cls(b"".join([*parts, bytes(PADDING)]), np.array(rows, np.int64).reshape(-1, COLUMNS), generation)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def messages(self) -> int:
        """How many there are without our own marks."""
        return len(self.frames) - int(np.count_nonzero(self.frames[:, FLAGS] & MARK))

    @property
    def unrepeatable(self) -> Self:
        """What nobody will send again: messages of QoS 0."""
        return self.select((self.frames[:, FLAGS] & (QOS | MARK)) == 0)

    @property
    def tokens(self) -> NDArray[np.int64]:
        """Tokens of what must be acknowledged, in the order of receipt."""
        tokens: NDArray[np.int64] = self.frames[:, TOKEN][(self.frames[:, FLAGS] & QOS) != 0]
        return tokens

    def select(self, mask: NDArray[np.bool_]) -> Self:
        """Return the messages that `mask` selects."""
        return type(self)(self.data, self.frames[mask], self.generation)

    def topic(self, index: int) -> str:
        """Return a message's topic; bytes that are no UTF-8 are written out."""
        row = self.frames[index]
        return self.data[row[TOPIC_START] : row[TOPIC_END]].decode(errors="backslashreplace")

    def payload(self, index: int) -> bytes:
        """Return a message's payload."""
        row = self.frames[index]
        return self.data[row[PAYLOAD_START] : row[PAYLOAD_END]]

    def bytes_of(self, indices: list[int]) -> int:
        """Return how long the payloads of some messages are together."""
        rows = self.frames[indices]
        return int((rows[:, PAYLOAD_END] - rows[:, PAYLOAD_START]).sum())

    def retained(self, index: int) -> bool:
        """Tell whether the broker had kept a message for whoever subscribes."""
        return bool(self.frames[index, FLAGS] & RETAINED)

    def message(self, index: int) -> Message:
        """Return one message by itself."""
        flags = int(self.frames[index, FLAGS])
        token = int(self.frames[index, TOKEN])
        qos, retained = (flags & QOS) >> 1, bool(flags & RETAINED)
        return Message(self.topic(index), self.payload(index), qos, token, self.generation, retained)

    def single(self) -> list[Message]:
        """Return each message by itself; for tests and tools, not for the hot path."""
        return [self.message(index) for index in range(len(self))]


class Source(Protocol):
    """Messages in order of receipt, each kept by its sender until it is acknowledged.

    Contract: what was taken and not acknowledged comes again after `reconnect`, after a kill, and after the broker's
    or the device's own reconnection (QoS 0 excepted). Whoever takes slowly holds the senders back; nothing piles up.
    """

    @property
    def shares(self) -> bool:
        """True where several processes divide the messages among them."""

    @property
    def generation(self) -> int:
        """Of the connection that brings messages now, or brought the last; it grows with each."""

    @property
    def listening(self) -> bool:
        """True while messages can arrive: connected and subscribed, or bound."""

    async def take(self, *, max_messages: int, wait_s: float, gather_s: float) -> Intake:
        """Wait up to `wait_s` for a first message, gather for `gather_s` more; return all, at most `max_messages`.

        A few MiB end the gathering earlier.
        """

    def acknowledge(self, intake: Intake) -> None:
        """Acknowledge what `take` gave, in the order in which it gave it; of an older connection it is ignored."""

    async def reconnect(self) -> None:
        """Let go of everything unacknowledged, so that it comes again."""

    @property
    def life(self) -> BrokerLife | None:
        """What is known of the broker's life; None where it acknowledges after the append, and loses nothing."""

    def listen(self, filters: Sequence[str], unwanted: Sequence[str] = (), ordered: Sequence[str] = ()) -> None:
        """Take messages of these topic filters from now on, and of no others.

        Parameters
        ----------
        unwanted : sequence of str
            What an earlier session may have listened to.
        ordered : sequence of str
            Those of both whose messages tell nothing but in their order: they are never divided among processes.
        """

    def send(self, topic: str, payload: bytes) -> None:
        """Publish a message to a device, at QoS 0; while there is no connection it is dropped."""

    def mark(self, payload: bytes) -> None:
        """Send a mark: `take` returns it behind every message that the broker had when it was sent.

        A mark may be lost (with its connection, in an overfull queue): send another.
        """

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the connection up until `stop` is set, then leave; `take` returns nothing from then on.

        Raises
        ------
        SettingsError
            It cannot work as it is configured.
        """


def pubacks(tokens: NDArray[np.int64]) -> bytes:
    """Return one PUBACK for each packet id, as they go out in one write."""
    frames = np.empty((len(tokens), 4), np.uint8)
    frames[:, 0] = 0x40
    frames[:, 1] = 2
    frames[:, 2] = tokens >> 8
    frames[:, 3] = tokens & 0xFF
    return frames.tobytes()
