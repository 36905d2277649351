"""A whole city as values: what the files of a city pack say."""

from dataclasses import dataclass, field
from typing import Any

from city.alarm import FaultClass
from city.asset import Cabinet, Device, DeviceProfile, District, Facility, Feeder, Gateway, Lamp
from city.integration import Integration
from city.lighting import LightingSchedule
from city.metric import Metric
from city.opening import OpeningHours
from city.registry import FaultRules
from city.tariff import RelampingPrices, Tariff


@dataclass(frozen=True, slots=True)
class DistrictArea:
    """A district with its outline, a GeoJSON Polygon or MultiPolygon in WGS 84."""

    district: District
    boundary: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ServiceCategory:
    """What citizens may report and crews mend.

    Attributes
    ----------
    code : str
        Open311's service_code.
    names : dict
        Language → name; one for each language of the city.
    faults : tuple of FaultClass
        The sensors' faults that fall in this category.
    sla_hours : float
        Within this a crew should have mended it.
    crew : str
        Who is sent.
    """

    code: str
    names: dict[str, str]
    faults: tuple[FaultClass, ...]
    sla_hours: float
    crew: str


@dataclass(frozen=True, slots=True)
class CityPack:
    """A whole city, checked: every reference points to something.

    Attributes
    ----------
    lat, lon : float
        The middle of the city, degrees.
    opening : dict
        Facility or kind of facility → its hours.
    integrations : tuple of Integration
        Foreign topics that ingest listens to.
    codecs : dict
        File → JavaScript of the vendors' decoders that profiles name.
    tariff : Tariff or None
        What electricity costs; None where the city does not say.
    relamping : RelampingPrices or None
        What changing a lamp costs; None where the city does not say.
    version : str
        SHA-256 of the files' names and contents: equal packs have equal versions.
    """

    name: str
    timezone: str
    languages: tuple[str, ...]
    simulated: bool
    lat: float
    lon: float
    districts: tuple[DistrictArea, ...]
    gateways: tuple[Gateway, ...]
    cabinets: tuple[Cabinet, ...]
    feeders: tuple[Feeder, ...]
    lamps: tuple[Lamp, ...]
    facilities: tuple[Facility, ...]
    devices: tuple[Device, ...]
    profiles: dict[str, DeviceProfile]
    metrics: dict[str, Metric]
    schedules: dict[str, LightingSchedule]
    rules: FaultRules
    categories: tuple[ServiceCategory, ...]
    version: str
    opening: dict[str, OpeningHours] = field(default_factory=dict)
    integrations: tuple[Integration, ...] = ()
    codecs: dict[str, str] = field(default_factory=dict)
    tariff: Tariff | None = None
    relamping: RelampingPrices | None = None

    def opening_of(self, facility: Facility) -> OpeningHours | None:
        """Return when a facility is open: by its own hours, else by those of its kind; None where nobody says."""
        return self.opening.get(facility.facility_id) or self.opening.get(facility.kind)
