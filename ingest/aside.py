"""The dead letters of one flush: what was not understood or not placed, with its bytes and why. Pure."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from city.clock import hour_of
from city.topics import DEAD_LETTERS
from ingest.bundle import ISOLATED, Bundled, bundle_topic, pack
from ingest.formats import Refusal
from ingest.meta import NUMBER_BYTES, OVERHEAD_BYTES, FlushOptions, Numbers, encode_meta, first_of, settled
from stream.codec import DEAD_LETTER, DeadLetter
from stream.letter_form import letters_within
from stream.log import Append

_WHY_ISOLATED = (
    "its gateway sends more than its share, or too much of what nobody understands:"
    " see why, then replay; nothing is lost"
)


@dataclass(slots=True)
class Aside:
    """What a flush sets aside.

    Attributes
    ----------
    received_at : int
        City time of receipt of the message at hand, µs UTC.
    letters : list of Append
        As they will be appended.
    quarantined : dict
        Reason → units set aside.
    refusals : dict
        Gateway → dead letters.
    """

    received_at: int
    options: FlushOptions
    letters: list[Append] = field(default_factory=list)
    quarantined: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)

    def set_aside(
        self,
        message: Bundled,
        gateway: str,
        reason: str,
        refusal: Refusal,
        units: int = 1,
        numbers: Numbers | None = None,
        devices: tuple[str, ...] = (),
    ) -> None:
        """Set a message aside, or `units` readings of one; its numbers go with the first letter."""
        self.quarantined[reason] = self.quarantined.get(reason, 0) + units
        told = numbers or {}
        limit = self.options.record_bytes_max - OVERHEAD_BYTES
        limit -= NUMBER_BYTES * sum(len(ranges) for ranges in told.values())
        whole = DeadLetter(
            reason,
            refusal.detail,
            message.topic,
            "",
            gateway,
            self.received_at,
            units,
            tuple(refusal.only),
            devices,
            message.retained,
        )
        for letter, value in letters_within(whole, message.payload, limit):
            meta = encode_meta({gateway: letter.units}, hour_of(self.received_at), told)
            told = {}
            self.refusals[gateway] = self.refusals.get(gateway, 0) + 1
            partition = zlib.crc32(gateway.encode()) % self.options.dead_letter_partitions
            self.letters.append(Append(DEAD_LETTERS, partition, DEAD_LETTER, value, self.received_at, meta))

    def isolate(self, gateway: str, messages: Sequence[Bundled], told: Sequence[tuple[str, int] | None] = ()) -> None:
        """Set messages aside unread, many in one letter; of those that bear a number it is told that they came.

        Parameters
        ----------
        told : sequence of (str, int) or None
            Epoch and number of each message; none at all where nobody follows them.
        """
        start = 0
        # What a bundle leaves of a record, as base64, is for numbers; more of them than fit are told by replay.
        most = max(1, self.options.record_bytes_max // 4 // NUMBER_BYTES)
        for packed, count in pack(messages, self.options.record_bytes_max):
            numbers = first_of(settled(_numbers_of(gateway, told[start : start + count])), most)
            start += count
            bundle = Bundled(bundle_topic(gateway), packed, False)
            self.set_aside(bundle, gateway, ISOLATED, Refusal(_WHY_ISOLATED, []), count, numbers)
            self.received_at += count


def _numbers_of(gateway: str, told: Sequence[tuple[str, int] | None]) -> Numbers:
    """Return the numbers of a gateway's messages by run."""
    numbers: Numbers = {}
    for one in told:
        if one is None:
            continue
        epoch, number = one
        ranges = numbers.get((gateway, epoch))
        if ranges is None:
            numbers[gateway, epoch] = [[number, number]]
        elif ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return numbers
