"""Data models of street lighting: what their attributes are called, and the metrics that they are.

Sources: smart-data-models/dataModel.Streetlighting, schema.json of each model; TALQ Specification 2.7.1, OpenAPI data
model, LampMonitorFunction and the events of a lamp. A unit is given where the model names one
or the attribute has none but its range (0 to 1); a message that tells its own unit is believed before.
"""

from collections.abc import Mapping
from typing import NamedTuple

from city.asset import WireName


class Model(NamedTuple):
    """One data model.

    Attributes
    ----------
    names : tuple of WireName
        Attributes that are measurements.
    others : frozenset of str
        Attributes that describe; ``name.*`` is all within one.
    """

    names: tuple[WireName, ...]
    others: frozenset[str]


_PHASES = (("R", "r"), ("S", "s"), ("T", "t"))
_POWER_STATES = (("on", 1.0), ("low", 1.0), ("bootingUp", 1.0), ("off", 0.0))
_STATUS = (("ok", 0.0), ("defectiveLamp", 1.0), ("columnIssue", 1.0), ("brokenLantern", 1.0))
_SUPPLY_STATES = (("ON", 1.0), ("on", 1.0), ("OFF", 0.0), ("off", 0.0))
_ABOUT = frozenset(
    {
        *("name", "alternateName", "description", "dataProvider", "source", "owner", "owner.*", "seeAlso", "seeAlso.*"),
        *("address", "address.*", "areaServed", "deviceInfo.*", "municipalityInfo.*", "annotations", "annotations.*"),
        *("image", "refDevice", "refDevice.*", "refStreetlightGroup", "refStreetlightGroup.*", "color"),
    }
)

_STREETLIGHT = Model(
    (
        WireName("powerConsumption", "active_power_w"),
        WireName("voltage", "supply_voltage_v"),
        WireName("current", "supply_current_a"),
        WireName("powerFactor", "power_factor", "1"),
        WireName("illuminanceLevel", "dimming_level_pct", "1"),
        WireName("lifetimePowerConsumption", "active_energy_kwh"),
        WireName("powerState", "lamp_on", "", _POWER_STATES),
        WireName("status", "lamp_defect", "", _STATUS),
    ),
    _ABOUT
    | {
        *("circuit", "feederID", "feederPillarNum", "streetPoleNum", "controllingMethod", "locationCategory"),
        *("lanternHeight", "lifetimeMotionDetected", "powerRating", "refStreetlightModel"),
        "refStreetlightControlCabinet",
    },
)

_CABINET = Model(
    (
        WireName("totalActivePower", "active_power_w", "kW"),
        WireName("totalReactivePower", "reactive_power_var", "kvar"),
        WireName("energyConsumed", "active_energy_kwh", "kW.h"),
        WireName("reactiveEnergyConsumed", "reactive_energy_kvarh", "kvarh"),
        WireName("frequency", "frequency_hz", "Hz"),
        WireName("cosPhi", "power_factor", "1"),
        *(WireName(f"activePower{p}", f"active_power_{m}_w", "kW") for p, m in _PHASES),
        *(WireName(f"reactivePower{p}", f"reactive_power_{m}_var", "kvar") for p, m in _PHASES),
        *(WireName(f"powerFactor{p}", f"power_factor_{m}", "1") for p, m in _PHASES),
        *(WireName(f"intensity{p}", f"supply_current_{m}_a", "A") for p, m in _PHASES),
        *(WireName(f"voltage{p}", f"supply_voltage_{m}_v", "V") for p, m in _PHASES),
        *(WireName(f"thdrVoltage{p}", f"voltage_thd_{m}_pct", "1") for p, m in _PHASES),
        *(WireName(f"thdrIntensity{p}", f"current_thd_{m}_pct", "1") for p, m in _PHASES),
    ),
    _ABOUT
    | {
        *("serialNumber", "brandName", "modelName", "manufacturerName", "cupboardMadeOf", "features", "features.*"),
        *("compliantWith", "compliantWith.*", "responsible", "workingMode", "maximumPowerAvailable", "energyCost"),
        *("lastMeterReading", "meterReadingPeriod"),
    },
)

