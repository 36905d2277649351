"""The generated city, and the committed one that it is."""

import math
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from city.asset import Switching
from city.profile import CityPack, parse_pack
from sim.city import AIR_STATION, GIJON_SEED, generate_city, write_city
from sim.outlines import OUTLINES, inside
from stream.packs import read_files

GIJON = Path(__file__).parents[2] / "cities" / "gijon"


@pytest.fixture(scope="module")
def pack() -> CityPack:
    return parse_pack(generate_city(GIJON_SEED))


def test_the_committed_pack_is_what_its_seed_makes() -> None:
    committed, made = read_files(GIJON), generate_city(GIJON_SEED)
    # By name: whoever prints how thirty thousand lamps differ is busy for minutes.
    assert [name for name in sorted({*committed, *made}) if committed.get(name) != made.get(name)] == []


def test_equal_seeds_give_equal_cities_and_others_differ() -> None:
    assert generate_city(3, lamps=200) == generate_city(3, lamps=200)
    assert generate_city(3, lamps=200) != generate_city(4, lamps=200)


@pytest.mark.parametrize(("lamps", "facilities"), [(0, 0), (0, 1), (1, 1), (7, 30), (333, 3), (5000, 12), (2000, 130)])
def test_a_city_of_any_size_is_sound_and_exact(lamps: int, facilities: int) -> None:
    pack = parse_pack(generate_city(1, lamps, facilities))
    assert len(pack.lamps) == lamps
    assert len(pack.facilities) == facilities


def test_it_says_that_it_is_simulated(pack: CityPack) -> None:
    assert pack.simulated
    assert "simulada" in pack.name
    assert all("simulad" in place.name for place in (*pack.gateways, *pack.facilities))
    assert all("(simulada)" in lamp.street for lamp in pack.lamps)


def test_gijon_has_six_districts_and_its_proportions(pack: CityPack) -> None:
    assert [a.district.district_id for a in pack.districts] == list(OUTLINES)
    assert len(pack.lamps) == 30_000
    assert len(pack.facilities) == 60
    assert 70 <= len(pack.gateways) <= 100
    served = Counter(c.gateway_id for c in pack.cabinets)
    assert max(served.values()) <= 8
    assert set(Counter(f.cabinet_id for f in pack.feeders).values()) <= {1, 2, 3}
    switching = Counter(f.switching for f in pack.feeders)
    assert abs(switching[Switching.SWITCHED] - switching[Switching.PERMANENT]) <= 1
    assert {lamp.phase for lamp in pack.lamps} == {"R", "S", "T"}
    assert Counter(f.kind for f in pack.facilities) == {
        "school": 16,
        "sports-hall": 9,
        "library": 8,
        "car-park": 6,
        "civic-centre": 5,
        "pool": 4,
        "market": 4,
        "water-tank": 4,
        "air-station": 4,
    }
    assert {lamp.lamp_type for lamp in pack.lamps} == {"led", "sodium", "metal-halide"}
    station = next(d for d in pack.devices if d.device_id == AIR_STATION)
    assert len(pack.profiles[station.profile_id].metrics) == 17


def test_lamps_stand_in_their_districts(pack: CityPack) -> None:
    assert all(inside(lamp.lon, lamp.lat, OUTLINES[lamp.district_id][3]) for lamp in pack.lamps)


def test_lamps_stand_along_streets(pack: CityPack) -> None:
    lamps: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for lamp in pack.lamps:
        lamps[lamp.street].append(((lamp.lon + 5.66) * 80_650, (lamp.lat - 43.53) * 111_320))
    assert 400 < len(lamps) < 900, "streets"
    lonely = 0
    for places in lamps.values():
        at = np.array(places)
        apart = np.hypot(*(at[:, None, :] - at[None, :, :]).transpose(2, 0, 1)) + np.where(np.eye(len(at)), 1e9, 0)
        assert apart.min() > 5
        lonely += int((apart.min(axis=1) > 75).sum())
    assert lonely < 60, "a lamp has its street's next lamp in sight"


def test_a_feeder_is_a_short_walk(pack: CityPack) -> None:
    stands = {c.cabinet_id: (c.lat, c.lon) for c in pack.cabinets}
    cabinet_of = {f.feeder_id: f.cabinet_id for f in pack.feeders}
    for lamp in pack.lamps:
        lat, lon = stands[cabinet_of[lamp.feeder_id]]
        assert math.hypot((lamp.lat - lat) * 111_320, (lamp.lon - lon) * 80_650) < 1_200


def test_a_gateway_stays_within_one_substation(pack: CityPack) -> None:
    areas: dict[str, set[str]] = {}
    for cabinet in pack.cabinets:
        areas.setdefault(cabinet.gateway_id, set()).add(cabinet.substation)
    assert all(len(groups) == 1 for groups in areas.values())


def test_a_written_city_reads_back(tmp_path: Path) -> None:
    files = generate_city(2, lamps=60)
    write_city(tmp_path / "deep" / "town", files)
    assert read_files(tmp_path / "deep" / "town") == files
