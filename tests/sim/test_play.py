"""Recorded files: read row by row, and played through a real Mosquitto."""

import gzip
import lzma
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.clock import HOUR_US, from_datetime, isoformat
from city.errors import EngineError, SettingsError
from sim.play import PlayOptions, PlayReport, play
from sim.playfile import BadRows, Row, read_rows
from sim.playmap import PlayMap, parse_map
from sim.times import parse_time
from tests.sim.listener import listening, until
from tests.support.fix_mosquitto import Mosquitto

MAP = """\
gateway = "GW-1"
device = "D-1"
rows_per_message = 3
[time]
column = "when"
format = "%Y-%m-%dT%H:%M"
[metrics]
co2_ppm = "CO2"
pm10_ug_m3 = "PM10"
"""
FIRST = from_datetime(parse_time("2026-01-01T00:00:00Z"))


def lines(count: int) -> str:
    rows = [f"{isoformat(FIRST + i * HOUR_US)[:16]},{i},{i / 2}" for i in range(count)]
    return "\n".join(["when,CO2,PM10", *rows]) + "\n"


def read(path: Path, text: str | bytes, how: str = MAP) -> tuple[list[Row], BadRows]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    bad = BadRows()
    return list(read_rows(path, parse_map(how), bad)), bad


def test_rows_become_observations(tmp_path: Path) -> None:
    rows, bad = read(tmp_path / "f.csv", "when,PM10,CO2,other\n2026-01-01T00:00,7.5,400,x\n2026-01-01T01:00,,401,\n")
    assert [row.observation for row in rows] == [
        {"device": "D-1", "at": "2026-01-01T00:00:00Z", "co2_ppm": 400.0, "pm10_ug_m3": 7.5},
        {"device": "D-1", "at": "2026-01-01T01:00:00Z", "co2_ppm": 401.0},
    ]
    assert [row.line for row in rows] == [2, 3]
    assert [row.readings for row in rows] == [2, 1]
    assert bad.count == 0


@pytest.mark.parametrize(
    ("row", "told", "left"),
    [
        ("2026-01-01T01:00,much,5", "CO2 'much' is not a number: the reading is left out", 1),
        ("2026-01-01T01:00,nan,5", "CO2 'nan' is not a number", 1),
        ("2026-01-01T01:00,1e999,5", "CO2 '1e999' is not a number", 1),
        ("2026-01-01T01:00,1_000,5", "CO2 '1_000' is not a number", 1),
        ("2026-01-01T01:00,٣,5", "is not a number", 1),
        ("yesterday,1,5", "'yesterday' is not a time as the map has it: the row is left out", 0),
        ("2026-02-30T01:00,1,5", "is not a time", 0),
        (",1,5", "'' is not a time", 0),
        ("2026-01-01T01:00,1", "2 fields where the header has 3", 0),
        ("2026-01-01T01:00,1,5,6", "4 fields where the header has 3", 0),
        ('2026-01-01T01:00,"1"x,5', "not CSV", 0),
        ('2026-01-01T01:00,"1,5', "not CSV", 0),
    ],
)
def test_a_bad_row_is_noted_with_its_line_and_the_rest_is_read(tmp_path: Path, row: str, told: str, left: int) -> None:
    rows, bad = read(tmp_path / "f.csv", f"when,CO2,PM10\n2026-01-01T00:00,1,2\n{row}\n2026-01-01T02:00,3,4\n")
    assert [r.observation["co2_ppm"] for r in (rows[0], rows[-1])] == [1, 3]
    assert len(rows) == 2 + left
    assert bad.count == 1
    line, text = bad.noted[0]
    assert line == 3
    assert told in text


