"""Hostile files: what is wrong is told by file and line, what is strange is skipped and counted."""

import gzip
import lzma
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.backtest.fleet_assets import known_metrics, read_assets
from anomaly.backtest.fleet_labels import read_labels
from anomaly.backtest.fleet_readings import ReadReport, read_readings
from anomaly.backtest.labels import Label
from anomaly.backtest.moments import parse_column, parse_moment
from anomaly.backtest.spill import ROW, Spill
from city.clock import DAY_US, SECOND_US, isoformat
from city.errors import SettingsError
from tests.anomaly.backtest.world import ASSETS, LABELS, READINGS, START, asset_rows, write

AT = isoformat(START)
GOOD = ("L1", "active_power_w", AT, "", "12.5")


def readings(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = READINGS) -> ReadReport:
    write(path, header, rows)
    with Spill() as spill:
        return read_readings(path, {"L1": 0, "L2": 1}, known_metrics(), spill)


def refused(path: Path, text: str) -> str:
    path.write_bytes(text.encode())
    with Spill() as spill, pytest.raises(SettingsError) as refusal:
        read_readings(path, {"L1": 0}, known_metrics(), spill)
    return str(refusal.value)


HEADER = ",".join(READINGS) + "\n"
LINE = ",".join(GOOD) + "\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no CSV"),
        ("\n\n", "no CSV"),
        ("asset,metric,value\n1,2,3\n", "no column observed_at: "),
        (HEADER, "no rows"),
        (HEADER + "L1,active_power_w," + AT + "\n", ":2: 3 cells"),
        (HEADER + LINE * 3 + "L1,active_power_w," + AT + ",,1,2,3\n", ":5: 7 cells"),
        (HEADER + LINE * 2 + f"L1,active_power_w,{AT},,twelve\n", ":4: value is 'twelve'"),
        (HEADER + LINE + "L1,active_power_w,yesterday,,1\n", ":3: observed_at is 'yesterday'"),
        (HEADER + LINE + f"L1,active_power_w,{AT},1e99,1\n", ":3: received_at is '1e99'"),
        (HEADER + "L1,active_power_w,0,,1\n", ":2: it was received before 2001"),
        (HEADER + "L9,active_power_w," + AT + ",,1\n", "unknown: L9"),
        (HEADER + "L1,brightness," + AT + ",,1\n", "unknown: brightness"),
        ("PK\x03\x04\x00\x00", "readings.csv"),
    ],
)
def test_what_is_wrong_is_told_by_line(tmp_path: Path, text: str, told: str) -> None:
    found = refused(tmp_path / "readings.csv", text)
    assert "readings.csv" in found
    assert told in found


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "readings.csv"
    path.write_bytes(HEADER.encode() + b"\xff\xfe\x00L1,\x80\n")
    with Spill() as spill, pytest.raises(SettingsError, match=r"readings\.csv"):
        read_readings(path, {"L1": 0}, known_metrics(), spill)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with Spill() as spill, pytest.raises(SettingsError, match="cannot be read"):
        read_readings(tmp_path / "nothing.csv", {"L1": 0}, known_metrics(), spill)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_assets(tmp_path / "nothing.csv")


def test_what_is_unknown_or_impossible_is_skipped_and_counted(tmp_path: Path) -> None:
    report = readings(
        tmp_path / "r.csv",
        [
            GOOD,
            ("L1", "brightness", AT, "", "1"),
            ("L1", "brightness", AT, "", "x"),
            ("L7", "active_power_w", AT, "", "1"),
            ("L2", "active_power_w", AT, "", ""),
            ("L2", "active_power_w", AT, "", "NaN"),
            ("L2", "supply_voltage_v", AT, "", "9000"),
        ],
    )
    assert dict(report.unknown_metrics) == {"brightness": 2}
    assert dict(report.unknown_assets) == {"L7": 1}
    assert (report.rows, report.empty, report.out_of_range, report.skipped) == (7, 2, 1, 6)
    assert report.pairs == {(0, 0)}


