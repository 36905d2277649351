"""The buffer between a socket and messages: PUBLISH frames are taken from it together, all others one by one."""

import numpy as np

from ingest import scan
from ingest.intake import COLUMNS, PADDING, Intake

BUFFER_BYTES_MAX = 4 * 1024 * 1024
"""Where reading stops until the messages before are taken."""

_READ_BYTES = 256 * 1024
_ROWS_MIN = 1024


class FrameBuffer:
    """Bytes of one connection between socket and messages.

    Parameters
    ----------
    mqtt5 : bool
        The connection speaks MQTT 5, else 3.1.1.
    mark, system : bytes
        A topic, and how topics begin, that are flagged: our own marks, and what the broker says of itself.

    Attributes
    ----------
    count : int
        Messages that `cut` will return.
    has_more : bool
        True if `scan` stopped at its limit: there may be messages without waiting for bytes.
    """

    def __init__(self, generation: int, *, mqtt5: bool = False, mark: bytes = b"", system: bytes = b"") -> None:
        self.generation = generation
        self.count = 0
        self.has_more = False
        self._mqtt5 = mqtt5
        self._mark = np.frombuffer(mark, np.uint8)
        self._system = np.frombuffer(system, np.uint8)
        self._data = np.empty(BUFFER_BYTES_MAX + _READ_BYTES + PADDING, np.uint8)
        self._bytes = self._data.data
        self._position = 0
        self._end = 0
        self._skip = 0
        self._frames = np.empty((_ROWS_MIN, COLUMNS), np.int64)

    @property
    def held_bytes(self) -> int:
        """How much is in the buffer."""
        return self._end

    @property
    def room(self) -> bool:
        """Tell whether more may be read into the buffer."""
        return self._end < BUFFER_BYTES_MAX

    def space(self) -> memoryview:
        """Return where bytes of the socket may be read into; then call `received`."""
        return self._bytes[self._end : self._end + _READ_BYTES]

    def received(self, count: int) -> None:
        """Take `count` bytes that were read into `space`; those of a frame that is not kept are let go."""
        if self._skip:
            skipped = min(self._skip, count)
            self._skip -= skipped
            count -= skipped
            self._data[self._end : self._end + count] = self._data[self._end + skipped : self._end + skipped + count]
        self._end += count

    def scan(self, max_messages: int) -> list[bytes]:
        """Find the whole PUBLISH frames, up to `max_messages` with those before; return the frames of other types.

        Raises
        ------
        ValueError
            Not MQTT, or QoS 2, to which ingest does not subscribe: drop the connection.
        """
        others = []
        self.has_more = False
        while True:
            room = min(len(self._frames), max_messages)
            self._position, self.count, why, more = scan.scan_frames(
                self._data,
                self._position,
                self._end,
                self._mqtt5,
                self._mark,
                self._system,
                self._frames,
                self.count,
                room,
            )
            if why == scan.OTHER:
                others.append(self._bytes[self._position : more].tobytes())
                self._position = more
            elif why == scan.LIMIT and room < max_messages:
                self._frames = np.concatenate([self._frames, np.empty_like(self._frames)])
            elif why == scan.MALFORMED:
                raise ValueError("a PUBLISH that contradicts itself, or QoS 2, or a length of more than four bytes")
            elif why == scan.TOO_LONG:
                raise ValueError("a frame too long for its type")
            else:
                self.has_more = why == scan.LIMIT
                if why == scan.CUT:
                    self._skip = more
                if not self.count:
                    # Frames of other types alone would fill the buffer in the end.
                    self._forget_read()
                return others

    def cut(self) -> Intake:
        """Return the messages found so far, and keep what stands behind them."""
        taken = Intake(
            self._bytes[: self._position + PADDING].tobytes(),
            np.ascontiguousarray(self._frames[: self.count]).copy(),
            self.generation,
        )
        self.count = 0
        self._forget_read()
        return taken

    def _forget_read(self) -> None:
        rest = self._end - self._position
        self._data[:rest] = self._data[self._position : self._end]
        self._position, self._end = 0, rest
