"""What every format makes of a message, and the reasons for which one is set aside."""

from dataclasses import dataclass, field
from typing import NamedTuple

from city.errors import DataError

PAYLOAD_BYTES_MAX = 256 * 1024
OBJECTS_MAX = 2_000
KEYS_MAX = 64
NAME_CHARACTERS_MAX = 128
"""Of what a device, or one of its values, is called on the wire."""


def kept_name(name: str) -> str:
    """Return a name as a letter keeps it: as it came, so that a mended format finds it, but not without end."""
    return name[:NAME_CHARACTERS_MAX]


class Unreadable(DataError):
    """All of a message must be set aside.

    Attributes
    ----------
    reason : str
        Machine-readable; `docs/formats/` lists them.
    detail : str
        For people: what is wrong and what to do.
    number, epoch : int or None, str
        The message's number, where so much of it could be read: it came, whatever else is wrong with it.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.number: int | None = None
        self.epoch = ""

    def number_as(self, message: "ParsedMessage") -> None:
        """Tell the number that a message has as far as it was read."""
        self.number, self.epoch = message.number, message.epoch


Value = float | str
"""A finite number, or a word that a device profile must know."""


class ParsedObject(NamedTuple):
    """The readings of one device at one time.

    Attributes
    ----------
    position : int
        Place of the object in its message, from 0.
    device : str
        What the device is called on the wire.
    at_us : int or None
        The device's time, µs UTC; None where it told none.
    readings : dict
        Name of the value on the wire → value, in the unit that `units` or the device's profile says.
    units : dict
        Units of those values for which the message itself tells one.
    since_receipt_us : int
        Where `at_us` is None: when it was observed, counted from receipt; below 0 before it.
    part : str
        A part of the device that may be registered by itself, as ``device/part``; empty: none.
    texts : dict
        What stood in the message for those numbers that were texts there: a profile may know them as words.
    """

    position: int
    device: str
    at_us: int | None
    readings: dict[str, Value]
    units: dict[str, str] = {}  # noqa: RUF012 - a tuple's default, never changed
    since_receipt_us: int = 0
    part: str = ""
    texts: dict[str, str] = {}  # noqa: RUF012 - a tuple's default, never changed


class RawObject(NamedTuple):
    """Bytes of a device that only its vendor's codec can read.

    Attributes
    ----------
    port : int
        LoRaWAN's FPort.
    empty : bool
        The network server's own decoder found no value in them.
    """

    position: int
    device: str
    at_us: int | None
    port: int
    data: bytes
    empty: bool = False


class Refusal(NamedTuple):
    """Readings of one message that are set aside for one reason; `only` is (position of the object, metric)."""

    detail: str
    only: list[tuple[int, str]]


@dataclass(slots=True)
class ParsedMessage:
    """A message, read.

    Attributes
    ----------
    objects : list of ParsedObject
        In the message's order.
    number, epoch : int or None, str
        The gateway's own numbering of its messages.
    sent_at_us : int or None
        When the gateway sent it, µs UTC.
    refused : dict
        Reason → readings that the format itself refuses.
    raw : list of RawObject
        What is still to be decoded by the codec of its device.
    state : str
        ``online`` or ``offline`` where the message tells that of its gateway; it need not hold readings then.
    unknown : dict
        Names of devices that the registry does not know, in the order of the message; the values mean nothing.
    left_out : int
        Values that their device's profile ignores.
    commands : list of (str, bytes)
        Topic and payload of messages that the format asks to be sent back, once this one is appended.
    """

    objects: list[ParsedObject]
    number: int | None = None
    epoch: str = ""
    sent_at_us: int | None = None
    refused: dict[str, Refusal] = field(default_factory=dict)
    raw: list[RawObject] = field(default_factory=list)
    state: str = ""
    unknown: dict[str, None] = field(default_factory=dict)
    left_out: int = 0
    commands: list[tuple[str, bytes]] = field(default_factory=list)

    def refuse(self, reason: str, detail: str, position: int, metric: str) -> None:
        """Set one reading aside; the first of each reason gives the detail."""
        known = self.refused.get(reason)
        if known is None:
            self.refused[reason] = Refusal(detail, [(position, metric)])
        else:
            known.only.append((position, metric))
