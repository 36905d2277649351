"""Observed properties and their units. Values travel in the metric's own unit, never scaled."""

from dataclasses import dataclass

ACTIVE_POWER = "active_power_w"
SUPPLY_VOLTAGE = "supply_voltage_v"
DIMMING_LEVEL = "dimming_level_pct"
SUPPLY_CURRENT = "supply_current_a"
POWER_FACTOR = "power_factor"
ACTIVE_ENERGY = "active_energy_kwh"
OPERATING_HOURS = "operating_hours_h"
SWITCH_ON_COUNT = "switch_on_count"


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

KNOWN_METRICS = (
    Metric(ACTIVE_POWER, "W", -5, 500_000),
    Metric(SUPPLY_VOLTAGE, "V", 0, 500),
    Metric(DIMMING_LEVEL, "%", 0, 100),
    Metric("supply_current_a", "A", 0, 100),
    Metric("power_factor", "1", -1, 1),
    Metric("controller_temperature_deg_c", "Cel", -40, 125),
    Metric("active_energy_kwh", "kW.h", 0, 1_000_000_000),
    Metric("operating_hours_h", "h", 0, 1_000_000),
    Metric("switch_on_count", "1", 0, 10_000_000),
    Metric("indoor_temperature_deg_c", "Cel", -40, 80),
    Metric("indoor_humidity_pct", "%", 0, 100),
    Metric("co2_ppm", "[ppm]", 0, 20_000),
    Metric("hot_water_temperature_deg_c", "Cel", -10, 110),
    Metric("pool_temperature_deg_c", "Cel", -10, 60),
    Metric("cold_room_temperature_deg_c", "Cel", -60, 60),
    Metric("occupancy_pct", "%", 0, 100),
    Metric("water_level_pct", "%", 0, 100),
    Metric("water_flow_m3_h", "m3/h", 0, 5_000),
)
"""What devices of lamps and of facilities measure, by the names that every pack and every recorded fleet uses."""

AIR_METRICS = (
    Metric("so2_ug_m3", "ug/m3", 0, 5_000),
    Metric("no_ug_m3", "ug/m3", 0, 5_000),
    Metric("no2_ug_m3", "ug/m3", 0, 5_000),
    Metric("co_mg_m3", "mg/m3", 0, 200),
    Metric("pm10_ug_m3", "ug/m3", 0, 5_000),
    Metric("o3_ug_m3", "ug/m3", 0, 5_000),
    Metric("wind_direction_deg", "deg", 0, 360),
    Metric("wind_speed_m_s", "m/s", 0, 100),
    Metric("air_temperature_deg_c", "Cel", -40, 60),
    Metric("relative_humidity_pct", "%", 0, 100),
    Metric("pressure_hpa", "hPa", 800, 1_100),
    Metric("solar_irradiance_w_m2", "W/m2", 0, 2_000),
    Metric("rainfall_mm", "mm", 0, 500),
    Metric("benzene_ug_m3", "ug/m3", 0, 1_000),
    Metric("toluene_ug_m3", "ug/m3", 0, 5_000),
    Metric("xylene_ug_m3", "ug/m3", 0, 5_000),
    Metric("pm2_5_ug_m3", "ug/m3", 0, 5_000),
)
"""Channels of an air station, in the order of Gijón's own file."""
