"""Payload formats, chosen by topic: each turns bytes into a `ParsedMessage` or says why it cannot."""

from collections.abc import Callable, Iterable

from city.integration import Origin
from city.topics import STATE
from ingest.formats import (
    chirpstack,
    csv,
    iota_json,
    native,
    ngsi_ld,
    ngsi_v2,
    senml,
    senml_cbor,
    sparkplug_b,
    state,
    talq,
    thingsboard,
    tts,
)
from ingest.formats.parsed import ParsedMessage, ParsedObject, RawObject, Refusal, Unreadable
from ingest.formats.sparkplug_b import Memory, Receipt
from ingest.formats.sparkplug_follow import pass_over
from ingest.formats.sparkplug_sessions import Sessions

__all__ = ["Format", "Formats", "ParsedMessage", "ParsedObject", "RawObject", "Receipt", "Refusal", "Unreadable"]

Format = Callable[[Origin, bytes], ParsedMessage]
"""Raises `Unreadable` and nothing else, whatever the bytes."""

_STATELESS: dict[str, Format] = {
    "readings": native.parse,
    "chirpstack": chirpstack.parse,
    "csv": csv.parse,
    "iota-json": iota_json.parse,
    "ngsi-ld": ngsi_ld.parse,
    "ngsi-v2": ngsi_v2.parse,
    "senml": senml.parse,
    "senml-cbor": senml_cbor.parse,
    STATE: state.parse,
    "talq": talq.parse,
    "thingsboard": thingsboard.parse,
    "tts": tts.parse,
}


_SPARKPLUG = "sparkplug-b"
_NUMBERED = frozenset({"chirpstack", "tts"})
"""Formats that number messages, beside the native one, so that each tells it by itself."""


class Formats:
    """All formats, with what some of them must remember between messages; one for each bridge or replay.

    Parameters
    ----------
    memory : Memory, optional
        Where Sparkplug's births are known from; without it, from the messages parsed before.

    Attributes
    ----------
    sessions : Sessions
        Sparkplug's nodes: state that must follow the log.
    """

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory or Memory(Sessions())
        self.sessions = self._memory.sessions or Sessions()

    @property
    def names(self) -> list[str]:
        """What the formats are called."""
        return sorted([*_STATELESS, _SPARKPLUG])

    def pass_over(self, messages: Iterable[tuple[str, bytes]], at_us: int) -> None:
        """Note that these messages, topic and payload, are set aside unread: births may be among them."""
        pass_over(self.sessions, messages, at_us)

    def parse(self, origin: Origin, payload: bytes, receipt: Receipt | None = None) -> ParsedMessage:
        """Read one message.

        Parameters
        ----------
        receipt : Receipt, optional
            How it came; without it nothing is remembered.

        Raises
        ------
        Unreadable
            All of it must be set aside. Nothing else is ever raised.
        """
        if origin.format == _SPARKPLUG:
            return sparkplug_b.parse(origin, payload, self._memory, receipt or Receipt())
        parse = _STATELESS.get(origin.format)
        if parse is None:
            known = ", ".join(self.names)
            raise Unreadable(
                "unknown-format", f"no format is called {origin.format[:64]!r}: the topic may end in {known}"
            )
        return parse(origin, payload)

    def number_of(self, origin: Origin, payload: bytes) -> tuple[str, int] | None:
        """Return epoch and number of a message that is set aside unread, as `parse` finds them; None: it tells none.

        Sparkplug's count from a birth on: whoever passes messages over ends what is known of it, and so its numbers.
        """
        if origin.format == "readings":
            return native.number_of(payload)
        if origin.format not in _NUMBERED:
            return None
        try:
            found: ParsedMessage | Unreadable = self.parse(origin, payload)
        except Unreadable as exc:
            found = exc
        return None if found.number is None else (found.epoch, found.number)
