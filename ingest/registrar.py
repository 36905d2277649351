"""What operators do to the registry: a change, its publication, and the return of what waited for it."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from city.clock import Clock
from city.errors import Mistake, PackError
from city.packlists import DEVICE_COLUMNS, ListedDevice, read_devices, read_gateways, read_profiles
from ingest.claims import Claimed, Seen, seen_of, send_back
from ingest.codecs import CodecError, Codecs
from ingest.redeliver import Redelivery
from storage import queries
from storage.pool import Connection, Pool, engine_errors
from stream import registrar, registrar_gateways, registrar_profiles, unknown
from stream.changes import Author, ChangeReport
from stream.log import EventLog
from stream.publication import publish
from stream.registry import load_ingest_registry
from stream.unknown import UnknownDevice, UnknownGateway

_SQL = queries.load(Path(__file__).with_suffix(".sql"))


@dataclass(frozen=True, slots=True)
class Registrar:
    """Engines and the city clock; every method is whole in itself.

    Those that change something raise `PackError` with every mistake of what they were given, by line, and change
    nothing then; `NotFoundError` for a device that does not exist.
    """

    pool: Pool
    log: EventLog
    clock: Clock
    redelivery: Redelivery

    async def put_device(self, listed: ListedDevice, actor: str) -> ChangeReport:
        """Add one device, or change it."""
        return await self._change(lambda c: registrar.put_devices(c, [listed], self._author(actor)))

    async def import_devices(self, text: str, actor: str, *, dry_run: bool = False) -> ChangeReport:
        """Add or change devices by CSV, all or none."""

        async def work(connection: Connection) -> ChangeReport:
            return await registrar.put_devices(connection, read_devices(text), self._author(actor), dry_run=dry_run)

        return await self._change(work)

    async def import_gateways(self, text: str, actor: str, *, dry_run: bool = False) -> ChangeReport:
        """Add or change gateways by CSV, all or none, and read again what new ones have sent."""

        async def work(connection: Connection) -> ChangeReport:
            return await registrar_gateways.put_gateways(
                connection, read_gateways(text), self._author(actor), dry_run=dry_run
            )

        report = await self._change(work)
        if report.touched:
            for gateway in report.added:
                await send_back(self.redelivery, unknown.letters_of_gateway(self.pool, gateway), actor)
        return report

    async def import_profiles(self, text: str, actor: str, *, dry_run: bool = False) -> ChangeReport:
        """Add or change profiles by TOML, all or none."""

        async def work(connection: Connection) -> ChangeReport:
            profiles, codecs = read_profiles(text, await registrar_profiles.known_metrics(connection))
            await asyncio.to_thread(_demand_compiling, codecs)
            return await registrar_profiles.put_profiles(
                connection, profiles, codecs, self._author(actor), dry_run=dry_run
            )

        return await self._change(work)

    async def retire(self, device_id: str, actor: str) -> ChangeReport:
        """Take a device out."""
        return await self._change(lambda c: registrar.retire_devices(c, [device_id], self._author(actor)))

    async def release(self, device_id: str, actor: str) -> ChangeReport:
        """Give a device back to the city pack."""
        return await self._change(lambda c: registrar.release_devices(c, [device_id], self._author(actor)))

    async def claim(self, listed: ListedDevice, actor: str) -> tuple[ChangeReport, Claimed]:
        """Make an unknown device a known one, and send back what waits for it."""
        author = self._author(actor)
        report = await self._change(lambda c: registrar.put_devices(c, [listed], author, kind="claimed"))
        waiting = unknown.letters_of_device(self.pool, listed.device.wire_name)
        return report, await send_back(self.redelivery, waiting, actor)

    async def unknown(self, part: str | None = None) -> tuple[list[UnknownDevice], list[UnknownGateway]]:
        """Return devices, whose names hold `part`, and gateways that nobody knows."""
        with engine_errors():
            async with self.pool.connection() as connection:
                return await unknown.list_devices(connection, part), await unknown.list_gateways(connection)

    async def look_at(self, name: str, gateway_id: str) -> Seen:
        """Return what an unknown device has sent lately."""
        with engine_errors():
            async with self.pool.connection() as connection:
                letters = await unknown.samples(connection, name, gateway_id)
                known = await load_ingest_registry(connection)
        return seen_of(name, letters, known.routes)

    async def devices_csv(self) -> AsyncIterator[str]:
        """Yield all devices that are not retired, as an import takes them."""
        yield _line(DEVICE_COLUMNS)
        with engine_errors():
            async with self.pool.connection() as connection, connection.cursor() as cursor:
                async for row in cursor.stream(_SQL.devices, size=1000):
                    yield _line([value or "" for value in row])

    async def _change(self, work: Callable[[Connection], Awaitable[ChangeReport]]) -> ChangeReport:
        """Do one change and let detection learn of it."""
        with engine_errors():
            async with self.pool.connection() as connection:
                report = await work(connection)
        if report.touched:
            await publish(self.pool, self.log, self.clock.now_us(), changed=(report.version, report.roots))
        return report

    def _author(self, actor: str) -> Author:
        return Author(actor, self.clock.now_us())


def _demand_compiling(codecs: Mapping[str, str]) -> None:
    """Refuse codecs that could never decode anything."""
    mistakes = []
    sandbox = Codecs()
    try:
        for name, source in codecs.items():
            try:
                sandbox.check(source)
            except CodecError as exc:
                mistakes.append(Mistake(name, exc.line, str(exc)))
    finally:
        sandbox.close()
    if mistakes:
        raise PackError(mistakes, "the list")


def _line(values: list[str] | tuple[str, ...]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue()
