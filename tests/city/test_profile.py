"""A city pack: what a sound one says, and how each mistake is told."""

import contextlib
import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.alarm import FaultClass
from city.asset import Switching
from city.errors import SettingsError
from city.profile import FILES, PackError, parse_pack
from tests.city.packs import SMALL, changed


def mistakes(files: dict[str, str]) -> list[str]:
    with pytest.raises(PackError) as caught:
        parse_pack(files)
    found = [str(m) for m in caught.value.mistakes]
    assert list(caught.value.mistakes) == sorted(caught.value.mistakes)
    assert all(text in str(caught.value) for text in found)
    return found


def test_a_sound_pack_becomes_values() -> None:
    pack = parse_pack(SMALL)
    assert (pack.name, pack.timezone, pack.languages, pack.simulated) == (
        "Villa de Prueba",
        "Europe/Madrid",
        ("es", "en"),
        True,
    )
    assert [f.switching for f in pack.feeders] == [Switching.PERMANENT, Switching.SWITCHED]
    assert pack.lamps[1].rated_w == 150
    assert pack.lamps[1].phase == "S"
    assert pack.rules.dark_readings == 4
    assert pack.rules.guard_s == 900
    assert pack.categories[0].faults == (FaultClass.LAMP_FAILURE,)
    assert pack.districts[0].boundary["type"] == "Polygon"
    assert pack.cabinets[0].substation == "SE-1"
    assert pack.profiles["room"].silence_intervals == 6.5


def test_lamps_without_a_listed_device_get_one_on_their_cabinets_gateway() -> None:
    files = changed("devices.csv", "S-1,", "X-9,L-2,GW-2,lamp\nS-1,")
    devices = {d.device_id: d for d in parse_pack(files).devices}
    assert sorted(devices) == ["N-L-1", "N-L-3", "S-1", "X-9"]
    assert devices["N-L-1"].gateway_id == "GW-1"
    assert devices["N-L-1"].profile_id == "lamp"
    assert devices["X-9"].asset_id == "L-2"


def test_the_version_follows_the_contents_and_nothing_else() -> None:
    version = parse_pack(SMALL).version
    assert parse_pack(dict(reversed(SMALL.items()))).version == version
    assert parse_pack({**SMALL, "lamps.csv": "\ufeff" + SMALL["lamps.csv"]}).version == version
    assert parse_pack(changed("lamps.csv", "150", "151")).version != version
    assert len(version) == 64


def test_a_byte_order_mark_windows_lines_and_blank_lines_are_read() -> None:
    files = {name: "\ufeff" + text.replace("\n", "\r\n") + "\r\n" for name, text in SMALL.items()}
    pack = parse_pack(files)
    assert dataclasses.replace(pack, version="") == dataclasses.replace(parse_pack(SMALL), version="")


def test_text_that_looks_like_a_formula_is_plain_text() -> None:
    pack = parse_pack(changed("lamps.csv", "Calle Menor", '"=HYPERLINK(""http://x"")"'))
    assert pack.lamps[2].street == '=HYPERLINK("http://x")'


