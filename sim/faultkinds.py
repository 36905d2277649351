"""Every fault that the simulator can plant, what it can be planted on, and which metrics it needs to show."""

from collections.abc import Mapping
from enum import StrEnum

from city.alarm import FaultClass


class SimFault(StrEnum):
    """Faults that the city's rules do not name yet; TALQ's event type where it has one, else a name in its manner."""

    DIMMING_FAILURE = "dimmingFailure"
    """Burns in full whatever level it is told."""
    SWITCHING_ERROR_ON = "switchingErrorOn"
    """The whole feeder burns by day: a contactor has welded."""
    SWITCHING_ERROR_OFF = "switchingErrorOff"
    """The whole feeder stays off at night."""
    CYCLING_FAILURE = "cyclingFailure"
    """A worn discharge lamp goes out when hot, and starts again when cool."""
    FLICKER = "flicker"
    POWER_FACTOR_TOO_LOW = "powerFactorTooLow"
    """The capacitor is gone."""
    SUPPLY_VOLTAGE_TOO_LOW = "supplyVoltageTooLow"
    SUPPLY_VOLTAGE_TOO_HIGH = "supplyVoltageTooHigh"
    LOST_NEUTRAL = "lostNeutral"
    """The phases drift apart with their loads: dangerous."""
    CABLE_THEFT = "cableTheft"
    """Everything behind the cut is dark and silent."""
    CABINET_CLOCK_WRONG = "cabinetClockWrong"
    RCD_RECLOSING = "residualCurrentReclosing"
    """A chafed cable: the breaker trips and recloses a few times a night."""
    CIRCUIT_BREAKER_TRIPPED = "circuitBreakerTripped"
    """One phase of a feeder is out; at a cabinet its main breaker, and so all of it."""
    LED_MODULE_LOST = "ledModuleLost"
    LAMP_POWER_TOO_LOW = "lampPowerTooLow"
    """Falls away slowly, a tenth in some days, until it is mended."""
    LAMP_POWER_TOO_HIGH = "lampPowerTooHigh"
    STUCK_SENSOR = "stuckSensor"
    COUNTER_RESET = "counterReset"
    """Counters begin again at nothing, each six hours until mended; the old count does not come back."""
    TEMPERATURE_OUT_OF_PATTERN = "temperatureOutOfPattern"
    HUMIDITY_OUT_OF_PATTERN = "humidityOutOfPattern"
    """Damp: water comes in, or the air is not changed."""
    ENERGY_OUT_OF_PATTERN = "energyOutOfPattern"
    WATER_LEAK = "waterLeak"
    CO2_TOO_HIGH = "co2TooHigh"
    """The ventilation is off."""
    HOT_WATER_TOO_COLD = "hotWaterTooCold"
    """Below 50 °C legionella grow."""
    COLD_ROOM_TOO_WARM = "coldRoomTooWarm"
    HEATING_WHILE_CLOSED = "heatingWhileClosed"


Fault = FaultClass | SimFault

LAMP = "lamp"
FEEDER = "feeder"
CABINET = "cabinet"
GATEWAY = "gateway"
FACILITY = "facility"

_LAMP_ONLY = (
    FaultClass.LAMP_FAILURE,
    FaultClass.LAMP_UNEXPECTED_ON,
    SimFault.DIMMING_FAILURE,
    SimFault.CYCLING_FAILURE,
    SimFault.FLICKER,
    SimFault.POWER_FACTOR_TOO_LOW,
    SimFault.LED_MODULE_LOST,
    SimFault.LAMP_POWER_TOO_LOW,
    SimFault.LAMP_POWER_TOO_HIGH,
)
_FEEDER_ONLY = (
    SimFault.SWITCHING_ERROR_ON,
    SimFault.SWITCHING_ERROR_OFF,
    SimFault.SUPPLY_VOLTAGE_TOO_LOW,
    SimFault.SUPPLY_VOLTAGE_TOO_HIGH,
    SimFault.LOST_NEUTRAL,
    SimFault.CABLE_THEFT,
    SimFault.RCD_RECLOSING,
)

FACILITY_METRICS: Mapping[Fault, str] = {
    SimFault.TEMPERATURE_OUT_OF_PATTERN: "indoor_temperature_deg_c",
    SimFault.ENERGY_OUT_OF_PATTERN: "active_power_w",
    SimFault.WATER_LEAK: "water_flow_m3_h",
    SimFault.CO2_TOO_HIGH: "co2_ppm",
    SimFault.HOT_WATER_TOO_COLD: "hot_water_temperature_deg_c",
    SimFault.COLD_ROOM_TOO_WARM: "cold_room_temperature_deg_c",
    SimFault.HEATING_WHILE_CLOSED: "indoor_temperature_deg_c",
    SimFault.HUMIDITY_OUT_OF_PATTERN: "indoor_humidity_pct",
}
"""Faults of facilities, and the metric that shows them."""

TARGETS: Mapping[Fault, tuple[str, ...]] = {
    **dict.fromkeys(_LAMP_ONLY, (LAMP,)),
    **dict.fromkeys(_FEEDER_ONLY, (FEEDER,)),
    **dict.fromkeys(FACILITY_METRICS, (FACILITY,)),
    FaultClass.COMMUNICATION_FAILURE: (LAMP, GATEWAY, FACILITY),
    FaultClass.SUPPLY_LOSS: (FEEDER, CABINET),
    SimFault.CIRCUIT_BREAKER_TRIPPED: (FEEDER, CABINET),
    SimFault.CABINET_CLOCK_WRONG: (CABINET,),
    SimFault.STUCK_SENSOR: (LAMP, FACILITY),
    SimFault.COUNTER_RESET: (LAMP, FACILITY),
}
"""What each fault can be planted on."""


def fault_named(text: str) -> Fault:
    """Return the fault with this name.

    Raises
    ------
    ValueError
        There is none.
    """
    for kind in (FaultClass, SimFault):
        if text in set(kind):
            return kind(text)
    raise ValueError(f"{text!r} is no fault: write one of {', '.join(sorted(map(str, TARGETS)))}")