def test_a_clock_that_is_wrong_gives_way_to_the_time_of_receipt(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    ahead = isoformat(START + 301 * SECOND_US)
    write(path, READINGS, [("L1", "active_power_w", "0", AT, 1), ("L1", "active_power_w", ahead, AT, 2), GOOD])
    with Spill() as spill:
        report = read_readings(path, {"L1": 0}, known_metrics(), spill)
        (rows,) = spill.in_order()
    assert report.retimed == 2
    assert set(rows["observed_at"].tolist()) == {START}


@pytest.mark.parametrize(("suffix", "opened"), [(".gz", gzip.open), (".xz", lzma.open)])
def test_packed_files_are_read(tmp_path: Path, suffix: str, opened: object) -> None:
    path = tmp_path / f"r.csv{suffix}"
    with opened(path, "wt") as file:  # type: ignore[operator]
        file.write(HEADER + LINE * 5)
    with Spill() as spill:
        assert read_readings(path, {"L1": 0}, known_metrics(), spill).rows == 5
    path.write_bytes(b"no such packing")
    with Spill() as spill, pytest.raises(SettingsError, match="no CSV"):
        read_readings(path, {"L1": 0}, known_metrics(), spill)


def test_columns_may_stand_in_any_order_with_others_between(tmp_path: Path) -> None:
    header = ("value", "note", "received_at", "observed_at", "metric", "asset")
    report = readings(tmp_path / "r.csv", [("1.5", "hot, they say", "", AT, "active_power_w", "L1")], header)
    assert report.pairs == {(0, 0)}


def test_letters_may_be_large_and_who_knows_no_receipt_has_no_such_column(tmp_path: Path) -> None:
    header = ("Asset", "METRIC", " Observed_At", "Value")
    report = readings(tmp_path / "r.csv", [("L1", "Active_Power_W", AT, "1.5")] * 2, header)
    assert (report.pairs, report.first_us, report.skipped) == ({(0, 0)}, START, 0)


def test_spilled_rows_come_back_by_time_of_receipt_whatever_their_order() -> None:
    rng = np.random.default_rng(1)
    rows = np.zeros(5_000, ROW)
    rows["received_at"] = START + rng.integers(0, 5 * DAY_US, len(rows))
    rows["value"] = np.arange(len(rows))
    with Spill() as spill:
        for part in np.array_split(rows, 7):
            spill.add(part)
        back = np.concatenate(list(spill.in_order()))
        assert np.all(np.diff(back["received_at"]) >= 0)
        assert sorted(back["value"].tolist()) == rows["value"].tolist()
        folder = Path(spill._folder.name)
        assert folder.exists()
    assert not folder.exists()


@given(st.integers(START, START + 10**15))
def test_a_moment_is_read_in_whatever_way_it_is_written(at_us: int) -> None:
    at_us -= at_us % SECOND_US
    texts = [isoformat(at_us), isoformat(at_us).replace("Z", "+00:00"), isoformat(at_us).replace("Z", "")]
    texts += [str(at_us // n) for n in (1_000_000, 1_000, 1)] + [str(at_us * 1_000)]
    assert {parse_moment(text) for text in texts} == {at_us}
    for text in texts:
        found, wrong = parse_column(pa.array([text] * 3))
        assert (found.tolist(), wrong) == ([at_us] * 3, None)
    mixed, wrong = parse_column(pa.array(texts))
    assert (set(mixed.tolist()), wrong) == ({at_us}, None)


# ------------------------------------------------------------ assets and labels


def assets_refused(tmp_path: Path, **changed: object) -> str:
    first, *rest = asset_rows()
    row = [changed.get(name, cell) for name, cell in zip(ASSETS, first, strict=True)]
    with pytest.raises(SettingsError) as refusal:
        read_assets(write(tmp_path / "assets.csv", ASSETS, [*rest, row]))
    return str(refusal.value)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"asset": ""}, "asset and kind must not be empty"),
        ({"asset": "F0-L1"}, "stands in line 2 already"),
        ({"lat": "north"}, "lat is 'north'"),
        ({"lat": 91}, "lat is '91'"),
        ({"lon": "nan"}, "lon is 'nan'"),
        ({"rated_w": ""}, "rated_w is ''"),
        ({"rated_w": -4}, "rated_w is '-4'"),
        ({"report_interval_s": 0}, "report_interval_s is '0'"),
        ({"switching": "sometimes"}, "write permanent or switched"),
        ({"phase": "Q"}, "phase is 'Q'"),
    ],
)
def test_mistakes_in_assets_are_told_by_line(tmp_path: Path, changed: dict[str, object], told: str) -> None:
    found = assets_refused(tmp_path, **changed)
    assert "assets.csv:13: " in found
    assert told in found


