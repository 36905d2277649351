"""What stages know of the city: devices and series for ingest, whole cabinets and facilities for detection."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from city.alarm import Scope
from city.asset import AssetKind, Switching
from city.integration import Routes
from city.lighting import LightingSchedule
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
    """

    device_id: str
    asset: Scope
    report_interval_s: int
    silence_intervals: float
    series: tuple[SeriesDefinition, ...]
    rated_w: float = 0.0
    phase: str = ""


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
