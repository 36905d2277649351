"""Where one can go: three portals with their pages. What this installation does not serve is not offered."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace

from portals_api.codes import N_


@dataclass(frozen=True, slots=True)
class Link:
    """A page of the menu; `name` is a text of the catalogues."""

    href: str
    name: str


@dataclass(frozen=True, slots=True)
class Door:
    """One portal: its own front page, and the pages behind it. Its name is the same in every language.

    Attributes
    ----------
    beside : tuple of str
        Where further pages are that its menu does not name.
    """

    name: str
    href: str
    motto: str
    links: tuple[Link, ...]
    beside: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        """Tell whether `path` is behind this door."""
        return any(is_below(path, href) for href in (self.href, *(link.href for link in self.links), *self.beside))


DOORS = (
    Door(
        "Observa",
        "/observa",
        N_("The city in figures"),
        (
            Link("/observa", N_("Figures")),
            Link("/districts", N_("Districts")),
            Link("/air", N_("Air")),
            Link("/energy", N_("Energy")),
            Link("/lives", N_("Lifetimes")),
            Link("/precision", N_("Alarms")),
            Link("/ledger", N_("Ledger")),
        ),
        ("/series",),
    ),
    Door(
        "Cuida",
        "/cuida",
        N_("What is broken, what is mended"),
        (
            Link("/cuida", N_("Overview")),
            Link("/tickets", N_("Tickets")),
            Link("/lamps", N_("Lamps")),
            Link("/crew", N_("Crew")),
        ),
        ("/report", "/alarms", "/feeders", "/cabinets", "/gateways"),
    ),
    Door(
        "Participa",
        "/participa",
        N_("Open to all"),
        (
            Link("/participa", N_("Overview")),
            Link("/status", N_("Status now")),
            Link("/facilities", N_("Facilities")),
            Link("/follow", N_("Follow")),
            Link("/developers", N_("Developers")),
        ),
    ),
)


OPERATOR = Door(
    "Operator",
    "/operator",
    N_("What the city's own people do"),
    (
        Link("/operator", N_("Overview")),
        Link("/operator/letters", N_("Set aside")),
        Link("/operator/unknown", N_("Unknown devices")),
        Link("/operator/devices", N_("Devices")),
        Link("/operator/gateways", N_("Gateways")),
        Link("/operator/profiles", N_("Profiles")),
        Link("/operator/changes", N_("Changes")),
        Link("/operator/maintenance", N_("Maintenance")),
        Link("/operator/thresholds", N_("Thresholds")),
        Link("/operator/credentials", N_("Credentials")),
    ),
)
"""Shown only to who may use it."""


def doors_of(addresses: Set[str], doors: Iterable[Door] = DOORS) -> tuple[Door, ...]:
    """Return the doors with the links that are among `addresses`; a door without its front opens on its first page."""
    found = []
    for door in doors:
        links = tuple(link for link in door.links if link.href in addresses)
        if links:
            href = door.href if door.href in addresses else links[0].href
            found.append(replace(door, href=href, links=links))
    return tuple(found)


def is_below(path: str, href: str) -> bool:
    """Tell whether `path` is the page `href` or lies below it."""
    return path == href or path.startswith(href + "/")


def here_of(doors: Iterable[Door], path: str) -> Door | None:
    """Return the door behind which `path` is."""
    return next((door for door in doors if door.holds(path)), None)
