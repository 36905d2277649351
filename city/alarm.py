"""Faults under TALQ's names, what detection suspects (candidates) and what correlation decides (alarms)."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from city.asset import AssetKind, GatewayDefinition
from city.maintenance import MaintenanceWindow

QUARTER_US = 900_000_000


class FaultClass(StrEnum):
    """What can be wrong: event types of TALQ 2.7.1 where it has one, else in its manner.

    Of lamps, then of feeders and cabinets, of anything, and of facilities.
    """

    LAMP_FAILURE = "lampFailure"
    LAMP_UNEXPECTED_ON = "lampUnexpectedOn"
    DIMMING_FAILURE = "dimmingFailure"
    """Burns at another level than it is told."""
    CYCLING_FAILURE = "cyclingFailure"
    """A worn discharge lamp goes out when hot, and starts again when cool."""
    FLICKER = "flicker"
    POWER_FACTOR_TOO_LOW = "powerFactorTooLow"
    """The capacitor is gone."""
    LED_MODULE_LOST = "ledModuleLost"
    """A module or a string of LEDs has failed: power steps down against the lamp's own past."""
    LAMP_POWER_TOO_LOW = "lampPowerTooLow"
    LAMP_POWER_TOO_HIGH = "lampPowerTooHigh"

    SUPPLY_LOSS = "supplyLoss"
    CIRCUIT_BREAKER_TRIPPED = "circuitBreakerTripped"
    """One phase of a feeder is out; at a cabinet its main breaker, and so all of it."""
    SWITCHING_ERROR_ON = "switchingErrorOn"
    """The whole feeder burns by day: a contactor has welded."""
    SWITCHING_ERROR_OFF = "switchingErrorOff"
    """The whole feeder stays off at night."""
    SUPPLY_VOLTAGE_TOO_LOW = "supplyVoltageTooLow"
    SUPPLY_VOLTAGE_TOO_HIGH = "supplyVoltageTooHigh"
    LOST_NEUTRAL = "lostNeutral"
    """The phases drift apart with their loads: dangerous."""
    CABLE_THEFT = "cableTheft"
    """Everything behind the cut is dark and silent."""
    RCD_RECLOSING = "residualCurrentReclosing"
    """A chafed cable: the breaker trips and recloses a few times a night."""
    CABINET_CLOCK_WRONG = "cabinetClockWrong"

    COMMUNICATION_FAILURE = "communicationFailure"
    STUCK_SENSOR = "stuckSensor"
    COUNTER_RESET = "counterReset"
    """Counters begin again at nothing twice a day: a controller that loses its memory."""
    OUT_OF_PATTERN = "outOfPattern"
    """A series that no rule names behaves as it never did."""

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


