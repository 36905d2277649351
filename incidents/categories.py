"""What an incident is called, and which views of an asset are the same incident."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from city.alarm import SEVERITY, FaultClass, Severity
from city.asset import AssetKind
from city.pack import ServiceCategory

DARK = "dark"
DAY_BURNER = "day-burner"
UNSTEADY = "unsteady"
SILENT = "silent"

_KEYS = {
    **dict.fromkeys((FaultClass.LAMP_FAILURE, FaultClass.SUPPLY_LOSS, FaultClass.CIRCUIT_BREAKER_TRIPPED), DARK),
    **dict.fromkeys((FaultClass.SWITCHING_ERROR_OFF, FaultClass.CABLE_THEFT), DARK),
    **dict.fromkeys((FaultClass.LAMP_UNEXPECTED_ON, FaultClass.SWITCHING_ERROR_ON), DAY_BURNER),
    **dict.fromkeys((FaultClass.CYCLING_FAILURE, FaultClass.FLICKER), UNSTEADY),
}
_SEEN_BY_PEOPLE = frozenset(_KEYS) | {FaultClass.DIMMING_FAILURE}

_DARKENS = frozenset({FaultClass.LAMP_FAILURE, FaultClass.COMMUNICATION_FAILURE, None})
_EXPLAINS = {
    **dict.fromkeys((FaultClass.SUPPLY_LOSS, FaultClass.CIRCUIT_BREAKER_TRIPPED), _DARKENS),
    **dict.fromkeys((FaultClass.SWITCHING_ERROR_OFF, FaultClass.CABLE_THEFT), _DARKENS),
    FaultClass.SWITCHING_ERROR_ON: frozenset({FaultClass.LAMP_UNEXPECTED_ON}),
    FaultClass.COMMUNICATION_FAILURE: frozenset({FaultClass.COMMUNICATION_FAILURE}),
}


def incident_key(fault: FaultClass, kind: AssetKind, device_id: str = "") -> str:
    """Return the key under which at most one ticket of an asset is open.

    A lamp that is dark, one that fell silent and a citizen's "it is dark" are views of one incident. What nothing
    else looks like is an incident of its own kind; so is what one of several devices shows, which is named then.
    """
    if fault is FaultClass.COMMUNICATION_FAILURE:
        key = DARK if kind is AssetKind.LAMP else SILENT
    else:
        key = _KEYS.get(fault, str(fault))
    return f"{key}|{device_id}" if device_id else key


def explains(parent: FaultClass, child: FaultClass | None) -> bool:
    """Tell whether `parent` above an asset makes `child` (None: a citizen says it is dark) part of the same event.

    A gateway that is silent explains silent lamps; a lamp that is heard and dark has a fault of its own.
    """
    return child in _EXPLAINS.get(parent, frozenset())


@dataclass(frozen=True, slots=True)
class Category:
    """A service category as the desk needs it.

    Attributes
    ----------
    code : str
        Open311's service_code.
    incident_key : str
        A citizen's report of this category joins what else has the key.
    severity : Severity
        Of a ticket that only citizens speak of.
    names : mapping
        Language → name, where the city names it.
    reportable : bool
        Something that people can see: not that a device is silent, or draws too much power.
    """

    code: str
    incident_key: str
    severity: Severity
    reportable: bool = True
    names: Mapping[str, str] = field(default_factory=dict)


class Catalogue:
    """The categories of one city, in the order of its files."""

    def __init__(self, categories: Iterable[Category], codes: Mapping[FaultClass, str]) -> None:
        self.by_code = {category.code: category for category in categories}
        self._codes = dict(codes)

    @classmethod
    def of(cls, services: Iterable[ServiceCategory]) -> "Catalogue":
        """Build it from a city pack; a category without a sensor's fault is an incident of its own kind."""
        categories: list[Category] = []
        codes: dict[FaultClass, str] = {}
        for service in services:
            faults = service.faults
            key = incident_key(faults[0], AssetKind.LAMP) if faults else service.code
            severity = SEVERITY[faults[0]] if faults else Severity.LOW
            seen = any(fault in _SEEN_BY_PEOPLE for fault in faults) or not faults
            categories.append(Category(service.code, key, severity, seen, dict(service.names)))
            for fault in faults:
                codes.setdefault(fault, service.code)
        return cls(categories, codes) if categories else BUILT_IN

    @property
    def reportable(self) -> dict[str, Category]:
        """What a citizen may choose, in order."""
        return {code: category for code, category in self.by_code.items() if category.reportable}

    def code_of(self, fault: FaultClass) -> str:
        """Return the category of a sensor's fault; a fault that no category claims is its own."""
        return self._codes.get(fault, str(fault))


BUILT_IN = Catalogue(
    (
        Category("lamp-out", DARK, Severity.MEDIUM),
        Category("lamp-by-day", DAY_BURNER, Severity.LOW),
        Category("damaged", "damaged", Severity.HIGH),
        Category("other", "other", Severity.LOW),
    ),
    {
        FaultClass.LAMP_FAILURE: "lamp-out",
        FaultClass.COMMUNICATION_FAILURE: "no-signal",
        FaultClass.LAMP_UNEXPECTED_ON: "lamp-by-day",
        FaultClass.SUPPLY_LOSS: "supply-loss",
    },
)
"""Where a city names no categories."""
