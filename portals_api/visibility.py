"""Who sees what: the one rule that pages, API and exports ask."""

from dataclasses import dataclass

_STAFF = frozenset({"cabinet", "feeder", "gateway", "substation", "network", "area", "report_text"})
"""An open cabinet or a dark feeder is a guide for copper thieves; what citizens wrote is for who answers it."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks, in which city."""

    staff: bool
    simulated: bool


def visible(subject: str, viewer: Viewer) -> bool:
    """Tell whether `viewer` may see `subject`: an asset kind, or ``report_text``. The simulated city shows all."""
    return viewer.simulated or viewer.staff or subject not in _STAFF


def hidden_kinds(viewer: Viewer) -> list[str]:
    """Return what a query must leave out for `viewer`."""
    return sorted(subject for subject in _STAFF if not visible(subject, viewer))
