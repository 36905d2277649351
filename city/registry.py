"""What stages know of the city: devices and series for ingest, whole cabinets and facilities for detection."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from city.alarm import Scope
from city.asset import AssetKind, GatewayDefinition, Switching
from city.integration import Routes
from city.lighting import LightingSchedule
from city.maintenance import MaintenanceWindow
from city.opening import OpeningHours


@dataclass(frozen=True, slots=True)
class FaultRules:
    """Thresholds of the rules, from the city pack.

    Attributes
    ----------
    dark_below : float
        Share of the expected power under which a lamp that is commanded on counts as dark.
    dark_readings, unexpected_on_readings : int
        Readings in a row before a fault is suspected.
    unexpected_on_w, unexpected_on_share : float
        A lamp that is commanded off is on above max(`unexpected_on_w`, share of its rated power).
    guard_s : int
        Nothing is judged within this time of a switching time, a boot or a return of supply.
    lost_share : float
        Messages that are lost on a good day; the outage test reckons with it.
    outage_probability : float
        A feeder is out when so few lamps are heard lit that chance explains it with less than this.
    outage_lamps_min : int
        Fewer lamps than this never make an outage.
    co2_ppm, co2_min : float, int
        Indoor air is bad above this while open, for so many minutes.
    hot_water_deg_c, hot_water_min : float, int
        Stored hot water is too cold below this, for so many minutes.
    cold_room_deg_c, cold_room_min : float, int
        A cold room is too warm above this, for so many minutes.
    leak_ratio, leak_nights : float, int
        A leak: the least hour between two and five is above this many times its median of 28 nights, so many nights on
        end.
    pattern_days : int
        Nothing is out of pattern before a series was heard for so many days.
    confirm_readings : int
        Readings in a row before a drift, a step or a low power factor is suspected.
    learn_readings : int
        Readings at one dimming level before a lamp is judged by its own past.
    power_off_share : float
        A lamp whose power is off by this share for `confirm_readings` has drifted. What is off by less from one night
        to the next is learnt: lamps are replaced, and a new one draws a tenth less than an old one of its kind.
    module_lost_share : float
        LED whose power falls by this share from one reading to the next have lost a part.
    flicker_share, flicker_leaps : float, int
        Power that leaps back by more than the share, so many times within six readings, flickers.
    dimming_s : int
        A lamp draws the power of another level than commanded for so long before it is told.
    power_factor_low, power_factor_drop : float
        A power factor below the first, and by the second below what was learnt, is too low.
    cycling_relit, cycling_switch_ons : int
        A lamp that comes back by itself so often in a night, or whose switch-on counter says so often more than
        commanded, cycles.
    stuck_probability : float
        A sensor repeats itself so long that its own past explains it with less than this.
    reset_within_s : int
        Counters that begin again twice within this time are faulty.
    relearn_s : int
        What has been the new normal for so long is learnt again, and told no more.
    voltage_off_share : float
        Power is not judged while the voltage is further from what was learnt.
    voltage_low_v, voltage_high_v, voltage_s : float, float, int
        Limits of the supply, and how long it has to be beyond them.
    clock_guard_s : int
        So near to a switching time nothing is said of a whole feeder that a clock, far off, could do as well.
    clock_error_s : int
        A cabinet's clock that is off by more is wrong.
    trips_a_night : int
        So many losses of supply that come back by themselves are a breaker that recloses.
    """

    dark_below: float = 0.20
    dark_readings: int = 3
    unexpected_on_w: float = 3.0
    unexpected_on_share: float = 0.10
    unexpected_on_readings: int = 3
    guard_s: int = 900
    lost_share: float = 0.10
    outage_probability: float = 1e-6
    outage_lamps_min: int = 3
    co2_ppm: float = 1000.0
    co2_min: int = 30
    hot_water_deg_c: float = 50.0
    hot_water_min: int = 30
    cold_room_deg_c: float = -15.0
    cold_room_min: int = 120
    leak_ratio: float = 1.5
    leak_nights: int = 3
    pattern_days: int = 14
    confirm_readings: int = 3
    learn_readings: int = 8
    power_off_share: float = 0.15
    module_lost_share: float = 0.15
    flicker_share: float = 0.06
    flicker_leaps: int = 2
    dimming_s: int = 1800
    power_factor_low: float = 0.65
    power_factor_drop: float = 0.12
    cycling_relit: int = 2
    cycling_switch_ons: int = 4
    stuck_probability: float = 1e-9
    reset_within_s: int = 108_000
    relearn_s: int = 2_419_200
    voltage_off_share: float = 0.06
    voltage_low_v: float = 207.0
    voltage_high_v: float = 253.0
    voltage_s: int = 600
    clock_guard_s: int = 6000
    clock_error_s: int = 900
    trips_a_night: int = 2


@dataclass(frozen=True, slots=True)
class SeriesDefinition:
    """One metric of one device."""

    series_id: int
    device_id: str
    metric: str


@dataclass(frozen=True, slots=True)
class DeviceDefinition:
    """A device with what detection must know of its asset.

    Attributes
    ----------
    asset : Scope
    rated_w : float
        Lamps only, else 0.
    phase : str
        Lamps only, else empty.
    lamp_type : str
        As the inventory calls it; empty where it does not say, or for records of older releases.
    lat, lon : float or None
        Where it stands, degrees; None: not known.
    """

    device_id: str
    asset: Scope
    report_interval_s: int
    silence_intervals: float
    series: tuple[SeriesDefinition, ...]
    rated_w: float = 0.0
    phase: str = ""
    lamp_type: str = ""
    lat: float | None = None
    lon: float | None = None


def told_apart(devices: Iterable[DeviceDefinition]) -> tuple[DeviceDefinition, ...]:
    """Return devices, each named in its scope where its facility has several.

    A lamp's devices all speak of the one lamp; a facility's of its pools, its cold rooms, its meters.
    """
    devices = tuple(devices)
    count = Counter(device.asset.asset_id for device in devices)
    return tuple(
        replace(device, asset=replace(device.asset, device_id=device.device_id))
        if device.asset.kind is AssetKind.FACILITY and count[device.asset.asset_id] > 1
        else device
        for device in devices
    )


@dataclass(frozen=True, slots=True)
class FeederDefinition:
    """A feeder with the schedule that commands its lamps."""

    scope: Scope
    switching: Switching
    schedule: LightingSchedule


@dataclass(frozen=True, slots=True)
class RootDefinition:
    """Everything below one cabinet, or one facility: the value of one ``registry`` record on `readings`.

    It replaces what was known of the root, so a record is whole in itself and may be repeated.

    Attributes
    ----------
    opening : OpeningHours or None
        Of a facility; None where nobody says.
    timezone : str
        The city's, by which `opening` and habits go.
    windows : tuple of MaintenanceWindow
        Works at the root, at what is below it, or at a gateway that speaks for it, planned or of late.
    gateways : tuple of GatewayDefinition
        Those that speak for its devices.
    """

    root_id: str
    kind: AssetKind
    group: str
    pack_version: str
    feeders: tuple[FeederDefinition, ...]
    devices: tuple[DeviceDefinition, ...]
    rules: FaultRules
    opening: OpeningHours | None = None
    timezone: str = "UTC"
    windows: tuple[MaintenanceWindow, ...] = ()
    gateways: tuple[GatewayDefinition, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesTarget:
    """Where ingest sends a value of a device.

    Attributes
    ----------
    low, high : float
        Limits of the metric, in its own unit.
    scale, offset : float
        The metric's value is what came * `scale` + `offset`.
    unit : str
        The metric's own, UCUM: a message may tell another.
    values : mapping
        Numbers for words.
    wire_unit : str
        In which the profile says that values come, as `scale` and `offset` have it; empty: it does not say.
    """

    series_id: int
    partition: int
    low: float
    high: float
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    values: Mapping[str, float] = field(default_factory=dict, hash=False)
    wire_unit: str = ""


@dataclass(frozen=True, slots=True)
class WireProfile:
    """What ingest must know of a device's make.

    Attributes
    ----------
    ignore : frozenset of str
        Keys that are no measurement of ours; ``*`` among them: all that are not known; ``key.*``: all within one.
    codec : str
        JavaScript that decodes raw bytes; empty: none.
    """

    profile_id: str = ""
    ignore: frozenset[str] = frozenset()
    codec: str = ""

    def ignores(self, name: str) -> bool:
        """Tell whether a value of this name is left out."""
        return name in self.ignore or "*" in self.ignore or f"{name.partition('.')[0]}.*" in self.ignore


PLAIN = WireProfile()


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device as ingest looks it up.

    Attributes
    ----------
    gateway_id : str
        Who alone may speak for it.
    targets : dict
        Name on the wire → where its values go.
    """

    device_id: str
    gateway_id: str
    targets: dict[str, SeriesTarget]
    profile: WireProfile = PLAIN


@dataclass(frozen=True, slots=True)
class IngestRegistry:
    """What ingest looks up for every message.

    Attributes
    ----------
    gateways : dict
        Gateway id → number.
    devices : dict
        Name on the wire → the device.
    version : int
        Grows with every change.
    routes : Routes
        Which topics carry which format.
    retired : frozenset of str
        Gateways that an operator or the pack has taken out: what they still send is set aside as theirs.
    """

    gateways: dict[str, int]
    devices: dict[str, KnownDevice]
    version: int
    routes: Routes = field(default_factory=Routes, compare=False)
    retired: frozenset[str] = frozenset()
