"""The registry in a real database: import, what ingest and detection load, and publication on a real log."""

import asyncio
import dataclasses
import gc
import json
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from city.alarm import FaultClass, Scope
from city.asset import AssetKind, Switching, initial_partition, shard_of
from city.clock import ScaledClock, SystemClock
from city.errors import SettingsError
from city.opening import OpeningHours, parse_hours
from city.pack import CityPack
from city.profile import parse_pack
from city.registry import FaultRules, RootDefinition
from city.topics import PARTITIONS, READINGS
from sim.city import generate_city
from storage.pool import Connection, Pool, open_pool
from stream import codec, wire
from stream.log import EventLog, TopicPartition
from stream.logs.postgres import open_postgres_log
from stream.logs.postgres_rows import PostgresLogOptions
from stream.packs import read_pack
from stream.publication import publish
from stream.registry import (
    ensure_installation,
    import_pack,
    load_categories,
    load_clock,
    load_ingest_registry,
    load_roots,
    resume_clock,
)
from tests.city.packs import SMALL, changed

PACK = parse_pack(SMALL)
NOW = 1_795_435_200_000_000


def with_connection(url: str, main: Callable[[Connection], Awaitable[None]]) -> None:
    async def opened() -> None:
        pool = await open_pool(url)
        async with pool, pool.connection() as connection:
            await main(connection)

    asyncio.run(opened())


def with_log(url: str, main: Callable[[Pool, EventLog], Awaitable[None]], **options: Any) -> None:
    async def opened() -> None:
        pool = await open_pool(url)
        async with pool:
            log = await open_postgres_log(url, PostgresLogOptions(**options))
            await log.create_topics(PARTITIONS)
            try:
                await main(pool, log)
            finally:
                await log.close()

    asyncio.run(opened())


async def rows(connection: Connection, statement: str) -> list[tuple[Any, ...]]:
    return await (await connection.execute(statement)).fetchall()  # type: ignore[arg-type]