def test_a_list_of_no_assets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="lists no asset"):
        read_assets(write(tmp_path / "assets.csv", ASSETS, []))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"cabinet": "C9"}, ("F0", "C1", "permanent", "R")),
        ({"switching": "switched"}, ("F0", "C1", "permanent", "R")),
        ({"feeder": ""}, ("C1", "C1", "permanent", "R")),
        ({"feeder": "", "cabinet": ""}, ("F0-L0", "F0-L0", "permanent", "R")),
        ({"phase": "L1, L2, L3"}, ("F0", "C1", "permanent", "")),
        ({"phase": "-"}, ("F0", "C1", "permanent", "")),
    ],
)
def test_inventories_are_wrong_about_a_few_lamps_and_taken_all_the_same(
    tmp_path: Path, changed: dict[str, object], told: tuple[str, ...]
) -> None:
    first, *rest = asset_rows()
    row = [changed.get(name, cell) for name, cell in zip(ASSETS, first, strict=True)]
    found = read_assets(write(tmp_path / "assets.csv", ASSETS, [row, *rest]))[0]
    assert (found.feeder, found.cabinet, str(found.switching), found.phase) == told


def test_what_need_not_be_known_of_lamps_need_be_no_column(tmp_path: Path) -> None:
    header = ("Asset", "Kind", "lat", "lon", "rated_W", "report_interval_s")
    (found,) = read_assets(write(tmp_path / "assets.csv", header, [("L1", "Streetlight", 43.5, -5.6, 40, 900)]))
    assert (found.kind, found.feeder, found.gateway, str(found.switching)) == ("lamp", "L1", "L1", "permanent")


def test_facilities_and_meters_of_feeders_are_assets_too(tmp_path: Path) -> None:
    rows = [
        *asset_rows(),
        ("pool-1", "pool", 43.5, -5.6, "", "", "", "G9", "", "", "", 900),
        ("F0", "feeder", 43.5, -5.6, "F0", "", "C1", "G1", "", "", "permanent", ""),
    ]
    found = {asset.asset: asset for asset in read_assets(write(tmp_path / "assets.csv", ASSETS, rows))}
    assert found["pool-1"].cabinet == "pool-1"
    assert found["F0"].interval_s == 900


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("L9", "lampFailure", AT, ""), "'L9' is no asset"),
        (("L1", "", AT, ""), "must not be empty"),
        (("L1", "lampFailure", "", ""), "onset is ''"),
        (("L1", "lampFailure", "soon", ""), "onset is 'soon'"),
        (("L1", "lampFailure", AT, AT), "not after its onset"),
        (("L1", "lampsFailure", AT, ""), "did you mean lampFailure? write one of lampFailure, lampUnexpectedOn, "),
        (("L1", "alienAbduction", AT, ""), "fault is 'alienAbduction': write one of lampFailure, "),
    ],
)
def test_mistakes_in_labels_are_told_by_line(tmp_path: Path, row: tuple[str, ...], told: str) -> None:
    path = write(tmp_path / "labels.csv", LABELS, [("L1", "lampFailure", AT, ""), row])
    with pytest.raises(SettingsError) as refusal:
        read_labels(path, {"L1"})
    assert "labels.csv:3: " in str(refusal.value)
    assert told in str(refusal.value)


@pytest.mark.parametrize("name", ["LampFailure", "lamp_failure", "LAMP-FAILURE", "lamp failure"])
def test_names_of_faults_may_be_written_in_other_ways(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "labels.csv", LABELS[:3], [("L1", name, AT)])
    assert read_labels(path, {"L1"}) == [Label(START, "L1", "lampFailure")]


def test_events_of_talq_that_nobody_detects_may_be_labelled(tmp_path: Path) -> None:
    path = write(tmp_path / "labels.csv", LABELS, [("L1", "leakageDetected", AT, "")])
    assert read_labels(path, {"L1"}) == [Label(START, "L1", "leakageDetected")]


def test_labels_are_read_from_what_the_simulator_writes(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text(f'[{{"fault": "lampFailure", "asset": "L1", "onset": "{AT}", "end": null}}]', encoding="utf-8")
    assert read_labels(path, {"L1"}) == [Label(START, "L1", "lampFailure")]
    for text in ("{}", "[1]", "[{}]", "[", '{"a":' * 3):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(SettingsError, match=r"labels\.json"):
            read_labels(path, {"L1"})
