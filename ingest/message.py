"""One message as a broker hands it over, and what ingest listens to."""

from typing import NamedTuple

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
