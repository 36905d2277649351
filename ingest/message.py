"""What a broker hands over, and the port behind which brokers stand."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from city.topics import OWN_FILTER

OWN_FILTERS = (OWN_FILTER,)
"""What ingest listens to in every city."""


class Message(NamedTuple):
    """One PUBLISH as received.

    Attributes
    ----------
    topic : str
        Empty for a mark that has come back; its payload is what `Source.mark` was given.
    qos : int
        0: it will not come again. 1 or 2: the broker or the device keeps it until it is acknowledged.
    token : int
        How the source recognises it when it is acknowledged.
    generation : int
        Of the connection that brought it; acknowledged on another one it is ignored.
    retained : bool
        The broker had kept it for whoever subscribes: it may be years old, and comes again with every reconnection.
    """

    topic: str
    payload: bytes
    qos: int
    token: int
    generation: int
    retained: bool = False


class Source(Protocol):
    """Messages in order of receipt, each kept by its sender until it is acknowledged.

    Contract: what was taken and not acknowledged comes again after `reconnect`, after a kill, and after the broker's
    or the device's own reconnection (QoS 0 excepted). Whoever takes slowly holds the senders back; nothing piles up.
    """

    @property
    def listening(self) -> bool:
        """True while messages can arrive: connected and subscribed, or bound."""

    async def take(self, *, max_messages: int, wait_s: float, gather_s: float) -> list[Message]:
        """Wait up to `wait_s` for a first message, gather for `gather_s` more; return all, at most `max_messages`.

        A few MiB end the gathering earlier.
        """

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Acknowledge messages in the order in which `take` gave them. Those of an older connection are ignored."""

    async def reconnect(self) -> None:
        """Let go of everything unacknowledged, so that it comes again."""

    def listen(self, filters: Sequence[str], ordered: Sequence[str] = (), *, leads: bool = True) -> None:
        """Take messages of these topic filters from now on, and of no others.

        Parameters
        ----------
        ordered : sequence of str
            Further filters, of topics whose messages tell nothing but in their order: where several processes divide
            the messages among them, the one that leads hears all of these, and the others none.
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