CASES = {
    "unknown column": ("lamps.csv", "rated_w,", "watts,", "lamps.csv:1: column 'watts' is not known"),
    "missing column": ("lamps.csv", "rated_w,", "watts,", "lamps.csv:1: column rated_w is missing"),
    "column twice": ("feeders.csv", "switching,", "cabinet_id,", "feeders.csv:1: column cabinet_id stands twice"),
    "id twice": ("lamps.csv", "L-3", "L-1", "lamps.csv:4: lamp 'L-1' stands in line 2 already"),
    "gateway twice": ("gateways.csv", "GW-2", "GW-1", "gateways.csv:3: gateway 'GW-1' stands in line 2 already"),
    "one name for two kinds": ("facilities.csv", "EQ-1", "L-1", "facilities.csv:2: 'L-1' is the name of a lamp"),
    "dangling feeder": ("lamps.csv", "CM-1-B,T", "CM-9,T", "lamps.csv:4: feeder_id 'CM-9' names no feeder"),
    "dangling gateway": ("cabinets.csv", "GW-1", "GW-9", "cabinets.csv:2: gateway_id 'GW-9' names no gateway"),
    "dangling schedule": ("feeders.csv", "d,sun", "d,moon", "feeders.csv:3: schedule_id 'moon' names no schedule"),
    "dangling district": ("lamps.csv", "centre", "north", "lamps.csv:2: district_id 'north' names no district"),
    "dangling profile": ("devices.csv", "room", "hall", "devices.csv:2: profile_id 'hall' names no profile"),
    "dangling asset": ("devices.csv", "EQ-1", "EQ-7", "devices.csv:2: asset_id 'EQ-7' names no lamp or facility"),
    "dangling metric": ("profiles.toml", "co2_ppm", "co3", "profiles.toml:7: metrics 'co3' names no metric"),
    "dangling lamp profile": ("city.toml", '"lamp"', '"lump"', "city.toml:9: profile 'lump' names no profile"),
    "not an id": ("lamps.csv", "L-3", "L/3", "lamps.csv:4: lamp_id 'L/3' is not an id"),
    "long id": ("lamps.csv", "L-3", "L" * 65, "lamps.csv:4: lamp_id"),
    "no id": ("lamps.csv", "L-3", "", "lamps.csv:4: lamp_id is missing: fill it in"),
    "north of the pole": ("lamps.csv", "43.5", "90.5", "lamps.csv:2: lat '90.5' is out of range"),
    "east of the world": ("lamps.csv", "-5.6", "181", "lamps.csv:2: lon '181' is out of range"),
    "comma for a point": ("lamps.csv", ",43.5,", ',"43,5",', "lamps.csv:2: lat '43,5' is not a number"),
    "not a number": ("lamps.csv", "150", "much", "lamps.csv:3: rated_w 'much' is not a number"),
    "NaN": ("lamps.csv", "150", "nan", "lamps.csv:3: rated_w 'nan' is out of range"),
    "infinite": ("metrics.csv", "20000", "inf", "metrics.csv:5: high 'inf' is out of range"),
    "negative watts": ("lamps.csv", "150", "-150", "lamps.csv:3: rated_w '-150' is out of range: it must be above 0"),
    "no watts": ("lamps.csv", "150", "0", "lamps.csv:3: rated_w '0' is out of range"),
    "phase": ("lamps.csv", ",T,", ",X,", "lamps.csv:4: phase 'X' is not known: write R, S or T"),
    "switching": ("feeders.csv", "switched", "maybe", "feeders.csv:3: switching 'maybe' is not known"),
    "short row": ("lamps.csv", ",Calle Menor", "", "lamps.csv:4: the row has 8 fields, the header 9"),
    "control character": ("lamps.csv", "Menor", "Me\x07nor", "lamps.csv:4: street 'Calle Me\\x07nor' holds a control"),
    "NUL": ("lamps.csv", "Menor", "Me\0nor", "lamps.csv:4: the line holds a NUL"),
    "open quote": ("lamps.csv", "Calle Menor", '"Calle Menor', "lamps.csv:4: not CSV"),
    "low over high": ("metrics.csv", "0,500", "600,500", "metrics.csv:3: low 600 is not below high 500"),
    "reserved metric": ("metrics.csv", "co2_ppm", "sent_at", "metrics.csv:5: 'sent_at' is not a metric"),
    "TOML syntax": ("profiles.toml", "= 900", "=", "profiles.toml:3: not TOML"),
    "unknown key": ("faults.toml", "dark_readings", "dark_reading", "faults.toml:1: 'dark_reading' is not known"),
    "rule out of range": ("faults.toml", "4", "0", "faults.toml:1: dark_readings 0 is out of range"),
    "half a reading": ("faults.toml", "4", "4.5", "faults.toml:1: dark_readings 4.5 is not a whole number"),
    "missing key": ("profiles.toml", "report_interval_s = 600\n", "", "profiles.toml:6: report_interval_s is missing"),
    "no interval": ("profiles.toml", "= 600", "= 0", "profiles.toml:8: report_interval_s 0 is out of range"),
    "table that is none": ("schedules.toml", "[sun]", "sun = 1\n[moon]", "schedules.toml:1: sun must be a table"),
    "time zone": ("city.toml", "Europe/Madrid", "Europe/Gijon", "city.toml:2: 'Europe/Gijon' is not a time zone"),
    "time zone outside": ("city.toml", "Europe/Madrid", "../../etc/passwd", "city.toml:2: '../../etc/passwd' is not"),
    "language": ("city.toml", '"en"', '"English"', "city.toml:3: 'English' is not a language"),
    "truth": ("city.toml", "true", '"yes"', "city.toml:4: simulated must be true or false"),
    "missing name": ("categories.toml", ', en = "Light out"', "", "categories.toml:2: names must have en"),
    "unknown fault": ("categories.toml", "lampFailure", "lampBroken", "categories.toml:3: 'lampBroken' is not a fault"),
    "no SLA": ("categories.toml", "72", "0", "categories.toml:4: sla_hours 0 is out of range"),
    "JSON syntax": ("districts.geojson", '"Centro"}', '"Centro"', "districts.geojson:3: not JSON"),
    "JSON's NaN": ("districts.geojson", "-5.7", "NaN", "districts.geojson:1: not JSON"),
    "open ring": ("districts.geojson", ", [-5.7, 43.4]]]", ", [-5.7, 43.5]]]", "districts.geojson:2: the outline of"),
    "position": (
        "districts.geojson",
        "[-5.5, 43.6]",
        '["a", 43.6]',
        "districts.geojson:2: the outline of 'centre' has",
    ),
    "point": ("districts.geojson", '"Polygon"', '"Point"', "districts.geojson:2: the outline of 'centre' must be a"),
    "district without a name": ("districts.geojson", ', "name": "Centro"', "", "districts.geojson:2: name is missing"),
}


