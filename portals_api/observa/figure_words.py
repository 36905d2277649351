"""What the ten figures are called, and their definitions. English here; the catalogues hold the other languages."""

from dataclasses import dataclass

from observatory.figures import Figure, Kind, Source, Value, Why
from portals_api.codes import N_


@dataclass(frozen=True, slots=True)
class FigureWords:
    """A figure's name, what it tells, and how it is computed."""

    name: str
    what: str
    how: str


WORDS = {
    "lamps-lit": FigureWords(
        N_("Lamps lit"),
        N_("How many of the lamps that were told to burn did burn."),
        N_(
            "A lamp counts in every full hour for which it was told to burn and was heard; it is lit when its mean"
            " power reaches a fifth of what its command asks for. Lamps that were not heard count on neither side."
        ),
    ),
    "lighting-energy": FigureWords(
        N_("Energy for street lighting"),
        N_("What the street lights used."),
        N_(
            "Mean measured power of every lamp over each full hour, added up. Lamps that were not heard,"
            " or that tell no power, add nothing: read it together with the share of readings heard."
        ),
    ),
    "tickets-open": FigureWords(
        N_("Tickets open"),
        N_("Faults that were known and not yet closed at the end of the period."),
        N_(
            "Tickets opened before the end of the period and not closed by then. What was rejected, or became part of"
            " another ticket, does not count."
        ),
    ),
    "tickets-opened": FigureWords(
        N_("Tickets opened"),
        N_("Faults that sensors or people found."),
        N_("Tickets by the time of opening. What was rejected, or became part of another ticket, does not count."),
    ),
    "tickets-solved": FigureWords(
        N_("Tickets solved"),
        N_("Faults that were repaired and confirmed."),
        N_("Tickets by the time of closing: after the sensors, or a person, confirmed the repair."),
    ),
    "repair-time": FigureWords(
        N_("Time to repair"),
        N_("How long half of the faults waited at most for their repair."),
        N_(
            "Median hours from the opening of a ticket to the last time a crew said that it was repaired, else to its"
            " closing; of the tickets closed in the period."
        ),
    ),
    "found-by-sensors": FigureWords(
        N_("Found by sensors first"),
        N_("Which share of the faults a sensor told of before any person did."),
        N_("Tickets that a sensor opened, of all tickets opened in the period."),
    ),
    "readings-heard": FigureWords(
        N_("Readings heard"),
        N_("How complete the measuring was: what came of what was due."),
        N_(
            "Stored readings of every lamp and facility, of what their devices owe by their reporting interval; none"
            " makes up for another. Controllers without power by day owe nothing then, nor do those that report less"
            " than hourly."
        ),
    ),
    "facility-air": FigureWords(
        N_("Fresh air in facilities"),
        N_("How often the air in the city's buildings was fresh."),
        N_("Hours of all measured facilities with a mean of at most 1,000 ppm of carbon dioxide, of all their hours."),
    ),
    "facility-energy": FigureWords(
        N_("Energy of facilities"),
        N_("What the measured facilities used."),
        N_("Mean measured power of every facility over each full hour, added up."),
    ),
}
SOURCES = {
    Source.TELEMETRY: N_("Hourly means of the stored readings"),
    Source.TICKETS: N_("Tickets and their history"),
}
FRESH = {
    Source.TELEMETRY: N_("Each full hour is counted within minutes of its end, and again when late readings come."),
    Source.TICKETS: N_("As of now."),
}
UNITS = {"%": "%", "kWh": "kWh", "h": "h", "tickets": N_("tickets")}
UNITS_OF_ONE = {**UNITS, "tickets": N_("ticket")}
"""What stands beside the number 1."""
WHYS = {
    Why.NOT_RUNNING: N_("The city was not connected yet."),
    Why.NOT_COUNTED: N_("Not yet counted: the hour has not ended, or its readings are still being stored."),
    Why.NOTHING_MEASURED: N_("Nothing was measured here in that time."),
    Why.NONE_COMMANDED: N_("No lamp was told to burn for a whole hour."),
    Why.NONE_EXPECTED: N_("Nothing was due: no device has power then."),
    Why.NO_TICKETS: N_("There was no ticket to take it of."),
}
BASES = {
    "lamps-lit": N_("{part} of {whole} lamp-hours"),
    "lighting-energy": N_("over {whole} lamp-hours"),
    "repair-time": N_("of {whole} tickets"),
    "found-by-sensors": N_("{part} of {whole} tickets"),
    "readings-heard": N_("{part} of {whole} readings"),
    "facility-air": N_("{part} of {whole} hours"),
    "facility-energy": N_("over {whole} hours"),
}
"""What stands behind a value; counts stand for themselves."""
BASES_OF_ONE = {
    "lamps-lit": N_("{part} of one lamp-hour"),
    "lighting-energy": N_("over one lamp-hour"),
    "repair-time": N_("of one ticket"),
    "found-by-sensors": N_("{part} of one ticket"),
    "readings-heard": N_("{part} of one reading"),
    "facility-air": N_("{part} of one hour"),
    "facility-energy": N_("over one hour"),
}
"""The same where `whole` is 1."""


def unit_of(figure: Figure, value: float | None) -> str:
    """Return what stands beside a value."""
    one = value is not None and rounded(figure, value) == 1
    return (UNITS_OF_ONE if one else UNITS)[figure.unit]


def basis_of(figure: Figure, value: Value) -> str:
    """Return what stands behind a value, with `part` and `whole` to be filled in; empty for counts."""
    table = BASES_OF_ONE if round(value.whole) == 1 else BASES
    return table.get(figure.figure_id, "")


def rounded(figure: Figure, value: float) -> float:
    """Return a value with the digits that mean something; a share below 100 never rounds up to 100."""
    if figure.kind is Kind.SHARE:
        digits = 2 if value > 99 else 1
        return min(round(value, digits), 99.99) if value < 100 else value
    return round(value, 1 if figure.kind in (Kind.MEDIAN, Kind.SUM) else 0)