def test_an_import_makes_devices_known_to_ingest(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        report = await import_pack(connection, PACK, 12)
        assert report.changed
        registry = await load_ingest_registry(connection)
        assert registry.version == report.registry_version == 1
        assert set(registry.gateways) == {"GW-1", "GW-2"}
        assert len(set(registry.gateways.values())) == 2
        gateway, targets = registry.devices["N-L-1"].gateway_id, registry.devices["N-L-1"].targets
        assert gateway == "GW-1"
        assert set(targets) == {"active_power_w", "supply_voltage_v", "dimming_level_pct"}
        power = targets["active_power_w"]
        assert (power.low, power.high) == (-5, 5000)
        assert power.partition == initial_partition(shard_of("CM-1"), 12)
        assert registry.devices["S-1"].targets["co2_ppm"].partition == initial_partition(shard_of("EQ-1"), 12)
        assert await rows(connection, "SELECT count(*) FROM shards") == [(1024,)]

    with_connection(database_url, main)


def test_ingests_registry_is_built_beside_the_loop_and_without_collections(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    build = wire.devices

    def watched(*args: Any) -> Any:
        seen.append((threading.current_thread() is threading.main_thread(), gc.isenabled()))
        return build(*args)

    monkeypatch.setattr(wire, "devices", watched)

    async def main(connection: Connection) -> None:
        await import_pack(connection, PACK, 12)
        assert (await load_ingest_registry(connection)).devices
        assert seen == [(False, False)]
        assert gc.isenabled()

    with_connection(database_url, main)


def test_the_same_pack_again_changes_nothing(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        await import_pack(connection, PACK, 12)
        before = await load_ingest_registry(connection)
        for _ in range(2):
            report = await import_pack(connection, PACK, 12)
            assert not report.changed
            assert not any(report.rows.values())
        assert await load_ingest_registry(connection) == before

    with_connection(database_url, main)


def test_series_keep_their_ids_when_devices_go_and_come_back(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        await import_pack(connection, PACK, 12)
        before = await load_ingest_registry(connection)
        without = parse_pack(changed("devices.csv", "S-1,EQ-1,GW-2,room\n", ""))
        report = await import_pack(connection, without, 12)
        assert report.changed
        smaller = await load_ingest_registry(connection)
        assert "S-1" not in smaller.devices
        assert smaller.version == before.version + 1
        assert await rows(connection, "SELECT device_id FROM devices WHERE retired") == [("S-1",)]
        await import_pack(connection, PACK, 12)
        again = await load_ingest_registry(connection)
        assert again.devices == before.devices
        assert again.gateways == before.gateways

    with_connection(database_url, main)


def test_a_metric_that_a_profile_drops_is_unknown_until_it_comes_back(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        await import_pack(connection, PACK, 12)
        before = (await load_ingest_registry(connection)).devices["N-L-1"].targets
        await import_pack(connection, parse_pack(changed("profiles.toml", ', "dimming_level_pct"', "")), 12)
        assert set((await load_ingest_registry(connection)).devices["N-L-1"].targets) == set(before) - {
            "dimming_level_pct"
        }
        await import_pack(connection, PACK, 12)
        assert (await load_ingest_registry(connection)).devices["N-L-1"].targets == before

    with_connection(database_url, main)


def test_a_retired_gateway_is_unknown(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        await import_pack(connection, PACK, 12)
        files = changed("devices.csv", "GW-2", "GW-1")
        files["gateways.csv"] = SMALL["gateways.csv"].replace("GW-2,Dos,43.5,-5.6,centre\n", "")
        await import_pack(connection, parse_pack(files), 12)
        assert set((await load_ingest_registry(connection)).gateways) == {"GW-1"}
        assert await rows(connection, "SELECT count(*) FROM gateways") == [(2,)]

    with_connection(database_url, main)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("lamps.csv", "150", "100"),
        ("faults.toml", "4", "5"),
        ("schedules.toml", "-3", "-2"),
        ("metrics.csv", "20000", "10000"),
        ("districts.geojson", "Centro", "El Centro"),
        ("categories.toml", "72", "48"),
        ("profiles.toml", "600", "300"),
    ],
)
def test_whatever_changes_in_the_pack_is_a_new_version(database_url: str, file: str, old: str, new: str) -> None:
    async def main(connection: Connection) -> None:
        first = await import_pack(connection, PACK, 12)
        second = await import_pack(connection, parse_pack(changed(file, old, new)), 12)
        assert second.changed
        assert second.registry_version == first.registry_version + 1

    with_connection(database_url, main)


def test_shards_keep_their_partitions(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        await import_pack(connection, PACK, 12)
        shard = shard_of("CM-1")
        await connection.execute("UPDATE shards SET partition = 3 WHERE shard = %s", (shard,))
        await import_pack(connection, PACK, 12)
        assert (await load_ingest_registry(connection)).devices["N-L-1"].targets["active_power_w"].partition == 3
        with pytest.raises(SettingsError, match="the log has only 2"):
            await import_pack(connection, PACK, 2)

    with_connection(database_url, main)


def test_another_city_is_refused(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        await import_pack(connection, PACK, 12)
        other = parse_pack(generate_city(1, lamps=50, facilities=1))
        with pytest.raises(SettingsError, match="another city"):
            await import_pack(connection, other, 12)
        assert not (await import_pack(connection, PACK, 12)).changed

    with_connection(database_url, main)


def test_detection_gets_whole_cabinets_and_facilities(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        await import_pack(connection, PACK, 12)
        cabinet, facility = await load_roots(connection)
        assert (cabinet.root_id, cabinet.kind, cabinet.group) == ("CM-1", AssetKind.CABINET, "SE-1")
        assert cabinet.rules == PACK.rules
        assert cabinet.pack_version == PACK.version
        assert [f.scope for f in cabinet.feeders] == [
            Scope(AssetKind.FEEDER, "CM-1-A", "CM-1", "SE-1", "CM-1-A", "GW-1"),
            Scope(AssetKind.FEEDER, "CM-1-B", "CM-1", "SE-1", "CM-1-B", "GW-1"),
        ]
        assert [f.switching for f in cabinet.feeders] == [Switching.PERMANENT, Switching.SWITCHED]
        assert cabinet.feeders[0].schedule == PACK.schedules["sun"]
        lamp = cabinet.devices[1]
        assert lamp.asset == Scope(AssetKind.LAMP, "L-2", "CM-1", "SE-1", "CM-1-A", "GW-1")
        assert (lamp.device_id, lamp.rated_w, lamp.phase) == ("N-L-2", 150.0, "S")
        assert (lamp.report_interval_s, lamp.silence_intervals) == (900, 4.0)
        assert [s.metric for s in lamp.series] == ["active_power_w", "dimming_level_pct", "supply_voltage_v"]
        assert facility.devices[0].asset == Scope(AssetKind.FACILITY, "EQ-1", "EQ-1", "EQ-1", "", "GW-2")
        known = (await load_ingest_registry(connection)).devices
        assert {s.metric: s.series_id for s in lamp.series} == {
            m: target.series_id for m, target in known["N-L-2"].targets.items()
        }

    with_connection(database_url, main)


def test_detection_gets_the_hours_of_facilities_with_the_citys_zone(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        hours = '[EQ-1]\nhours = ["mon-fri 09:00-14:00"]\nclosed = ["12-25"]\n'
        pack = parse_pack({**SMALL, "opening.toml": hours})
        await import_pack(connection, pack, 12)
        cabinet, facility = await load_roots(connection)
        assert facility.opening == OpeningHours(parse_hours(["mon-fri 09:00-14:00"]), ("12-25",))
        assert cabinet.opening is None
        assert {cabinet.timezone, facility.timezone} == {pack.timezone}
        assert codec.decode(RootDefinition, codec.encode(facility)) == facility

    with_connection(database_url, main)


def test_a_record_from_before_opening_hours_is_still_understood(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        await import_pack(connection, PACK, 12)
        facility = (await load_roots(connection))[1]
        old = json.loads(codec.encode(facility))
        del old["opening"], old["timezone"]
        old["rules"] = {"guard_s": 60}
        read = codec.decode(RootDefinition, json.dumps(old).encode())
        assert (read.opening, read.timezone) == (None, "UTC")
        assert read.rules == FaultRules(guard_s=60)

    with_connection(database_url, main)


def test_categories_survive_without_the_packs_files(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        await import_pack(connection, PACK, 12)
        (category,) = await load_categories(connection)
        assert category == PACK.categories[0]
        assert category.faults == (FaultClass.LAMP_FAILURE,)

    with_connection(database_url, main)


def test_before_the_first_import_everything_says_so(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        for load in (load_ingest_registry, load_roots, load_categories, load_clock):
            with pytest.raises(SettingsError, match="citynerve up"):
                await load(connection)

    with_connection(database_url, main)


async def published(log: EventLog) -> dict[str, tuple[int, RootDefinition]]:
    """Return each root's newest record with its partition."""
    found = {}
    for partition, bounds in (await log.bounds(READINGS)).items():
        for record in await log.read(TopicPartition(READINGS, partition), bounds.begin):
            assert record.kind == codec.REGISTRY
            root = codec.decode(RootDefinition, record.value)
            found[root.root_id] = (partition, root)
    return found


def test_publication_puts_each_root_on_its_partition_once(database_url: str) -> None:
    async def main(pool: Pool, log: EventLog) -> None:
        async with pool.connection() as connection:
            await import_pack(connection, PACK, 12)
            roots = await load_roots(connection)
        assert await publish(pool, log, NOW) == 2
        assert await publish(pool, log, NOW) == 0
        found = await published(log)
        assert {root_id: root for root_id, (_, root) in found.items()} == {r.root_id: r for r in roots}
        assert found["CM-1"][0] == initial_partition(shard_of("CM-1"), 12)
        assert found["EQ-1"][0] == initial_partition(shard_of("EQ-1"), 12)

    with_log(database_url, main)


def test_publication_follows_a_change_and_another_log(database_url: str) -> None:
    async def main(pool: Pool, log: EventLog) -> None:
        async with pool.connection() as connection:
            await import_pack(connection, PACK, 12)
            assert await publish(pool, log, NOW) == 2
            await import_pack(connection, parse_pack(changed("lamps.csv", "150", "100")), 12)
            assert await publish(pool, log, NOW) == 2
            assert (await published(log))["CM-1"][1].devices[1].rated_w == 100
            await connection.execute("UPDATE installation SET log_identity = 'an older log'")
            assert await publish(pool, log, NOW) == 2
            assert await publish(pool, log, NOW) == 0

    with_log(database_url, main)


def test_of_many_publishers_one_appends(database_url: str) -> None:
    async def main(pool: Pool, log: EventLog) -> None:
        async with pool.connection() as connection:
            await import_pack(connection, PACK, 12)
        pools = [await open_pool(database_url, size=2) for _ in range(4)]
        counts = await asyncio.gather(*(publish(p, log, NOW) for p in pools))
        for opened in pools:
            await opened.close()
        assert sorted(counts) == [0, 0, 0, 2]

    with_log(database_url, main)


def test_a_root_that_vanished_is_published_without_devices(database_url: str) -> None:
    async def main(pool: Pool, log: EventLog) -> None:
        async with pool.connection() as connection:
            await import_pack(connection, PACK, 12)
            await publish(pool, log, NOW)
            files = changed("facilities.csv", "EQ-1,school,Escuela,43.5,-5.6,centre\n", "")
            files["devices.csv"] = SMALL["devices.csv"].splitlines()[0] + "\n"
            await import_pack(connection, parse_pack(files), 12)
        await publish(pool, log, NOW)
        assert (await published(log))["EQ-1"][1].devices == ()

    with_log(database_url, main)


def test_a_root_over_the_logs_limit_is_refused_whole(database_url: str) -> None:
    async def main(pool: Pool, log: EventLog) -> None:
        async with pool.connection() as connection:
            await import_pack(connection, PACK, 12)
        with pytest.raises(SettingsError, match="split it in the city pack"):
            await publish(pool, log, NOW)
        assert await published(log) == {}

    with_log(database_url, main, max_record_bytes=1000)


def test_the_largest_cabinet_that_a_pack_may_have_fits_in_a_record(database_url: str) -> None:
    lamps = "".join(f"L-{n:061d},CM-1-A,R,led,36,43.5,-5.6,centre,Calle Mayor\n" for n in range(990))
    files = {**SMALL, "lamps.csv": SMALL["lamps.csv"].splitlines()[0] + "\n" + lamps}
    files["city.toml"] = SMALL["city.toml"].replace('"N-"', '"N"')
    files = {**files, "lamps.csv": files["lamps.csv"].replace("L-0", "L0")}

    async def main(pool: Pool, log: EventLog) -> None:
        async with pool.connection() as connection:
            await import_pack(connection, parse_pack(files), 12)
        assert await publish(pool, log, NOW) == 2

    with_log(database_url, main)


def test_thirty_thousand_lamps_are_imported_and_loaded(database_url: str, record_property: Any) -> None:
    pack: CityPack = parse_pack(generate_city(5, lamps=30_000))

    async def main(connection: Connection) -> None:
        started = time.monotonic()
        await import_pack(connection, pack, 12)
        record_property("import_s", time.monotonic() - started)
        registry = await load_ingest_registry(connection)
        assert len(registry.devices) == len(pack.devices)
        started = time.monotonic()
        assert not (await import_pack(connection, pack, 12)).changed
        record_property("again_s", time.monotonic() - started)
        roots = await load_roots(connection)
        assert sum(len(r.devices) for r in roots) == len(pack.devices)

    with_connection(database_url, main)


def test_the_committed_gijon_is_imported_as_a_simulated_city(database_url: str) -> None:
    pack = read_pack(Path(__file__).parents[2] / "cities" / "gijon")

    async def main(connection: Connection) -> None:
        await import_pack(connection, pack, 12)
        kinds = await rows(connection, "SELECT kind, count(*) FROM assets GROUP BY kind ORDER BY kind")
        assert dict(kinds)["lamp"] == 30_000
        assert await rows(connection, "SELECT simulated, timezone FROM installation") == [(True, "Europe/Madrid")]

    with_connection(database_url, main)


def test_an_installation_is_made_once_and_keeps_its_clock(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        first = {"city": "X", "timezone": "UTC", "simulated": True, "speed": 60.0, "city_us": NOW, "real_us": 5}
        assert await ensure_installation(connection, **first)  # type: ignore[arg-type]
        assert not await ensure_installation(connection, **(first | {"speed": 2.0}))  # type: ignore[arg-type]
        assert await load_clock(connection) == ScaledClock(NOW, 5, 60.0)
        await import_pack(connection, PACK, 12)
        assert await load_clock(connection) == ScaledClock(NOW, 5, 60.0)

    with_connection(database_url, main)


def test_a_scaled_clock_goes_on_from_the_last_known_city_time(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        await ensure_installation(
            connection, city="X", timezone="UTC", simulated=True, speed=60.0, city_us=NOW, real_us=5
        )
        resumed = await resume_clock(connection, last_city_us=NOW + 1000, real_us=99)
        assert resumed == await load_clock(connection) == ScaledClock(NOW + 1000, 99, 60.0)
        faster = await resume_clock(connection, last_city_us=None, real_us=200, speed=300.0)
        assert faster == ScaledClock(NOW + 1000, 200, 300.0)
        for speed in (0.0, float("nan"), 1e9):
            with pytest.raises(SettingsError, match="speed"):
                await resume_clock(connection, last_city_us=None, real_us=200, speed=speed)
        behind = await resume_clock(connection, last_city_us=NOW - 1, real_us=300)
        assert behind == ScaledClock(NOW + 1000, 300, 300.0), "city time never goes back"

    with_connection(database_url, main)


def test_the_machines_clock_needs_no_resuming(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        await ensure_installation(connection, city="X", timezone="UTC", simulated=False)
        assert isinstance(await load_clock(connection), SystemClock)
        assert isinstance(await resume_clock(connection, last_city_us=NOW, real_us=9), SystemClock)

    with_connection(database_url, main)


@pytest.mark.parametrize(
    "wrong",
    [
        {"speed": 0.0, "city_us": 1, "real_us": 1},
        {"speed": float("nan"), "city_us": 1, "real_us": 1},
        {"speed": 60.0},
        {"city_us": 1},
        {"simulated": False, "speed": 60.0, "city_us": 1, "real_us": 1},
    ],
)
def test_a_clock_that_makes_no_sense_is_refused(database_url: str, wrong: dict[str, Any]) -> None:
    async def main(connection: Connection) -> None:
        with pytest.raises(SettingsError):
            await ensure_installation(connection, **({"city": "X", "timezone": "UTC", "simulated": True} | wrong))
        assert await rows(connection, "SELECT count(*) FROM installation") == [(0,)]

    with_connection(database_url, main)


def test_definitions_are_equal_after_the_logs_codec(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        await import_pack(connection, PACK, 12)
        for root in await load_roots(connection):
            assert codec.decode(RootDefinition, codec.encode(root)) == root
            assert dataclasses.is_dataclass(root)

    with_connection(database_url, main)


WIRED = {
    **SMALL,
    "devices.csv": (
        "device_id,asset_id,gateway_id,profile_id,address\nS-1,EQ-1,GW-2,room,A1\nS-2,EQ-1,GW-2,room,A2\n"
        "S-3,EQ-1,GW-2,room,\n"
    ),
    "profiles.toml": SMALL["profiles.toml"]
    + 'ignore = ["rssi"]\ncodec = "room.js"\n[room.names]\nCO2 = { metric = "co2_ppm", unit = "%" }\n',
    "room.js": "function decodeUplink(input) { return { data: {} }; }",
    "integrations.toml": '[lora]\nformat = "chirpstack"\ntopics = ["application/{a}/device/{device}/event/up"]\n'
    'gateway = "GW-2"\n',
}


def test_ingest_learns_what_devices_are_called_on_the_wire(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        await import_pack(connection, parse_pack(WIRED), 12)
        known = await load_ingest_registry(connection)
        assert {name: device.device_id for name, device in known.devices.items() if name[0] in "AS"} == {
            "A1": "S-1",
            "A2": "S-2",
            "S-3": "S-3",
        }
        device = known.devices["A1"]
        assert set(device.targets) == {"co2_ppm", "CO2"}
        assert device.targets["CO2"].series_id == device.targets["co2_ppm"].series_id
        assert (device.targets["CO2"].scale, device.targets["co2_ppm"].scale) == (pytest.approx(10_000), 1.0)
        assert device.profile.ignores("rssi")
        assert "decodeUplink" in device.profile.codec
        origin = known.routes.origin_of("application/7/device/A1/event/up")
        assert (origin.format, origin.gateway, origin.levels["device"]) == ("chirpstack", "GW-2", "A1")

    with_connection(database_url, main)


def test_addresses_may_be_exchanged_between_devices(database_url: str) -> None:
    async def main(connection: Connection) -> None:
        await import_pack(connection, parse_pack(WIRED), 12)
        exchanged = WIRED["devices.csv"].replace("A1", "A0").replace("A2", "A1").replace("A0", "A2")
        await import_pack(connection, parse_pack({**WIRED, "devices.csv": exchanged}), 12)
        known = await load_ingest_registry(connection)
        assert (known.devices["A1"].device_id, known.devices["A2"].device_id) == ("S-2", "S-1")
        taken = WIRED["devices.csv"].replace("S-3,EQ-1,GW-2,room,", "S-3,EQ-1,GW-2,room,S-1")
        await import_pack(connection, parse_pack({**WIRED, "devices.csv": taken}), 12)
        known = await load_ingest_registry(connection)
        assert (known.devices["A1"].device_id, known.devices["S-1"].device_id) == ("S-1", "S-3")
        report = await import_pack(connection, parse_pack({**WIRED, "devices.csv": taken}), 12)
        assert not report.changed

    with_connection(database_url, main)
