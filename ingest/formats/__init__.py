"""Payload formats, chosen by topic: each turns bytes into a `ParsedMessage` or says why it cannot."""

from collections.abc import Callable

from city.integration import Origin
from ingest.formats import (
    chirpstack,
    csv,
    iota_json,
    native,
    ngsi_ld,
    ngsi_v2,
    senml,
    senml_cbor,
    thingsboard,
    tts,
)
from ingest.formats.parsed import ParsedMessage, ParsedObject, RawObject, Refusal, Unreadable

__all__ = ["Format", "Formats", "ParsedMessage", "ParsedObject", "RawObject", "Refusal", "Unreadable"]

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
    "thingsboard": thingsboard.parse,
    "tts": tts.parse,
}


class Formats:
    """All formats, with what some of them must remember between messages; one for each bridge or replay."""

    def __init__(self) -> None:
        self._by_name = dict(_STATELESS)

    @property
    def names(self) -> list[str]:
        """What the formats are called."""
        return sorted(self._by_name)

    def parse(self, origin: Origin, payload: bytes) -> ParsedMessage:
        """Read one message.

        Raises
        ------
        Unreadable
            All of it must be set aside. Nothing else is ever raised.
        """
        parse = self._by_name.get(origin.format)
        if parse is None:
            known = ", ".join(self.names)
            raise Unreadable(
                "unknown-format", f"no format is called {origin.format[:64]!r}: the topic may end in {known}"
            )
        return parse(origin, payload)
