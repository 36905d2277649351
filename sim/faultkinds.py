"""What each fault can be planted on, and which metrics it needs to show."""

from collections.abc import Mapping

from city.alarm import FaultClass

LAMP = "lamp"
FEEDER = "feeder"
CABINET = "cabinet"
GATEWAY = "gateway"
FACILITY = "facility"

_LAMP_ONLY = (
    FaultClass.LAMP_FAILURE,
    FaultClass.LAMP_UNEXPECTED_ON,
    FaultClass.DIMMING_FAILURE,
    FaultClass.CYCLING_FAILURE,
    FaultClass.FLICKER,
    FaultClass.POWER_FACTOR_TOO_LOW,
    FaultClass.LED_MODULE_LOST,
    FaultClass.LAMP_POWER_TOO_LOW,
    FaultClass.LAMP_POWER_TOO_HIGH,
)
_FEEDER_ONLY = (
    FaultClass.SWITCHING_ERROR_ON,
    FaultClass.SWITCHING_ERROR_OFF,
    FaultClass.SUPPLY_VOLTAGE_TOO_LOW,
    FaultClass.SUPPLY_VOLTAGE_TOO_HIGH,
    FaultClass.LOST_NEUTRAL,
    FaultClass.CABLE_THEFT,
    FaultClass.RCD_RECLOSING,
)

FACILITY_METRICS: Mapping[FaultClass, str] = {
    FaultClass.TEMPERATURE_OUT_OF_PATTERN: "indoor_temperature_deg_c",
    FaultClass.ENERGY_OUT_OF_PATTERN: "active_power_w",
    FaultClass.WATER_LEAK: "water_flow_m3_h",
    FaultClass.CO2_TOO_HIGH: "co2_ppm",
    FaultClass.HOT_WATER_TOO_COLD: "hot_water_temperature_deg_c",
    FaultClass.COLD_ROOM_TOO_WARM: "cold_room_temperature_deg_c",
    FaultClass.HEATING_WHILE_CLOSED: "indoor_temperature_deg_c",
    FaultClass.HUMIDITY_OUT_OF_PATTERN: "indoor_humidity_pct",
}
"""Faults of facilities, and the metric that shows them."""

TARGETS: Mapping[FaultClass, tuple[str, ...]] = {
    **dict.fromkeys(_LAMP_ONLY, (LAMP,)),
    **dict.fromkeys(_FEEDER_ONLY, (FEEDER,)),
    **dict.fromkeys(FACILITY_METRICS, (FACILITY,)),
    FaultClass.COMMUNICATION_FAILURE: (LAMP, GATEWAY, FACILITY),
    FaultClass.SUPPLY_LOSS: (FEEDER, CABINET),
    FaultClass.CIRCUIT_BREAKER_TRIPPED: (FEEDER, CABINET),
    FaultClass.CABINET_CLOCK_WRONG: (CABINET,),
    FaultClass.STUCK_SENSOR: (LAMP, FACILITY),
    FaultClass.COUNTER_RESET: (LAMP, FACILITY),
}
"""What each fault can be planted on."""


def fault_named(text: str) -> FaultClass:
    """Return the fault with this name.

    Raises
    ------
    ValueError
        There is none that the simulator can plant.
    """
    if text in TARGETS:
        return FaultClass(text)
    raise ValueError(f"{text!r} is no fault: write one of {', '.join(sorted(map(str, TARGETS)))}")
