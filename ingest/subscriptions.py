"""What one MQTT session listens to: our own topics, shared or split among processes, and those of integrations."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from city.topics import READINGS_FILTER, ROOT, STATE_FILTER
from ingest.message import OWN_FILTERS

logger = logging.getLogger(__name__)

_FORMER_FILTERS = (READINGS_FILTER, STATE_FILTER)
"""What sessions of earlier releases have subscribed to."""

_AT_ONCE = 100
"""Filters in one packet: some brokers take no more."""


class Subscriptions:
    """Asks a broker for topics, and tells when it has granted all that are ours.

    Parameters
    ----------
    share : str
        Name of a shared subscription; empty: none.
    always : sequence of str
        Topics of our own process, never shared.
    wished : sequence of str
        Topics that a broker may keep to itself.

    Attributes
    ----------
    former : tuple of str
        Names of shared subscriptions in which this session may stand from before: the broker would go on dealing to it.
    """

    def __init__(self, share: str, always: Sequence[str], wished: Sequence[str]) -> None:
        self.former: tuple[str, ...] = ()
        self._share = share
        self._always = tuple(always)
        self._wished = tuple(wished)
        self._filters: tuple[str, ...] = OWN_FILTERS
        self._unwanted: tuple[str, ...] = ()
        self._ordered: frozenset[str] = frozenset()
        self._needed: set[int] = set()
        self._leaving: set[int] = set()
        self._withdrawn = self._wholly = False
        self._foreign: dict[int, str] = {}
        self._refused = False
        self._asked = False

    @property
    def complete(self) -> bool:
        """True while the broker has done what it was asked for: granted what is ours, and forgotten former shares."""
        return self._asked and not self._needed and not self._leaving and not self._refused

    @property
    def withdrawn(self) -> bool:
        """True once the broker deals nothing more to this session."""
        return self._withdrawn and self._asked and not self._leaving

    def listen(
        self, client: mqtt.Client, filters: Sequence[str], unwanted: Sequence[str], ordered: Sequence[str] = ()
    ) -> None:
        """Change what is listened to; asks for it at once where there is a connection. `ordered` is never shared."""
        self._ordered = frozenset(ordered)
        before, left = self._filters, set(self._unwanted)
        self._filters, self._unwanted = tuple(filters), tuple(unwanted)
        if self._asked and not self._withdrawn:
            known, wanted = set(before), set(filters)
            self._ask_for(client, [name for name in filters if name not in known])
            gone = [self._shared(name) for name in before if name not in wanted]
            self._leave(client, [*gone, *(name for name in unwanted if name not in left)])

    def ask(self, client: mqtt.Client) -> None:
        """Ask a broker that has just let us in."""
        self._asked = True
        self._refused = False
        self._needed.clear()
        self._leaving.clear()
        self._foreign.clear()
        self._need(client, self._always)
        if self._withdrawn:
            self._leave_shares(client)
            return
        for name in self._wished:
            client.subscribe(name, 0)
        self._ask_for(client, self._filters)
        # The session may be from before, when it took everything, or less than all of ours.
        former = [*_FORMER_FILTERS, *self._unwanted, *(self._filters if self._share else ())]
        former = [name for name in former if name not in self._ordered or name in self._unwanted]
        self._leave(client, former)
        self._leave_shares(client)

    def withdraw(self, client: mqtt.Client, *, wholly: bool = False) -> None:
        """Leave the shared subscription, now and after every reconnection: the broker deals to the others alone.

        Of a session that is over, `wholly` leaves what it heard unshared as well.
        """
        self._withdrawn, self._wholly = True, wholly
        if self._asked:
            self._leave_shares(client)

    def forget(self) -> None:
        """Note that the connection is gone."""
        self._asked = False

    def left(self, number: int) -> None:
        """Take a broker's word that it has taken a session out of subscriptions."""
        self._leaving.discard(number)

    def answered(self, number: int, codes: Sequence[ReasonCode]) -> None:
        """Take a broker's answer."""
        failed = any(code.is_failure for code in codes)
        foreign = self._foreign.pop(number, None)
        if foreign is not None:
            if failed:
                logger.error(
                    "the MQTT broker refuses an integration's topics: let our user read them", extra={"filter": foreign}
                )
        elif number in self._needed:
            self._needed.discard(number)
            if failed:
                self._refused = True
                logger.error(
                    "the MQTT broker refuses a subscription: let our user read citynerve/# and write"
                    " citynerve/ingest/#",
                    extra={"codes": [str(code) for code in codes]},
                )

    def _ask_for(self, client: mqtt.Client, filters: Sequence[str]) -> None:
        """Ask for our own topics together, for those of integrations one by one: one refused hinders no other."""
        self._need(client, [self._shared(name) for name in filters if name.startswith(ROOT)])
        for name in filters:
            if not name.startswith(ROOT):
                _, number = client.subscribe(self._shared(name), 1)
                if number is not None:
                    self._foreign[number] = name

    def _need(self, client: mqtt.Client, filters: Sequence[str]) -> None:
        mqtt5 = client.protocol == mqtt.MQTTv5
        for part in _parts(filters):
            topics: Any = [(name, SubscribeOptions(qos=1) if mqtt5 else 1) for name in part]
            _, number = client.subscribe(topics)
            if number is not None:
                self._needed.add(number)

    def _leave_shares(self, client: mqtt.Client) -> None:
        """Leave former shared subscriptions; where we withdraw, our own as well."""
        shares = [*self.former, *([self._share] if self._withdrawn and self._share else [])]
        heard = [*self._filters, *self._unwanted]
        names = [f"$share/{share}/{name}" for share in shares for name in heard if name not in self._ordered]
        for part in _parts([*names, *(heard if self._wholly else ())]):
            _, number = client.unsubscribe(part)
            if number is not None:
                self._leaving.add(number)

    def _leave(self, client: mqtt.Client, filters: Sequence[str]) -> None:
        for part in _parts(filters):
            client.unsubscribe(part)

    def _shared(self, name: str) -> str:
        return f"$share/{self._share}/{name}" if self._share and name not in self._ordered else name


def _parts(filters: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(filters), _AT_ONCE):
        yield list(filters[start : start + _AT_ONCE])
