"""What the city maintains, and the devices that measure it."""

import zlib
from dataclasses import dataclass
from enum import StrEnum

from city.topics import SHARDS


class AssetKind(StrEnum):
    """Kinds of asset; also the scopes that an incident may have."""

    LAMP = "lamp"
    FEEDER = "feeder"
    CABINET = "cabinet"
    GATEWAY = "gateway"
    FACILITY = "facility"
    SUBSTATION = "substation"
    """Several cabinets that lose supply together; like the two below only a scope, no asset of the inventory."""
    NETWORK = "network"
    """All gateways of one network operator."""
    AREA = "area"
    """What fails together in a district, where nobody knows the substation or the network operator."""


class Switching(StrEnum):
    """How a feeder is supplied."""

    PERMANENT = "permanent"
    """Live day and night; each lamp's controller switches its lamp."""
    SWITCHED = "switched"
    """Switched in the cabinet; controllers are dead, and silent, by day."""


DISTRICT_GROUP = "district:"
"""Begins the correlation group of cabinets whose substation nobody knows: the district of their gateway."""


@dataclass(frozen=True, slots=True)
class District:
    """A part of the city with a name that people know."""

    district_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Gateway:
    """An MQTT client that speaks for devices."""

    gateway_id: str
    name: str
    lat: float
    lon: float
    district_id: str
    operator: str = ""
    """Whose network it speaks over: gateways that fall silent together. Empty: nobody knows."""


@dataclass(frozen=True, slots=True)
class GatewayDefinition:
    """A gateway as correlation must know it.

    Attributes
    ----------
    operator, district_id : str
        Whose network it speaks over, and where it stands; empty where nobody says.
    group : str
        Its correlation group.
    """

    gateway_id: str
    operator: str = ""
    district_id: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Cabinet:
    """The panel in the street that feeds its feeders; all below it shares one shard."""

    cabinet_id: str
    gateway_id: str
    substation: str
    """Correlation group: cabinets that lose supply together; `DISTRICT_GROUP` and a district where nobody knows."""
    lat: float
    lon: float
    district_id: str


@dataclass(frozen=True, slots=True)
class Feeder:
    """A three-phase line out of a cabinet."""

    feeder_id: str
    cabinet_id: str
    switching: Switching
    schedule_id: str


@dataclass(frozen=True, slots=True)
class Lamp:
    """A street light as the inventory knows it."""

    lamp_id: str
    feeder_id: str
    phase: str
    """R, S or T."""
    lamp_type: str
    rated_w: float
    lat: float
    lon: float
    district_id: str
    street: str


@dataclass(frozen=True, slots=True)
class Facility:
    """A building or place with sensors: school, pool, air station."""

    facility_id: str
    kind: str
    name: str
    lat: float
    lon: float
    district_id: str


@dataclass(frozen=True, slots=True)
class Device:
    """What measures an asset; replaceable.

    Attributes
    ----------
    address : str
        What it is called on the wire, such as a LoRaWAN DevEUI; its id unless the pack says otherwise.
    """

    device_id: str
    asset_id: str
    gateway_id: str
    profile_id: str
    address: str = ""

    @property
    def wire_name(self) -> str:
        """Return the name under which messages speak of it."""
        return self.address or self.device_id


@dataclass(frozen=True, slots=True)
class WireName:
    """One value as devices of a profile send it, and the metric that it is.

    Attributes
    ----------
    name : str
        Its key in the message.
    unit : str
        In which it comes unless the message says so itself, UCUM; empty: in the metric's own.
    values : tuple of (str, float)
        Numbers for words, such as ``("defectiveLamp", 1.0)``.
    """

    name: str
    metric: str
    unit: str = ""
    values: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """What devices of one make report, how often, and what they call it.

    Attributes
    ----------
    silence_intervals : float
        Intervals without a reading, in powered time, after which the device counts as silent.
    names : tuple of WireName
        Values that are not called, or not measured, as their metric is. A metric's own name is always understood.
    ignore : tuple of str
        Keys that are no measurement of ours; ``*``: all that are not known.
    codec : str
        File of the pack with the vendor's JavaScript decoder, for network servers that hand over raw bytes.
    """

    profile_id: str
    metrics: tuple[str, ...]
    report_interval_s: int
    silence_intervals: float
    names: tuple[WireName, ...] = ()
    ignore: tuple[str, ...] = ()
    codec: str = ""


def shard_of(root_asset_id: str) -> int:
    """Return the fixed shard of everything below one cabinet, or of one facility."""
    return zlib.crc32(root_asset_id.encode()) % SHARDS


def initial_partition(shard: int, partitions: int) -> int:
    """Return the partition of a shard before any rescaling: contiguous ranges of shards."""
    return shard * partitions // SHARDS


def correlation_partition(group: str, partitions: int) -> int:
    """Return the partition of `candidates`, `alarms` and `tickets` for a correlation group."""
    return zlib.crc32(group.encode()) % partitions
