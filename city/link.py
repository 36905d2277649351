"""Whether a gateway is connected, as the broker saw it: its birth message and its last will."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GatewayLink:
    """The connection of one gateway.

    Attributes
    ----------
    since : int
        When it was first heard to be so, µs UTC.
    """

    gateway_id: str
    online: bool
    since: int