@pytest.mark.parametrize(("file", "old", "new", "told"), CASES.values(), ids=CASES)
def test_a_mistake_is_told_by_file_and_line(file: str, old: str, new: str, told: str) -> None:
    found = mistakes(changed(file, old, new))
    assert any(told in text for text in found), found


def test_every_mistake_is_told_not_only_the_first() -> None:
    files = {**changed("lamps.csv", "150", "-1"), "feeders.csv": SMALL["feeders.csv"].replace("switched", "x")}
    del files["faults.toml"]
    found = mistakes(files)
    assert [text.split(":")[0] for text in found] == ["faults.toml", "feeders.csv", "lamps.csv"]


def test_a_bad_row_is_still_known_to_those_who_refer_to_it() -> None:
    found = mistakes(changed("feeders.csv", "permanent", "x"))
    assert len(found) == 1


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("text", ["", "\ufeff", " \n\n"])
def test_an_empty_file_is_told(name: str, text: str) -> None:
    assert any(f"{name}: the file is empty" in told for told in mistakes({**SMALL, name: text}))


def test_a_file_that_cannot_be_read_blames_nobody_else() -> None:
    assert len(mistakes(changed("districts.geojson", '"Centro"}', '"Centro"'))) == 1
    assert len(mistakes(changed("feeders.csv", "switching", "switch"))) == 2
    assert len(mistakes(changed("profiles.toml", "= 900", "="))) == 1
    assert len(mistakes({**SMALL, "gateways.csv": ""})) == 1


def test_missing_and_unknown_files_are_told() -> None:
    found = mistakes({**{k: v for k, v in SMALL.items() if k != "lamps.csv"}, "lamp.csv": "x"})
    assert any(text.startswith("lamps.csv: the file is missing") for text in found)
    assert any(text.startswith("lamp.csv: no such file belongs to a pack") for text in found)


def test_a_cabinet_with_more_devices_than_a_record_holds_is_told() -> None:
    rows = "".join(f"L-{n},CM-1-A,R,led,36,43.5,-5.6,centre,Calle Mayor\n" for n in range(10, 1011))
    files = {**SMALL, "lamps.csv": SMALL["lamps.csv"] + rows}
    assert any("cabinets.csv:2: CM-1 has 1004 devices below it" in text for text in mistakes(files))


def test_a_city_without_lamps_is_a_city() -> None:
    header = SMALL["lamps.csv"].splitlines()[0] + "\n"
    pack = parse_pack({**SMALL, "lamps.csv": header})
    assert pack.lamps == ()
    assert [d.device_id for d in pack.devices] == ["S-1"]


def test_a_pack_error_refuses_to_start() -> None:
    assert issubclass(PackError, SettingsError)


def test_the_cabinets_of_one_gateway_share_a_substation() -> None:
    line = "CM-1,GW-1,SE-1,43.5,-5.6,centre\n"
    two = changed("cabinets.csv", line, line + "CM-2,GW-1,SE-2,43.5,-5.6,centre\n")
    (told,) = mistakes(two)
    assert told.startswith("cabinets.csv:3")
    assert "CM-1" in told
    assert "SE-1" in told
    parse_pack(changed("cabinets.csv", line, line + "CM-2,GW-1,SE-1,43.5,-5.6,centre\n"))
    parse_pack(changed("cabinets.csv", line, line + "CM-2,GW-2,SE-2,43.5,-5.6,centre\n"))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*FILES, "other.csv"]), st.text()))
def test_no_text_makes_reading_fail_otherwise(texts: dict[str, str]) -> None:
    with pytest.raises(PackError):
        parse_pack(texts)


DEEP = [
    "[" * 100_000,
    "a = " + "[" * 100_000,
    "1" * 5000,
    '{"type": "FeatureCollection", "features": [1e999]}',
    "[[a]]",
]
SIGNS = st.sampled_from(['"', ",", "\n", "[", "]", "=", "{", "nan", "1e999", "\r", "''"])
PIECES = st.text(max_size=6) | SIGNS | st.sampled_from(DEEP)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_change_of_a_sound_file_makes_reading_fail_otherwise(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(FILES))
    text = SMALL[name]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    piece = data.draw(PIECES)
    with contextlib.suppress(PackError):
        parse_pack({**SMALL, name: text[:start] + piece + text[end:]})


@pytest.mark.parametrize("text", DEEP)
@pytest.mark.parametrize("name", FILES)
def test_deep_or_huge_text_is_a_mistake_of_the_file(name: str, text: str) -> None:
    assert any(told.startswith(name) for told in mistakes({**SMALL, name: text}))