class Severity(StrEnum):
    """How soon someone should act (ISA-18.2 calls it priority)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"


SEVERITY = {
    FaultClass.LAMP_FAILURE: Severity.MEDIUM,
    FaultClass.LAMP_UNEXPECTED_ON: Severity.LOW,
    FaultClass.DIMMING_FAILURE: Severity.LOW,
    FaultClass.CYCLING_FAILURE: Severity.MEDIUM,
    FaultClass.FLICKER: Severity.LOW,
    FaultClass.POWER_FACTOR_TOO_LOW: Severity.LOW,
    FaultClass.LED_MODULE_LOST: Severity.MEDIUM,
    FaultClass.LAMP_POWER_TOO_LOW: Severity.LOW,
    FaultClass.LAMP_POWER_TOO_HIGH: Severity.LOW,
    FaultClass.SUPPLY_LOSS: Severity.HIGH,
    FaultClass.CIRCUIT_BREAKER_TRIPPED: Severity.HIGH,
    FaultClass.SWITCHING_ERROR_ON: Severity.MEDIUM,
    FaultClass.SWITCHING_ERROR_OFF: Severity.HIGH,
    FaultClass.SUPPLY_VOLTAGE_TOO_LOW: Severity.MEDIUM,
    FaultClass.SUPPLY_VOLTAGE_TOO_HIGH: Severity.HIGH,
    FaultClass.LOST_NEUTRAL: Severity.URGENT,
    FaultClass.CABLE_THEFT: Severity.URGENT,
    FaultClass.RCD_RECLOSING: Severity.HIGH,
    FaultClass.CABINET_CLOCK_WRONG: Severity.LOW,
    FaultClass.COMMUNICATION_FAILURE: Severity.LOW,
    FaultClass.STUCK_SENSOR: Severity.LOW,
    FaultClass.COUNTER_RESET: Severity.LOW,
    FaultClass.OUT_OF_PATTERN: Severity.LOW,
    FaultClass.TEMPERATURE_OUT_OF_PATTERN: Severity.LOW,
    FaultClass.HUMIDITY_OUT_OF_PATTERN: Severity.LOW,
    FaultClass.ENERGY_OUT_OF_PATTERN: Severity.LOW,
    FaultClass.WATER_LEAK: Severity.MEDIUM,
    FaultClass.CO2_TOO_HIGH: Severity.MEDIUM,
    FaultClass.HOT_WATER_TOO_COLD: Severity.HIGH,
    FaultClass.COLD_ROOM_TOO_WARM: Severity.HIGH,
    FaultClass.HEATING_WHILE_CLOSED: Severity.LOW,
}
assert set(SEVERITY) == set(FaultClass)


class AlarmEventKind(StrEnum):
    """What happened to an alarm."""

    RAISED = "raised"
    CLEARED = "cleared"
    FOLDED = "folded"
    """The alarm is explained by another one, its parent: no crew goes out for it."""
    HELD = "held"
    """Works go on where it is: it is shown, and nobody goes out for it before they end."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a fault is about, and where it hangs.

    Attributes
    ----------
    kind, asset_id
        The asset itself.
    root_id : str
        Cabinet of a lamp, feeder or cabinet; the facility; the gateway. One lock of the desk covers one root.
    group : str
        Correlation group (substation area).
    feeder_id, gateway_id : str
        Empty where they mean nothing.
    device_id : str
        The device, where its facility has several: each measures something of its own (two pools, two cold rooms), and
        what one of them shows is an incident of its own. Empty where the asset is meant.
    """

    kind: AssetKind
    asset_id: str
    root_id: str
    group: str
    feeder_id: str = ""
    gateway_id: str = ""
    device_id: str = ""

    @property
    def subject(self) -> str:
        """What faults, alarms and incidents of it are told apart by."""
        return f"{self.asset_id}|{self.device_id}" if self.device_id else self.asset_id


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why: what a technician is shown.

    Attributes
    ----------
    rule : str
        Name of the rule or channel.
    observed, expected : float or None
        In `unit`.
    last_heard_at : int or None
        µs UTC.
    """

    rule: str
    observed: float | None = None
    expected: float | None = None
    unit: str = ""
    last_heard_at: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """One small self-describing record of the log's `alarms` topic.

    Attributes
    ----------
    alarm_id : str
        The same after every replay: from fault, asset and `raised_at`.
    raised_at : int
        When the fault began, by the devices' clocks, µs UTC.
    at : int
        Event time of this decision, µs UTC.
    cleared_at : int or None
        When the fault ended; already known at RAISED where a back-log told the whole story.
    parent_id : str or None
        The alarm that explains this one (FOLDED).
    children : tuple of str
        Assets that the alarm explains.
    held_by : int or None
        The maintenance window during which it came (HELD).
    """

    kind: AlarmEventKind
    alarm_id: str
    fault: FaultClass
    severity: Severity
    scope: Scope
    raised_at: int
    at: int
    evidence: Evidence
    cleared_at: int | None = None
    parent_id: str | None = None
    children: tuple[str, ...] = ()
    held_by: int | None = None

    @property
    def event_id(self) -> str:
        """A sink that has seen this id takes the record without effect."""
        return f"{self.alarm_id}:{self.kind}:{self.at}"


def alarm_id(fault: FaultClass, subject: str, raised_at: int) -> str:
    """Return the id of an alarm, the same on every machine and after every replay; see `Scope.subject`."""
    return hashlib.sha256(f"{fault}|{subject}|{raised_at}".encode()).hexdigest()[:24]


