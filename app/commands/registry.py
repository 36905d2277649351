"""`citynerve devices|gateways|profiles …`: what the registry knows, and operators' changes of it."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app import wiring
from app.commands.credentials import ACTOR
from app.settings import Settings
from city.asset import Device
from city.clock import isoformat
from city.errors import DataError, Mistake, PackError, SettingsError
from city.packlists import ListedDevice, device_problems
from ingest.redeliver import Redelivery
from ingest.registrar import Registrar
from ingest.registry import RegistryFollower
from stream.changes import ChangeReport


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Registrar]:
    """Open what it takes to change the registry."""
    async with wiring.pool(wiring.database_url(settings)) as pool, wiring.log(settings, pool) as log:
        clock = await wiring.clock(pool)
        yield Registrar(pool, log, clock, Redelivery(pool, log, clock, RegistryFollower(pool)))


async def import_list(settings: Settings, kind: str, text: str, *, dry_run: bool) -> dict[str, Any]:
    """Take a list of devices, gateways or profiles."""
    async with opened(settings) as registrar:
        take = {
            "devices": registrar.import_devices,
            "gateways": registrar.import_gateways,
            "profiles": registrar.import_profiles,
        }[kind]
        return told(await take(text, ACTOR, dry_run=dry_run))


async def export_devices(settings: Settings) -> None:
    """Write all devices to stdout."""
    async with opened(settings) as registrar:
        async for line in registrar.devices_csv():
            sys.stdout.write(line)


async def export_gateways(settings: Settings) -> None:
    """Write all gateways to stdout."""
    async with opened(settings) as registrar:
        async for line in registrar.gateways_csv():
            sys.stdout.write(line)


async def export_profiles(settings: Settings) -> None:
    """Write all profiles to stdout."""
    async with opened(settings) as registrar:
        sys.stdout.write(await registrar.profiles_toml())


async def set_gateway(settings: Settings, what: str, gateway_id: str) -> dict[str, Any]:
    """Retire a gateway, bring it back, or give it to the pack."""
    async with opened(settings) as registrar:
        if what == "retire":
            report = await registrar.retire_gateway(gateway_id, ACTOR)
            return told(report) | {"revoked": report.revoked}
        work = {"restore": registrar.restore_gateway, "release": registrar.release_gateway}[what]
        return told(await work(gateway_id, ACTOR))


async def set_profile(settings: Settings, what: str, profile_id: str) -> dict[str, Any]:
    """Retire a profile, bring it back, or give it to the pack."""
    kind = {"retire": "retired", "restore": "restored", "release": "released"}[what]
    async with opened(settings) as registrar:
        return told(await registrar.set_profile(profile_id, ACTOR, kind))


async def set_device(settings: Settings, what: str, device_id: str) -> dict[str, Any]:
    """Retire a device, or give it back to the pack."""
    async with opened(settings) as registrar:
        work = {"retire": registrar.retire, "release": registrar.release}[what]
        return told(await work(device_id, ACTOR))


async def list_unknown(settings: Settings, part: str | None) -> dict[str, Any]:
    """Return who sends and is not known."""
    async with opened(settings) as registrar:
        devices, gateways = await registrar.unknown(part)
    return {
        "devices": [
            {"name": d.name, "gateway": d.gateway_id, "letters": d.letters, "last_at": isoformat(d.last_at)}
            for d in devices
        ],
        "gateways": [
            {"gateway": g.gateway_id, "letters": g.letters, "last_at": isoformat(g.last_at)} for g in gateways
        ],
    }


async def claim(settings: Settings, device: Device) -> dict[str, Any]:
    """Say which device of the city an unknown one is.

    Raises
    ------
    PackError
        A name makes no sense.
    """
    problems = [Mistake("claim", 0, text) for text in device_problems(device)]
    if problems:
        raise PackError(problems, "the list")
    async with opened(settings) as registrar:
        report, claimed = await registrar.claim(ListedDevice(0, device), ACTOR)
    return {
        **told(report),
        "letters": claimed.letters,
        "readings": claimed.readings,
        "still_bad": claimed.still_bad,
        "complete": claimed.complete,
    }


def told(report: ChangeReport) -> dict[str, Any]:
    """Return a report as plain JSON."""
    return {
        "added": list(report.added),
        "changed": list(report.changed),
        "unchanged": report.unchanged,
        "version": report.version,
        "complete": report.complete,
    }


def read_list(file: Path) -> str:
    """Return the text of a list; ``-`` is standard input.

    Raises
    ------
    SettingsError
        The file cannot be read.
    DataError
        It is not UTF-8.
    """
    try:
        body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as exc:
        raise SettingsError(f"{file} cannot be read: {exc.strerror}") from exc
    try:
        return body.decode()
    except ValueError as exc:
        raise DataError(f"{file} is not UTF-8: save it as such and try again") from exc
