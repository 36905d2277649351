"""The map of `citynerve play`."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.errors import SettingsError
from sim.city_texts import AIR_METRICS
from sim.playmap import ColumnMap, parse_map, read_map

MAP = """\
gateway = "GW-1"
device = "D-1"

[time]
column = "when"
format = "iso"

[metrics]
co2_ppm = "CO2"
"""


def test_a_map_of_few_words_has_sound_defaults() -> None:
    found = parse_map(MAP)
    assert (found.gateway, found.device, found.device_column) == ("GW-1", "D-1", "")
    assert found.columns == (ColumnMap("co2_ppm", "CO2", 1.0, 0.0),)
    assert (found.delimiter, found.decimal, found.timezone, found.order) == (",", ".", "UTC", "file")
    assert found.rows_per_message == 48


def test_everything_may_be_said() -> None:
    text = MAP.replace('device = "D-1"', 'device_column = "sensor"\norder = "time"\nrows_per_message = 7')
    text = text.replace('"CO2"', '{ column = "CO2", scale = 0.1, offset = -3 }')
    text += '[file]\ndelimiter = ";"\ndecimal = ","\nmissing = ["NA", "-"]\nencoding = "latin-1"\n'
    found = parse_map(text)
    assert found.device_column == "sensor"
    assert found.columns == (ColumnMap("co2_ppm", "CO2", 0.1, -3.0),)
    assert found.missing == {"", "NA", "-"}
    assert (found.delimiter, found.decimal, found.encoding, found.rows_per_message) == (";", ",", "latin-1", 7)


def test_the_shipped_map_of_the_air_station_names_all_channels() -> None:
    found = read_map(Path(__file__).parents[2] / "cities" / "gijon" / "play" / "air-station.toml")
    assert [c.metric for c in found.columns] == [name for name, *_ in AIR_METRICS]
    assert found.order == "time"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"GW-1"', '"G/1"', "MAP.toml:1: gateway 'G/1' is not an id"),
        ('gateway = "GW-1"\n', "", "gateway is missing"),
        ('device = "D-1"', "", "either device"),
        ('device = "D-1"', 'device = "D-1"\ndevice_column = "x"', "either device"),
        ('"iso"', '"today"', "MAP.toml:6: format 'today' is not known"),
        ('"iso"', '"%Y-%Q"', "MAP.toml:6: format '%Y-%Q' is not known"),
        ('"iso"', '"%H:%M"', "MAP.toml:6: format '%H:%M' does not tell year, month and day"),
        ('"iso"', '"iso"\ntimezone = "Mars"', "MAP.toml:7: 'Mars' is not a time zone"),
        ('column = "when"\n', "", "column is missing"),
        ('"CO2"', "3", "MAP.toml:9: co2_ppm must be a column"),
        ('"CO2"', '{ column = "CO2", factor = 2 }', "MAP.toml:9: co2_ppm must be a column"),
        ('"CO2"', '{ column = "CO2", scale = nan }', "MAP.toml:9: scale nan is out of range"),
        ("co2_ppm", "sent_at", "'sent_at' cannot be a metric"),
        ('co2_ppm = "CO2"\n', "", "names no metric"),
        ('"CO2"\n', '"CO2"\n[file]\ndelimiter = "--"\n', "delimiter '--' must be one character"),
        ('"CO2"\n', '"CO2"\n[file]\nencoding = "utf-7"\n', "encoding 'utf-7' is not known"),
        ("[time]", "rows_per_message = 500\n[time]", "rows_per_message 500 is out of range"),
        ("[time]", 'order = "random"\n[time]', "order 'random' is not known"),
        ("[time]", "[time", "not TOML"),
        ("[metrics]", "[metric]", "'metric' is not known here"),
    ],
)
def test_a_mistake_is_told_with_its_line(old: str, new: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_map(MAP.replace(old, new, 1))
    assert told in str(caught.value)


def test_a_map_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_map(tmp_path / "MAP.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xf1")
    with pytest.raises(SettingsError, match="UTF-8"):
        read_map(tmp_path / "latin.toml")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_text_makes_reading_a_map_fail_otherwise(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(MAP)))
    end = data.draw(st.integers(start, min(len(MAP), start + 15)))
    try:
        parse_map(MAP[:start] + data.draw(st.text(max_size=8)) + MAP[end:])
    except SettingsError as exc:
        told = str(exc)
        assert "docs/play.md" in told
