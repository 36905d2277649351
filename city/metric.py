"""Observed properties and their units. Values travel in the metric's own unit, never scaled."""

from dataclasses import dataclass

ACTIVE_POWER = "active_power_w"
SUPPLY_VOLTAGE = "supply_voltage_v"
DIMMING_LEVEL = "dimming_level_pct"


@dataclass(frozen=True, slots=True)
class Metric:
    """One observed property.

    Attributes
    ----------
    name : str
        Lower case, unit last: ``active_power_w``.
    unit : str
        UCUM symbol.
    low, high : float
        What a sensor of this kind can report at all; a value outside is quarantined.
    """

    name: str
    unit: str
    low: float
    high: float


LAMP_METRICS = (
    Metric(ACTIVE_POWER, "W", -5.0, 5_000.0),
    Metric(SUPPLY_VOLTAGE, "V", 0.0, 500.0),
    Metric(DIMMING_LEVEL, "%", 0.0, 100.0),
)
"""Metrics that the rules of lamps name; a city pack adds its own in ``metrics.csv``."""