_FEEDER = Model(
    (
        WireName("totalActivePower", "active_power_w"),
        WireName("totalReactivePower", "reactive_power_var"),
        WireName("powerState", "supply_on", "", _SUPPLY_STATES),
        *(WireName(f"activePower.{n}", f"active_power_{m}_w") for n, (_, m) in enumerate(_PHASES)),
        *(WireName(f"reactivePower.{n}", f"reactive_power_{m}_var") for n, (_, m) in enumerate(_PHASES)),
        *(WireName(f"phaseVoltage.{n}", f"supply_voltage_{m}_v") for n, (_, m) in enumerate(_PHASES)),
        *(WireName(f"phaseCurrent.{n}", f"supply_current_{m}_a") for n, (_, m) in enumerate(_PHASES)),
    ),
    _ABOUT | {"numStreetlight"},
)

_LAMP_EVENTS = (
    *("lampFailure", "dimmingFailure", "cyclingFailure", "lampUnexpectedOn", "powerFactorTooLow", "invalidLampType"),
    *("absoluteLampPowerTooHigh", "absoluteLampPowerTooLow", "lampPowerTooHigh", "lampPowerTooLow", "highTemperature"),
    *("lampVoltageTooHigh", "lampVoltageTooLow", "supplyVoltageTooHigh", "supplyVoltageTooLow", "currentTooHigh"),
    *("currentTooLow", "relayFailure", "contactorError", "controlGearCommFailure", "supplyLoss", "leakageDetected"),
    *("communicationFailure", "deviceReset"),
)


def metric_of_event(event: str) -> str:
    """Return the metric of a TALQ event, 1 from its start to its end: ``lamp_failure`` of ``lampFailure``."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in event)


_LEVELS = (
    *(("actualLightState", "dimming_level_pct"), ("state", "dimming_level_pct")),
    *(("feedbackLightCommand", "commanded_level_pct"), ("command", "commanded_level_pct")),
    ("targetLightCommand", "target_level_pct"),
)
"""Levels, by themselves or in a state that has a colour too; of a `BooleanState` all or nothing."""
_SWITCHED = (("true", 100.0), ("false", 0.0))

_LAMP_MONITOR = Model(
    (
        WireName("activePower", "active_power_w", "W"),
        WireName("supplyVoltage", "supply_voltage_v", "V"),
        WireName("supplyCurrent", "supply_current_a", "A"),
        WireName("powerFactor", "power_factor", "1"),
        WireName("reactivePower", "reactive_power_var"),
        WireName("apparentPower", "apparent_power_va"),
        WireName("activeEnergy", "active_energy_kwh"),
        WireName("operatingHours", "operating_hours_h", "h"),
        WireName("switchOnCounter", "switch_on_count", "1"),
        WireName("supplyLossCount", "supply_loss_count", "1"),
        WireName("temperature", "controller_temperature_deg_c", "Cel"),
        *(WireName(name, metric, "%", _SWITCHED) for name, metric in _LEVELS),
        *(WireName(f"{name}.level", metric, "%") for name, metric in _LEVELS),
        *(WireName(event, metric_of_event(event)) for event in _LAMP_EVENTS),
    ),
    frozenset(
        {
            *("supplyType", "lampTypeId", "monitoringReference", "actuatorReference", "numberOfLamps"),
            *("powerFactorSense", "absolutLampPowerTooHigh", "absolutLampPowerTooLow", "applicationType"),
            *("highSupplyVoltageThreshold", "lowSupplyVoltageThreshold"),
            *(f"{name}.*" for name, _ in _LEVELS),
        }
    ),
)

MODELS: Mapping[str, Model] = {
    "Streetlight": _STREETLIGHT,
    "StreetlightControlCabinet": _CABINET,
    "StreetlightFeeder": _FEEDER,
    "LampMonitor": _LAMP_MONITOR,
}
"""Data models by the type that their entities have; ``LampMonitor`` is TALQ's."""
