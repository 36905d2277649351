"""What a city pays for electricity."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tariff:
    """Price of a kilowatt-hour, all in all; `currency` after ISO 4217."""

    price_per_kwh: float
    currency: str

    def cost(self, kwh: float) -> float:
        """Return what `kwh` cost, in the tariff's currency."""
        return kwh * self.price_per_kwh
