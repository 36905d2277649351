"""What operators do to the registry: a change, its publication, and the return of what waited for it."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import LiteralString

from city.cells import harmless
from city.clock import Clock, SystemClock
from city.errors import Mistake, PackError
from city.packlists import (
    DEVICE_COLUMNS,
    GATEWAY_COLUMNS,
    ListedDevice,
    read_devices,
    read_gateways,
    read_profiles,
)
from city.packwrite import write_profiles
from ingest.claims import Claimed, Seen, seen_of, send_back
from ingest.codecs import CodecError, Codecs
from ingest.credentials import store
from ingest.credentials.store import Change
from ingest.redeliver import Redelivery
from storage import queries
from storage.pool import Connection, Pool, engine_errors
from stream import maintenance, registrar, registrar_gateways, registrar_profiles, unknown
from stream.changes import Author, ChangeReport
from stream.log import EventLog
from stream.maintenance import Announcement
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
        # In one time for all of them: who asked waits for the answer.
        return await self._sent_back(report, (*report.added, *report.changed), actor)

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

    async def retire_gateway(self, gateway_id: str, actor: str) -> ChangeReport:
        """Take a gateway out, with everything that it may do at a broker: its credentials are revoked for good.

        What it still sends is set aside, and nobody waits for the devices behind it.
        """

        async def work(connection: Connection) -> ChangeReport:
            async with connection.transaction():
                report = await registrar_gateways.set_gateways(connection, [gateway_id], self._author(actor), "retired")
                change = Change(actor, SystemClock().now_us())
                revoked = await store.revoke_all(connection, [gateway_id], change, "the gateway was retired")
            return replace(report, revoked=revoked)

        return await self._change(work)

    async def restore_gateway(self, gateway_id: str, actor: str) -> ChangeReport:
        """Bring a retired gateway back, and what it had sent meanwhile; it needs new credentials."""
        report = await self._change(
            lambda c: registrar_gateways.set_gateways(c, [gateway_id], self._author(actor), "restored")
        )
        return await self._sent_back(report, [gateway_id], actor)

    async def release_gateway(self, gateway_id: str, actor: str) -> ChangeReport:
        """Give a gateway back to the city pack."""
        return await self._change(
            lambda c: registrar_gateways.set_gateways(c, [gateway_id], self._author(actor), "released")
        )

    async def set_profile(self, profile_id: str, actor: str, kind: str) -> ChangeReport:
        """Let a profile be ``retired``, ``restored`` or ``released`` to the city pack.

        Raises
        ------
        ConflictError
            Devices have the profile that is to be retired.
        """
        return await self._change(lambda c: registrar_profiles.set_profiles(c, [profile_id], self._author(actor), kind))

    async def claim(self, listed: ListedDevice, actor: str) -> tuple[ChangeReport, Claimed]:
        """Make an unknown device a known one, and send back what waits for it."""
        author = self._author(actor)
        report = await self._change(lambda c: registrar.put_devices(c, [listed], author, kind="claimed"))
        waiting = unknown.letters_of_device(self.pool, listed.device.wire_name)
        return report, await send_back(self.redelivery, waiting, [listed.device.gateway_id], actor)

    async def announce(self, works: Announcement, actor: str) -> int:
        """Let a maintenance window be; return its id."""
        author = self._author(actor)
        made: list[int] = []

        async def work(connection: Connection) -> ChangeReport:
            window_id, report = await maintenance.announce(connection, works, author)
            made.append(window_id)
            return report

        await self._change(work)
        return made[-1]

    async def set_window(self, window_id: int, actor: str, what: str) -> ChangeReport:
        """``end`` a maintenance window early, ``withdraw`` it, or ``reinstate`` it."""
        do = {"end": maintenance.end, "withdraw": maintenance.withdraw, "reinstate": maintenance.reinstate}[what]
        return await self._change(lambda c: do(c, window_id, self._author(actor)))

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
        # Beside the loop: each may hold a quarter of a megabyte.
        return await asyncio.to_thread(seen_of, name, letters, known.routes)

    async def devices_csv(self) -> AsyncIterator[str]:
        """Yield all devices that are not retired, as an import takes them."""
        async for line in self._csv(DEVICE_COLUMNS, _SQL.devices):
            yield line

    async def gateways_csv(self) -> AsyncIterator[str]:
        """Yield all gateways that are not retired, as an import takes them."""
        async for line in self._csv(GATEWAY_COLUMNS, _SQL.gateways):
            yield line

    async def profiles_toml(self) -> str:
        """Return all profiles that are not retired, as an import takes them."""
        with engine_errors():
            async with self.pool.connection() as connection:
                return write_profiles(await registrar_profiles.bodies(connection))

    async def _sent_back(self, report: ChangeReport, gateways: Sequence[str], actor: str) -> ChangeReport:
        """Read again what gateways have sent that are known now."""
        if not report.touched:
            return report
        waiting = unknown.letters_of_gateways(self.pool, gateways)
        done = await send_back(self.redelivery, waiting, gateways, actor)
        return replace(report, complete=done.complete)

    async def _csv(self, columns: Sequence[str], statement: LiteralString) -> AsyncIterator[str]:
        yield _line(columns)
        with engine_errors():
            async with self.pool.connection() as connection, connection.cursor() as cursor:
                async for row in cursor.stream(statement, size=1000):
                    yield _line(["" if value is None else harmless(str(value)) for value in row])

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


def _line(values: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue()
