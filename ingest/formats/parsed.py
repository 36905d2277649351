"""What every format makes of a message, and the reasons for which one is set aside."""

from dataclasses import dataclass, field
from typing import NamedTuple

from city.errors import DataError

PAYLOAD_BYTES_MAX = 256 * 1024
OBJECTS_MAX = 2_000
KEYS_MAX = 64


class Unreadable(DataError):
    """All of a message must be set aside.

    Attributes
    ----------
    reason : str
        Machine-readable; `docs/formats/native.md` lists them.
    detail : str
        For people: what is wrong and what to do.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class ParsedObject(NamedTuple):
    """The readings of one device at one time.

    Attributes
    ----------
    position : int
        Place of the object in its message, from 0.
    at_us : int or None
        The device's time, µs UTC; None where it told none.
    readings : dict
        Metric → finite number, in the metric's own unit.
    """

    position: int
    device_id: str
    at_us: int | None
    readings: dict[str, float]


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
    """

    objects: list[ParsedObject]
    number: int | None = None
    epoch: str = ""
    sent_at_us: int | None = None
    refused: dict[str, Refusal] = field(default_factory=dict)

    def refuse(self, reason: str, detail: str, position: int, metric: str) -> None:
        """Set one reading aside; the first of each reason gives the detail."""
        known = self.refused.get(reason)
        if known is None:
            self.refused[reason] = Refusal(detail, [(position, metric)])
        else:
            known.only.append((position, metric))
