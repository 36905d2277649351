"""What each metric of a facility is to the rules: its role, its unit, and the noise that is always allowed for."""

from typing import NamedTuple

from anomaly.facilities.layout import (
    CO2,
    COLD_ROOM,
    COUNTER,
    FLOW,
    GENERAL,
    HOT_WATER,
    HUMIDITY,
    INDOOR,
    NONE,
    POWER,
    TEMPERATURE,
)


class Part(NamedTuple):
    """A role, with the metric's unit.

    Attributes
    ----------
    floor : float
        Noise that is allowed for however calm a series was, in the metric's unit.
    relative : bool
        Its noise grows with its value.
    """

    role: int
    unit: str
    floor: float = 0.0
    relative: bool = False


PARTS = {
    "indoor_temperature_deg_c": Part(INDOOR, "Cel", 0.15),
    "pool_temperature_deg_c": Part(TEMPERATURE, "Cel", 0.15),
    "indoor_humidity_pct": Part(HUMIDITY, "%", 1.0),
    "active_power_w": Part(POWER, "W", 50.0, relative=True),
    "active_energy_kwh": Part(COUNTER, "kW.h"),
    "co2_ppm": Part(CO2, "[ppm]", 8.0),
    "hot_water_temperature_deg_c": Part(HOT_WATER, "Cel"),
    "cold_room_temperature_deg_c": Part(COLD_ROOM, "Cel"),
    "water_flow_m3_h": Part(FLOW, "m3/h", 0.05),
    "water_level_pct": Part(GENERAL, "%", 1.0),
    "occupancy_pct": Part(GENERAL, "%", 1.0),
}
OTHER = Part(NONE, "")
"""A metric that no rule of facilities names."""
