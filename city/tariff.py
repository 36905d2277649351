"""What a city pays: for electricity, and for changing lamps."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tariff:
    """Price of a kilowatt-hour, all in all; `currency` after ISO 4217."""

    price_per_kwh: float
    currency: str

    def cost(self, kwh: float) -> float:
        """Return what `kwh` cost, in the tariff's currency."""
        return kwh * self.price_per_kwh


@dataclass(frozen=True, slots=True)
class RelampingPrices:
    """What it costs to change one lamp, material and work together; `currency` after ISO 4217.

    Attributes
    ----------
    planned : float
        On a round on which a street is changed together.
    fault : float
        When it has failed and a crew goes out for it.
    """

    planned: float
    fault: float
    currency: str
