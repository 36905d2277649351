"""A pack alone gives the same roots as the registry in a database."""

import asyncio
from dataclasses import replace

import pytest

from city.pack import CityPack
from city.profile import parse_pack
from city.registry import DeviceDefinition, RootDefinition
from city.roots import roots_of
from sim.city import generate_city
from storage.pool import open_pool
from stream.registry import ensure_installation, import_pack, load_roots
from tests.city.packs import SMALL


def unnumbered(roots: list[RootDefinition]) -> list[RootDefinition]:
    """Return roots whose series have no numbers: each registry has its own."""

    def bare(device: DeviceDefinition) -> DeviceDefinition:
        return replace(device, series=tuple(replace(one, series_id=0) for one in device.series))

    return [replace(root, devices=tuple(bare(device) for device in root.devices)) for root in roots]


@pytest.mark.parametrize("files", [SMALL, generate_city(3, lamps=300, facilities=12)], ids=["small", "generated"])
def test_a_pack_gives_the_roots_that_the_registry_loads(database_url: str, files: dict[str, str]) -> None:
    pack: CityPack = parse_pack(files)

    async def main() -> list[RootDefinition]:
        pool = await open_pool(database_url)
        async with pool, pool.connection() as connection:
            await ensure_installation(connection, city=pack.name, timezone=pack.timezone, simulated=pack.simulated)
            await import_pack(connection, pack, 4)
            return await load_roots(connection)

    mine = roots_of(pack)
    assert unnumbered(mine) == unnumbered(asyncio.run(main()))
    numbers = [one.series_id for root in mine for device in root.devices for one in device.series]
    assert numbers == list(range(1, len(numbers) + 1))
