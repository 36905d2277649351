"""Labels: what was wrong with which asset, and from when to when."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Label:
    """A fault that was there.

    Attributes
    ----------
    onset_us : int
        When it began, µs UTC.
    fault : str
        TALQ's event type, or a name in its manner; it need not be one that detection knows.
    end_us : int or None
        When it was repaired; None: not within the data.
    """

    onset_us: int
    asset: str
    fault: str
    end_us: int | None = None

    def ends_by(self, otherwise_us: int) -> int:
        """Return when it ends; `otherwise_us` where nobody says."""
        return otherwise_us if self.end_us is None else self.end_us


def in_order(labels: Iterable[Label]) -> list[Label]:
    """Return labels by onset, each once."""
    return sorted(set(labels), key=lambda x: (x.onset_us, x.asset, x.fault, x.end_us or 0))
