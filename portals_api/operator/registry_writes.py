"""What operators' routes do to the registry, in the shape of the API; a mistake is an answer with all of them."""

from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from city.asset import Device
from city.clock import isoformat
from city.errors import DataError, PackError
from city.packlists import ListedDevice, device_problems
from ingest.claims import fitting
from portals_api.answers.registry import ClaimIn, DeviceIn
from portals_api.operator import registry_rows
from portals_api.portal import Portal
from stream.changes import ChangeReport

T = TypeVar("T")
_MISTAKES_MAX = 20


class Mistaken(DataError):
    """A list or a form with mistakes, the first of them; `more` are not told."""

    def __init__(self, mistakes: Sequence[str], more: int = 0) -> None:
        super().__init__("; ".join([*mistakes, *([f"and {more} more"] if more else [])]))
        self.mistakes = tuple(mistakes)
        self.more = more


async def put_device(portal: Portal, actor: str, device_id: str, body: DeviceIn) -> ChangeReport:
    """Write one device; `Mistaken` tells what makes no sense."""
    return await _sound(portal.registrar.put_device(_listed(device_id, body), actor))


async def import_devices(portal: Portal, actor: str, text: str, *, dry_run: bool = False) -> ChangeReport:
    """Add or change devices by CSV; `Mistaken` tells the first mistakes by line."""
    return await _sound(portal.registrar.import_devices(text, actor, dry_run=dry_run))


async def import_gateways(portal: Portal, actor: str, text: str, *, dry_run: bool = False) -> ChangeReport:
    """Add or change gateways by CSV; `Mistaken` tells the first mistakes by line."""
    return await _sound(portal.registrar.import_gateways(text, actor, dry_run=dry_run))


async def import_profiles(portal: Portal, actor: str, text: str, *, dry_run: bool = False) -> ChangeReport:
    """Add or change profiles by TOML; `Mistaken` tells the first mistakes by line."""
    return await _sound(portal.registrar.import_profiles(text, actor, dry_run=dry_run))


async def claim(portal: Portal, actor: str, body: ClaimIn) -> dict[str, Any]:
    """Claim a device; `Mistaken` tells what makes no sense."""
    change, claimed = await _sound(portal.registrar.claim(_listed(body.device, body), actor))
    return {
        "device": body.device,
        "version": change.version,
        "letters": claimed.letters,
        "readings": claimed.readings,
        "still_bad": claimed.still_bad,
        "complete": claimed.complete,
    }


async def unknown_of(portal: Portal, part: str | None = None) -> dict[str, Any]:
    """Return devices and gateways that nobody knows."""
    devices, gateways = await portal.registrar.unknown(part)
    return {
        "devices": [
            {"name": d.name, "gateway": d.gateway_id, "letters": d.letters, **_span(d.first_at, d.last_at)}
            for d in devices
        ],
        "gateways": [{"gateway": g.gateway_id, "letters": g.letters, **_span(g.first_at, g.last_at)} for g in gateways],
    }


async def look_at(portal: Portal, name: str, gateway: str) -> dict[str, Any]:
    """Return what an unknown device has sent lately, and which profiles fit it, the best first."""
    seen = await portal.registrar.look_at(name, gateway)
    profiles = {
        row["profile"]: registry_rows.names_of(row)
        for row in await registry_rows.profiles(portal.pool)
        if not row["retired"]
    }
    fits = [{"profile": profile, "known": known} for profile, known in fitting(seen, profiles)]
    return {"values": seen.values, "units": seen.units, "profiles": fits}


async def _sound(work: Awaitable[T]) -> T:
    try:
        return await work
    except PackError as exc:
        told = [str(mistake).removeprefix("devices.csv: ") for mistake in exc.mistakes[:_MISTAKES_MAX]]
        raise Mistaken(told, more=max(0, len(exc.mistakes) - _MISTAKES_MAX)) from exc


def _listed(device_id: str, body: DeviceIn) -> ListedDevice:
    device = Device(device_id, body.asset, body.gateway, body.profile, body.address)
    problems = list(device_problems(device))
    if problems:
        raise Mistaken(problems)
    return ListedDevice(0, device)


def _span(first_at: int, last_at: int) -> dict[str, str]:
    return {"first_at": isoformat(first_at), "last_at": isoformat(last_at)}
