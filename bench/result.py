"""What a benchmark returns: one figure, and a peer's from the same run."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Result:
    """One line of ``bench/results.json``."""

    name: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    note: str = ""
    wanted: str = ""
    """What the figure is to be, where something was promised: the page has it beside what was measured."""

    def plain(self) -> dict[str, Any]:
        """Return JSON values, rounded to what a measurement on this machine can mean."""
        body = asdict(self)
        body["value"] = _rounded(self.value)
        if self.peer_value is not None:
            body["peer_value"] = _rounded(self.peer_value)
        return {key: value for key, value in body.items() if value not in ("", None)}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