class CandidateKind(StrEnum):
    """What a record on `candidates` says."""

    SUSPECT = "suspect"
    CLEAR = "clear"
    CENSUS = "census"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Detection suspects a fault of one asset (SUSPECT), or has seen it end (CLEAR)."""

    kind: CandidateKind
    fault: FaultClass
    scope: Scope
    since: int
    """When the fault began, µs UTC; with asset and fault it names the suspicion."""
    at: int
    """Event time of the decision, µs UTC."""
    evidence: Evidence
    until: int | None = None
    """When it ended (CLEAR)."""
    interval_us: int = QUARTER_US
    """How often what it is about is heard: whatever waits for others of its kind follows it."""
    surprise: float | None = None
    """−ln p, where statistics suspect; a rule has none. Many are weighed against one another before any is told."""
    among: int = 1
    """How many series statistics watch in its correlation group: each has its chance to look odd on any day."""


@dataclass(frozen=True, slots=True)
class Census:
    """How many devices of a feeder should have been heard, were heard and were dark, up to one tick."""

    feeder: Scope
    expected: int
    """Devices that the schedule powers and that have had time to report: those heard and those silent."""
    heard: int
    dark: int
    """Heard, commanded on, and without power."""
    missed: int
    """Reports that the silent ones owe by now, counted in powered time while we listened."""
    unexplained: bool
    """So many missed reports that chance does not explain them, by the pack's `outage_probability`."""
    silent_since: int
    """Latest moment at which one of the silent was still heard, or should have woken, µs UTC; 0 if none is silent."""
    heard_at: int = 0
    """Latest moment at which any of its devices was heard, µs UTC; 0 where nobody noted it."""
    interval_us: int = QUARTER_US
    """How often its devices speak; the slowest of the silent."""
    woke: bool = True
    """Some of the silent were heard since the feeder was last switched on: they fell silent, and did not sleep on."""
    gasped: int = 0
    """Of the silent, those whose last words were that their supply is gone."""
    tells_supply: bool = True
    """Enough of its devices measure their voltage that one would have said so, had the supply gone."""
    whole: bool = True
    """The silence may be that of the whole feeder: not of a part, not of a clock, and lasting."""
    beside_the_hour: bool = False
    """Most of its lamps burn, or do not, as with a clock that is off, so near to a switching time that it may be."""
    online: bool | None = None
    """Whether its gateway is connected, as the broker saw; None where nobody tells."""
    online_at: int = 0
    """Since when it is, or is not, µs UTC."""
    part: bool = False
    """A part of it is out, and some of the rest is heard."""
    due_at: int = 0
    """When the last of the silent should have spoken, µs UTC; 0: an interval after `silent_since`."""


@dataclass(frozen=True, slots=True)
class GatewayCount:
    """What one partition of `readings` heard of a gateway, up to one tick.

    Attributes
    ----------
    expected, heard : int
        Devices, as of `Census`.
    silent : int
        Of those on feeders whose silence chance does not explain.
    silent_since, heard_at : int
        Latest of those feeders, and of all, µs UTC; 0: none.
    gasped : int
        Devices whose last words were that their supply is gone.
    online : bool or None
        Whether the broker is connected with it, as of `Census`.
    """

    gateway: GatewayDefinition
    expected: int
    heard: int
    silent: int
    silent_since: int
    heard_at: int
    interval_us: int
    gasped: int
    online: bool | None = None


@dataclass(frozen=True, slots=True)
class CandidateBatch:
    """What one partition of `readings` says up to one tick; the payload of one record on `candidates`.

    Attributes
    ----------
    source_partition, source_offset : int
        The tick's record on `readings`. What says no more than was said of its time before, a repeat after a crash, is
        ignored.
    at : int
        City time of the tick, µs UTC: once all parts are there, everything with an event time before it has been said.
    windows : tuple of MaintenanceWindow
        Those that run at the tick or ended of late, as far as they concern what this partition says; in the first part.
    gateways : tuple of GatewayCount or None
        The same for every partition of `candidates`; None where they were not counted at this tick.
    part, parts : int
        Number of this part, from 0, and how many there are: a city that falls dark at once says more than fits into
        one record.
    """

    source_partition: int
    source_offset: int
    at: int
    suspicions: tuple[Suspicion, ...]
    census: tuple[Census, ...]
    part: int = 0
    parts: int = 1
    windows: tuple[MaintenanceWindow, ...] = ()
    gateways: tuple[GatewayCount, ...] | None = None
