"""The ten figures of the city: what each counts, and how two sums become its value."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a figure's value comes from its two sums, `part` and `whole`."""

    SHARE = "share"
    """part / whole, in per cent."""
    SUM = "sum"
    """part, where anything was measured; `whole` says how much."""
    COUNT = "count"
    """part: what happened in the period."""
    STOCK = "stock"
    """part: what stood at the end of the period."""
    MEDIAN = "median"
    """part is the median itself, `whole` how many cases it is of."""


class Source(StrEnum):
    """What a figure is made of."""

    TELEMETRY = "telemetry"
    TICKETS = "tickets"


class Why(StrEnum):
    """Why a figure has no value."""

    NOT_RUNNING = "not-running-yet"
    """The city was not connected yet."""
    NOT_COUNTED = "not-yet-counted"
    """Not an hour of that time has been counted: it has not ended, or the store has not got so far."""
    NOTHING_MEASURED = "nothing-measured"
    """No sensor was heard there in that time."""
    NONE_COMMANDED = "none-commanded"
    """No lamp was told to burn for a whole hour: it was day."""
    NONE_EXPECTED = "none-expected"
    """Nothing was due: by day the controllers of switched feeders have no power."""
    NO_TICKETS = "no-tickets"
    """No ticket to take it of."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the ten."""

    figure_id: str
    unit: str
    kind: Kind
    source: Source
    none: Why
    """Why there is no value where `whole` is 0."""


_ALL = (
    Figure("lamps-lit", "%", Kind.SHARE, Source.TELEMETRY, Why.NONE_COMMANDED),
    Figure("lighting-energy", "kWh", Kind.SUM, Source.TELEMETRY, Why.NOTHING_MEASURED),
    Figure("tickets-open", "tickets", Kind.STOCK, Source.TICKETS, Why.NOT_RUNNING),
    Figure("tickets-opened", "tickets", Kind.COUNT, Source.TICKETS, Why.NOT_RUNNING),
    Figure("tickets-solved", "tickets", Kind.COUNT, Source.TICKETS, Why.NOT_RUNNING),
    Figure("repair-time", "h", Kind.MEDIAN, Source.TICKETS, Why.NO_TICKETS),
    Figure("found-by-sensors", "%", Kind.SHARE, Source.TICKETS, Why.NO_TICKETS),
    Figure("readings-heard", "%", Kind.SHARE, Source.TELEMETRY, Why.NONE_EXPECTED),
    Figure("facility-air", "%", Kind.SHARE, Source.TELEMETRY, Why.NOTHING_MEASURED),
    Figure("facility-energy", "kWh", Kind.SUM, Source.TELEMETRY, Why.NOTHING_MEASURED),
)
FIGURES = {figure.figure_id: figure for figure in _ALL}
"""By id, in the order in which they are shown."""

LIT_SHARE_MIN = 0.2
"""A lamp counts as lit from this share of what its command asks for; the rule for dark lamps has the same."""
CO2_PPM_MAX = 1000.0
"""Mean of an hour up to which the air of a room counts as fresh (Pettenkofer's number)."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What was counted: two sums that add up over hours and districts, the median's `part` excepted."""

    part: float | None = None
    whole: float = 0.0


@dataclass(frozen=True, slots=True)
class Value:
    """A figure's value, or the reason why there is none.

    Attributes
    ----------
    value : float or None
        In the figure's unit.
    part, whole : float or None, float
        The sums that it comes from.
    """

    value: float | None
    part: float | None
    whole: float
    why: Why | None = None


def value_of(figure: Figure, sums: Sums | None) -> Value:
    """Return what the sums say; None: nothing was counted."""
    if figure.kind in (Kind.COUNT, Kind.STOCK):
        part = (sums.part if sums else None) or 0.0
        return Value(part, part, 0.0)
    if sums is None:
        return Value(None, None, 0.0, Why.NOTHING_MEASURED if figure.source is Source.TELEMETRY else figure.none)
    if sums.whole <= 0 or sums.part is None:
        return Value(None, sums.part, sums.whole, figure.none)
    value = 100.0 * sums.part / sums.whole if figure.kind is Kind.SHARE else sums.part
    return Value(value, sums.part, sums.whole)
