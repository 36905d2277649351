"""Operators' changes of the registry, on a real database."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from city.asset import Device, Gateway
from city.clock import from_datetime
from city.errors import NotFoundError, PackError
from city.packlists import ListedDevice, ListedGateway, read_devices, read_gateways, read_profiles
from city.profile import parse_pack
from city.topics import PARTITIONS
from storage.pool import Connection, Pool, open_pool
from stream import registrar, registrar_gateways, registrar_profiles
from stream.changes import Author, ChangeReport
from stream.installation import ensure_installation
from stream.logs.postgres import open_postgres_log
from stream.publication import publish
from stream.registry import import_pack, load_ingest_registry, load_roots
from tests.city.packs import SMALL, changed

PACK = parse_pack(SMALL)
NOW = 1_795_435_200_000_000
OPERATOR = Author("operator", NOW)
NEW = ListedDevice(1, Device("X-1", "L-1", "GW-2", "lamp", "A84041"))


def with_city(url: str, main: Callable[[Connection], Awaitable[None]]) -> None:
    async def opened() -> None:
        async with await open_pool(url) as pool, pool.connection() as connection:
            await import_pack(connection, PACK, 12)
            await main(connection)

    asyncio.run(opened())


async def events(connection: Connection) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(
        "SELECT actor, kind, subject, subject_id FROM registry_events WHERE actor <> 'pack' ORDER BY event_id"
    )
    return await cursor.fetchall()


def told(error: pytest.ExceptionInfo[PackError]) -> list[str]:
    return [str(mistake) for mistake in error.value.mistakes]


def test_a_device_that_an_operator_adds_is_in_force_and_outlives_imports(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        report = await registrar.put_devices(connection, [NEW], OPERATOR)
        assert (report.added, report.changed, report.roots) == (("X-1",), (), {"CM-1"})
        await import_pack(connection, parse_pack(changed("lamps.csv", "36,", "40,")), 12)
        known = await load_ingest_registry(connection)
        device = known.devices["A84041"]
        assert (device.device_id, device.gateway_id) == ("X-1", "GW-2")
        assert set(device.targets) == {"active_power_w", "supply_voltage_v", "dimming_level_pct"}
        (cabinet, _) = await load_roots(connection)
        assert "X-1" in [d.device_id for d in cabinet.devices]
        assert await events(connection) == [("operator", "added", "device", "X-1")]

    with_city(database_url, main)


def test_the_same_list_again_changes_nothing(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        await registrar.put_devices(connection, [NEW], OPERATOR)
        version = (await load_ingest_registry(connection)).version
        report = await registrar.put_devices(connection, [NEW], OPERATOR)
        assert (report.unchanged, report.touched) == (1, False)
        assert (await load_ingest_registry(connection)).version == version
        assert len(await events(connection)) == 1

    with_city(database_url, main)


def test_an_operators_word_stands_against_the_pack_until_it_is_given_back(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        moved = ListedDevice(1, Device("S-1", "EQ-1", "GW-1", "room"))
        await registrar.put_devices(connection, [moved], OPERATOR)
        await import_pack(connection, parse_pack(changed("lamps.csv", "36,", "40,")), 12)
        assert (await load_ingest_registry(connection)).devices["S-1"].gateway_id == "GW-1"
        await registrar.release_devices(connection, ["S-1"], OPERATOR)
        await import_pack(connection, PACK, 12)
        assert (await load_ingest_registry(connection)).devices["S-1"].gateway_id == "GW-2"
        kinds = [kind for _, kind, _, _ in await events(connection)]
        assert kinds == ["changed", "released"]

    with_city(database_url, main)


def test_a_retired_device_is_unknown_until_it_is_added_again(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        report = await registrar.retire_devices(connection, ["N-L-1"], OPERATOR)
        assert report.roots == {"CM-1"}
        await import_pack(connection, parse_pack(changed("lamps.csv", "36,", "40,")), 12)
        assert "N-L-1" not in (await load_ingest_registry(connection)).devices
        await registrar.put_devices(connection, [ListedDevice(1, Device("N-L-1", "L-1", "GW-1", "lamp"))], OPERATOR)
        assert "N-L-1" in (await load_ingest_registry(connection)).devices
        with pytest.raises(NotFoundError, match="there is no device 'N-L-99'"):
            await registrar.retire_devices(connection, ["N-L-99"], OPERATOR)

    with_city(database_url, main)


@pytest.mark.parametrize(
    ("device", "word"),
    [
        (Device("X-1", "L-99", "GW-1", "lamp"), "asset 'L-99' names no lamp"),
        (Device("X-1", "GW-1", "GW-1", "lamp"), "asset 'GW-1' names no lamp"),
        (Device("X-1", "L-1", "GW-9", "lamp"), "gateway 'GW-9' names no gateway"),
        (Device("X-1", "L-1", "GW-1", "lump"), "profile 'lump' names no profile"),
        (Device("X-1", "L-1", "GW-1", "lamp", "S-1"), "address 'S-1' is the name of S-1 on the wire already"),
    ],
)
def test_a_list_with_a_mistake_changes_nothing_and_tells_its_line(database_url: str, device: Device, word: str) -> None:
    async def main(connection: Connection) -> None:
        version = (await load_ingest_registry(connection)).version
        good = Device("X-2", "L-2", "GW-1", "lamp")
        with pytest.raises(PackError) as caught:
            await registrar.put_devices(connection, [ListedDevice(2, good), ListedDevice(3, device)], OPERATOR)
        assert any(line.startswith("devices.csv:3: ") and word in line for line in told(caught)), told(caught)
        assert (await load_ingest_registry(connection)).version == version
        assert "X-2" not in (await load_ingest_registry(connection)).devices

    with_city(database_url, main)


def test_two_of_one_list_cannot_share_a_name_on_the_wire(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        both = [ListedDevice(n, Device(f"X-{n}", "L-1", "GW-1", "lamp", "same")) for n in (2, 3)]
        with pytest.raises(PackError) as caught:
            await registrar.put_devices(connection, both, OPERATOR)
        assert told(caught)[0].startswith("devices.csv:3: address 'same'")

    with_city(database_url, main)


def test_names_on_the_wire_are_exchanged_in_one_list(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        def both(one: str, other: str) -> Sequence[ListedDevice]:
            return [
                ListedDevice(2, Device("X-1", "L-1", "GW-1", "lamp", one)),
                ListedDevice(3, Device("X-2", "L-2", "GW-1", "lamp", other)),
            ]

        await registrar.put_devices(connection, both("A1", "A2"), OPERATOR)
        await registrar.put_devices(connection, both("A2", "A1"), OPERATOR)
        known = (await load_ingest_registry(connection)).devices
        assert (known["A1"].device_id, known["A2"].device_id) == ("X-2", "X-1")

    with_city(database_url, main)


def test_a_cabinet_takes_no_more_devices_than_a_record_of_the_log(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        many = [ListedDevice(n, Device(f"X-{n}", "L-1", "GW-1", "lamp")) for n in range(998)]
        with pytest.raises(PackError, match="CM-1 would have 1001 devices"):
            await registrar.put_devices(connection, many, OPERATOR)
        await registrar.put_devices(connection, many[1:], OPERATOR)

    with_city(database_url, main)


def test_a_dry_run_tells_what_would_be(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        moved = ListedDevice(2, Device("S-1", "EQ-1", "GW-1", "room"))
        report = await registrar.put_devices(connection, [NEW, moved], OPERATOR, dry_run=True)
        assert (report.added, report.changed, report.touched) == (("X-1",), ("S-1",), False)
        assert await events(connection) == []

    with_city(database_url, main)


def test_gateways_are_added_and_changed(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        listed = read_gateways(
            "gateway_id,name,lat,lon,district_id\nGW-9,Nueve,43.5,-5.6,centre\nGW-1,Uno,43.5,-5.6,centre\n"
        )
        report = await registrar_gateways.put_gateways(connection, listed, OPERATOR)
        assert (report.added, report.changed, report.unchanged) == (("GW-9",), (), 1)
        assert "GW-9" in (await load_ingest_registry(connection)).gateways
        await import_pack(connection, parse_pack(changed("lamps.csv", "36,", "40,")), 12)
        assert "GW-9" in (await load_ingest_registry(connection)).gateways
        for gateway, word in (
            (Gateway("L-1", "x", 0, 0, "centre"), "a lamp"),
            (Gateway("GW-7", "x", 0, 0, "far"), "far"),
        ):
            with pytest.raises(PackError, match=word):
                await registrar_gateways.put_gateways(connection, [ListedGateway(2, gateway)], OPERATOR)

    with_city(database_url, main)


def test_a_gateways_network_operator_is_written_kept_and_told_to_detection(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        async def put(text: str) -> ChangeReport:
            return await registrar_gateways.put_gateways(connection, read_gateways(text), OPERATOR)

        async def told() -> dict[str, str]:
            roots = await load_roots(connection)
            return {g.gateway_id: g.operator for root in roots for g in root.gateways}

        header = "gateway_id,name,lat,lon,district_id"
        before = await told()
        assert before["GW-1"] == ""
        named = await put(f"{header},operator\nGW-1,Uno,43.5,-5.6,centre,red-norte\nGW-9,Nueve,43.5,-5.6,centre,\n")
        assert (named.added, named.changed) == (("GW-9",), ("GW-1",))
        assert "CM-1" in named.roots, "detection must hear of it"
        assert await told() == {**before, "GW-1": "red-norte"}
        moved = await put(f"{header}\nGW-1,Uno,43.6,-5.6,centre\n")
        assert moved.changed == ("GW-1",)
        assert await told() == {**before, "GW-1": "red-norte"}, "a list that says nothing of it keeps it"
        assert (await put(f"{header}\nGW-1,Uno,43.6,-5.6,centre\n")).unchanged == 1
        await put(f"{header},operator\nGW-1,Uno,43.6,-5.6,centre,\n")
        assert await told() == before
        with pytest.raises(PackError, match="operator"):
            read_gateways(f"{header},operator\nGW-1,Uno,43.6,-5.6,centre,red norte\n")

    with_city(database_url, main)


def test_devices_follow_their_profile(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        await registrar.put_devices(connection, [NEW], OPERATOR)
        metrics = await registrar_profiles.known_metrics(connection)
        text = '[lamp]\nmetrics = ["active_power_w"]\nreport_interval_s = 60\nsilence_intervals = 3\n'
        text += '[lamp.names]\nP = { metric = "active_power_w", unit = "kW" }\n'
        profiles, codecs = read_profiles(text, metrics)
        assert codecs == {}
        report = await registrar_profiles.put_profiles(connection, profiles, {}, OPERATOR)
        assert (report.changed, report.roots) == (("lamp",), {"CM-1"})
        known = await load_ingest_registry(connection)
        assert set(known.devices["A84041"].targets) == {"active_power_w", "P"}
        assert set(known.devices["N-L-1"].targets) == {"active_power_w", "P"}
        await import_pack(connection, parse_pack(changed("lamps.csv", "36,", "40,")), 12)
        assert set((await load_ingest_registry(connection)).devices["A84041"].targets) == {"active_power_w", "P"}
        again = await registrar_profiles.put_profiles(connection, profiles, {}, OPERATOR)
        assert (again.unchanged, again.touched) == (1, False)

    with_city(database_url, main)


def test_an_import_that_changes_devices_tells_of_each(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        await import_pack(connection, parse_pack(changed("devices.csv", "GW-2", "GW-1")), 12, at_us=NOW)
        cursor = await connection.execute("SELECT at, kind, subject, subject_id FROM registry_events ORDER BY event_id")
        rows = await cursor.fetchall()
        assert [row[1:3] for row in rows] == [("imported", "pack"), ("imported", "pack"), ("changed", "device")]
        assert rows[2][3] == "S-1"
        assert from_datetime(rows[2][0]) == NOW

    with_city(database_url, main)


def test_only_what_changed_is_published(database_url: str) -> None:
    async def main() -> None:
        pool: Pool
        async with await open_pool(database_url) as pool:
            log = await open_postgres_log(database_url)
            await log.create_topics(PARTITIONS)
            async with pool.connection() as connection:
                await import_pack(connection, PACK, 12)
            assert await publish(pool, log, NOW) == 2
            async with pool.connection() as connection:
                report = await registrar.put_devices(connection, [NEW], OPERATOR)
            assert await publish(pool, log, NOW, changed=(report.version, report.roots)) == 1
            assert await publish(pool, log, NOW) == 0
            async with pool.connection() as connection:
                await registrar.retire_devices(connection, ["X-1"], OPERATOR)
                last = await registrar.retire_devices(connection, ["N-L-2"], OPERATOR)
            assert await publish(pool, log, NOW, changed=(last.version, last.roots)) == 2, "one version was skipped"
            await log.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("device_id,asset_id,gateway_id\nX,L,G\n", 1, "column profile_id is missing"),
        ("device_id,asset_id,gateway_id,profile_id\nX-1,L-1,GW-1,lamp\nX-1,L-2,GW-1,lamp\n", 3, "stands in line 2"),
        ("device_id,asset_id,gateway_id,profile_id\nX 1,L-1,GW-1,lamp\n", 2, "is not an id"),
        (f"device_id,asset_id,gateway_id,profile_id,address\nX,L,G,P,{'a' * 129}\n", 2, "128 at most"),
        ("", 0, "the file is empty"),
    ],
)
def test_a_mistake_of_a_list_is_told_by_its_line(text: str, line: int, word: str) -> None:
    with pytest.raises(PackError) as caught:
        read_devices(text)
    assert any(word in line_told for line_told in told(caught))
    assert caught.value.mistakes[0].line == line


def test_the_first_import_is_one_event(database_url: str) -> None:
    async def main() -> None:
        async with await open_pool(database_url) as pool, pool.connection() as connection:
            await ensure_installation(
                connection,
                city=PACK.name,
                timezone=PACK.timezone,
                simulated=True,
                speed=1.0,
                city_us=None,
                real_us=None,
            )
            await import_pack(connection, PACK, 12)
            cursor = await connection.execute("SELECT kind, subject FROM registry_events")
            assert await cursor.fetchall() == [("imported", "pack")]

    asyncio.run(main())