def test_only_the_first_hundred_bad_rows_are_kept_but_all_are_counted(tmp_path: Path) -> None:
    _, bad = read(tmp_path / "f.csv", "when,CO2,PM10\n" + "x,1,2\n" * 250)
    assert bad.count == 250
    assert len(bad.noted) == 100


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.xz"])
def test_packed_files_are_read_as_they_are(tmp_path: Path, suffix: str) -> None:
    pack = {".csv": bytes, ".csv.gz": gzip.compress, ".csv.xz": lzma.compress}[suffix]
    rows, bad = read(tmp_path / f"f{suffix}", pack(lines(500).encode()))
    assert len(rows) == 500
    assert bad.count == 0


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_a_packed_file_that_breaks_off_is_noted_and_its_beginning_stands(
    tmp_path: Path, suffix: str, pack: object
) -> None:
    whole = pack(lines(60_000).encode())  # type: ignore[operator]
    rows, bad = read(tmp_path / f"f{suffix}", whole[: len(whole) * 2 // 3])
    assert 0 < len(rows) < 60_000
    assert "breaks off" in bad.noted[-1][1]


def test_another_zone_decimal_delimiter_and_scale(tmp_path: Path) -> None:
    how = MAP.replace('"%Y-%m-%dT%H:%M"', '"%d/%m/%Y %H:%M"\ntimezone = "Europe/Madrid"')
    how = how.replace('"CO2"', '{ column = "CO2", scale = 1000, offset = 5 }')
    how += '[file]\ndelimiter = ";"\ndecimal = ","\nmissing = ["-9999"]\n'
    rows, bad = read(tmp_path / "f.csv", "when;CO2;PM10\n01/07/2026 12:00;0,4;-9999\n01/07/2026 13:00;1.5;2\n", how)
    assert rows[0].observation == {"device": "D-1", "at": "2026-07-01T10:00:00Z", "co2_ppm": 405.0}
    assert rows[1].observation == {"device": "D-1", "at": "2026-07-01T11:00:00Z", "pm10_ug_m3": 2.0}
    assert bad.count == 1


def test_the_hour_that_comes_twice_is_two_hours(tmp_path: Path) -> None:
    how = MAP.replace("[metrics]", 'timezone = "Europe/Madrid"\n[metrics]')
    text = "when,CO2,PM10\n" + "".join(f"2026-10-25T{hour}:00,1,2\n" for hour in ("01", "02", "02", "03"))
    rows, bad = read(tmp_path / "f.csv", text, how)
    assert [row.at_us - rows[0].at_us for row in rows] == [0, HOUR_US, 2 * HOUR_US, 3 * HOUR_US]
    assert bad.count == 0


def test_the_hour_that_comes_twice_is_told_by_each_devices_own_rows(tmp_path: Path) -> None:
    how = MAP.replace('device = "D-1"', 'device_column = "who"').replace(
        "[metrics]", 'timezone = "Europe/Madrid"\n[metrics]'
    )
    rows, bad = read(
        tmp_path / "f.csv",
        "when,who,CO2,PM10\n"
        + "".join(f"2026-10-25T02:{m},{d},1,2\n" for m in ("00", "30", "00", "30") for d in "ABC"),
        how,
    )
    first = from_datetime(parse_time("2026-10-25T00:00:00Z"))
    assert [row.at_us - first for row in rows] == [step * HOUR_US // 2 for step in range(4) for _ in "ABC"]
    assert bad.count == 0


def test_the_hour_that_does_not_exist_is_noted(tmp_path: Path) -> None:
    how = MAP.replace("[metrics]", 'timezone = "Europe/Madrid"\n[metrics]')
    rows, bad = read(tmp_path / "f.csv", "when,CO2,PM10\n2026-03-29T02:30,1,2\n2026-03-29T03:30,1,2\n", how)
    assert len(rows) == 1
    assert bad.noted[0][0] == 2


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("unix", "1767225600"),
        ("unix", "1767225600.0"),
        ("unix_ms", "1767225600000"),
        ("iso", "2026-01-01T01:00:00+01:00"),
    ],
)
def test_times_of_other_forms(tmp_path: Path, kind: str, text: str) -> None:
    rows, _ = read(tmp_path / "f.csv", f"when,CO2,PM10\n{text},1,2\n", MAP.replace("%Y-%m-%dT%H:%M", kind))
    assert rows[0].at_us == FIRST


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("unix", "nan"),
        ("unix", "1e300"),
        ("unix_ms", "9" * 20),
        ("unix_ms", "9" * 30),
        ("unix_ms", "9" * 5_000),
        ("iso", "9"),
        ("iso", "0001-01-01T00:00:00+14:00"),
        ("iso", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_times_that_no_calendar_holds_are_noted(tmp_path: Path, kind: str, text: str) -> None:
    rows, bad = read(tmp_path / "f.csv", f"when,CO2,PM10\n{text},1,2\n", MAP.replace("%Y-%m-%dT%H:%M", kind))
    assert rows == []
    assert bad.count == 1


def test_rows_may_be_sorted_by_time_keeping_the_order_of_equals(tmp_path: Path) -> None:
    text = "when,CO2,PM10\n" + "".join(f"2026-01-01T0{h}:00,{v},0\n" for v, h in enumerate((3, 1, 2, 1)))
    rows, _ = read(tmp_path / "f.csv", text, 'order = "time"\n' + MAP)
    assert [row.observation["co2_ppm"] for row in rows] == [1, 3, 2, 0]
    rows, _ = read(tmp_path / "f.csv", text)
    assert [row.observation["co2_ppm"] for row in rows] == [0, 1, 2, 3]


def test_devices_may_stand_in_a_column(tmp_path: Path) -> None:
    how = MAP.replace('device = "D-1"', 'device_column = "who"')
    rows, bad = read(tmp_path / "f.csv", "who,when,CO2,PM10\nA,2026-01-01T00:00,1,2\n/,2026-01-01T00:00,1,2\n", how)
    assert [row.observation["device"] for row in rows] == ["A"]
    assert "cannot be a device" in bad.noted[0][1]


def test_a_header_without_the_maps_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no column PM10; it has 'when, CO2'"):
        read(tmp_path / "f.csv", "when,CO2\n")
    with pytest.raises(SettingsError, match="no header"):
        read(tmp_path / "f.csv", "")
    with pytest.raises(SettingsError, match=r"no header.*breaks off"):
        read(tmp_path / "f.csv.gz", "when,CO2,PM10\n")
    with pytest.raises(SettingsError, match="column CO2 twice"):
        read(tmp_path / "f.csv", "when,CO2,PM10,CO2,other,other\n")
    with pytest.raises(SettingsError, match="cannot be read"):
        list(read_rows(tmp_path / "none.csv", parse_map(MAP), BadRows()))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_no_bytes_make_reading_fail(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    path = tmp_path_factory.mktemp("play") / "f.csv"
    rows, _ = read(path, b"when,CO2,PM10\n" + body + b"\n2026-01-01T00:00,1,2\n")
    assert all(set(row.observation) <= {"device", "at", "co2_ppm", "pm10_ug_m3"} for row in rows)


# ---------------------------------------------------------------- through the broker


def played(mosquitto: Mosquitto, path: Path, play_map: PlayMap | None = None, **more: float) -> PlayReport:
    return play(path, play_map or parse_map(MAP), PlayOptions(mosquitto.url, **more))  # type: ignore[arg-type]


def test_a_file_arrives_whole_and_in_order(mosquitto: Mosquitto, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(lines(1000) + "bad,1,2\n")
    with listening(mosquitto.url) as listener:
        seen: list[int] = []
        options = PlayOptions(mosquitto.url, window=4)
        report = play(tmp_path / "f.csv", parse_map(MAP), options, progress=lambda r: seen.append(r.rows))
        assert (report.rows, report.readings, report.messages) == (1000, 2000, 334)
        assert report.complete
        assert report.bad.count == 1
        assert report.first_us == FIRST
        assert report.last_us == FIRST + 999 * HOUR_US
        assert seen[-1] == 1000
        until(lambda: len(listener.readings()) == 2000)
        assert [body["n"] for body in listener.bodies()] == list(range(334))
        times = [at for _, _, at, _ in listener.readings()]
        assert times == sorted(times)
        assert {value for _, metric, _, value in listener.readings() if metric == "co2_ppm"} == set(range(1000))


def test_a_brokers_death_during_play_loses_nothing(mosquitto: Mosquitto, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(lines(600))
    with listening(mosquitto.url) as listener:
        reports: list[PlayReport] = []
        speed = 600 * 3600 / 4.0
        thread = threading.Thread(target=lambda: reports.append(played(mosquitto, tmp_path / "f.csv", speed=speed)))
        thread.start()
        until(lambda: len(listener.payloads) > 50)
        mosquitto.kill()
        time.sleep(0.5)
        mosquitto.start()
        thread.join(60)
        assert reports[0].complete
        until(lambda: len(set(listener.readings())) == 1200)


def test_speed_follows_the_files_own_time(mosquitto: Mosquitto, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(lines(30))
    report = played(mosquitto, tmp_path / "f.csv", speed=29 * 3600)
    assert report.seconds >= 0.9
    assert report.complete


def test_a_stopped_play_says_how_far_it_came(mosquitto: Mosquitto, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(lines(300))
    stop = threading.Event()
    with listening(mosquitto.url) as listener:
        threading.Timer(0.5, stop.set).start()
        report = play(tmp_path / "f.csv", parse_map(MAP), PlayOptions(mosquitto.url, speed=60 * 3600), stop=stop)
        assert not report.complete
        assert 0 < report.rows < 300
        until(lambda: len(listener.readings()) == report.readings)


def test_a_broker_that_is_not_there_is_told_after_some_patience(mosquitto: Mosquitto, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(lines(10))
    mosquitto.kill()
    with pytest.raises(EngineError, match="has not answered for 1 s"):
        played(mosquitto, tmp_path / "f.csv", patience_s=1.0)


def test_an_empty_file_plays_nothing(mosquitto: Mosquitto, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("when,CO2,PM10\n")
    report = played(mosquitto, tmp_path / "f.csv")
    assert (report.rows, report.complete) == (0, True)
