"""The port behind which brokers are told who may connect, and publish and read where."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ingest.credentials.model import CERTIFICATE, PASSWORD, Grant


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of an order.

    Attributes
    ----------
    changed : int
        Logins that were added, taken away or given other topics.
    to_rotate : tuple of str
        Logins that the broker does not have and cannot be given, because nobody knows their passwords any more.
    kinds : tuple of str
        Kinds of credentials that it learns of in this way.
    """

    changed: int
    to_rotate: tuple[str, ...] = ()
    kinds: tuple[str, ...] = (PASSWORD, CERTIFICATE)


class AccessEngine(Protocol):
    """A broker as the keeper sees it.

    Contract: after `apply` returned, who is in `grants` may connect with his own password, publish where he may and
    read what he may, and nobody else may connect at all, citynerve itself excepted. Whoever lost his login is
    disconnected, and what somebody may no longer do ends at once, on open connections too. The same order again
    changes nothing. A broker that forgot everything has it again afterwards.
    """

    async def apply(self, grants: Sequence[Grant]) -> Applied:
        """Bring the broker in line with `grants`, whole.

        Raises
        ------
        EngineError
            It did not answer, or not in time: try again, what was done half is completed then.
        SettingsError
            It does not let us administrate it.
        """

    async def close(self) -> None:
        """Let go of the broker; what it knows stays."""
