"""`citynerve backtest` as an operator runs it."""

import json
from pathlib import Path

from city.clock import DAY_US, isoformat
from tests.anomaly.backtest.world import START, Files, healthy, write_fleet
from tests.app.world import called, write_pack

DARK = "F1-L2"
ONSET, END = START + DAY_US, START + 2 * DAY_US
LABELS = [
    (DARK, "lampFailure", isoformat(ONSET), isoformat(END)),
    ("F0-L3", "flicker", isoformat(ONSET), isoformat(END)),
]


def one_dark(lamp: str, at: int, on: bool) -> float | None:
    return 0.3 if lamp == DARK and ONSET <= at < END else healthy(lamp, at, on)


def words(files: Files, *more: str) -> tuple[str, ...]:
    three = ("--assets", str(files.assets), "--readings", str(files.readings), "--labels", str(files.labels))
    return ("backtest", *three, *more)


def test_json_says_what_was_found_what_was_missed_and_what_the_files_had(tmp_path: Path) -> None:
    files = write_fleet(tmp_path, one_dark, LABELS)
    with files.readings.open("a", encoding="utf-8") as file:
        file.write(f"F0-L0,brightness,{isoformat(ONSET)},,3\n")
    done = called(*words(files, "--json", "--show", "5"), env={"CITYNERVE_DATA": str(tmp_path / "data")})
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    faults = {row["fault"]: row for row in answer["faults"]}
    assert (faults["lampFailure"]["found"], faults["lampFailure"]["observable"]) == (1, 1)
    assert (faults["flicker"]["found"], faults["flicker"]["observable"]) == (0, 1)
    assert answer["found"] == 0.5
    assert answer["missed"] == [
        {"fault": "flicker", "asset": "F0-L3", "onset": isoformat(ONSET), "end": isoformat(END)}
    ]
    assert answer["false_tickets"] == 0
    assert answer["false_per_lamp_year"]["upper_bound_95"] > 0
    assert answer["read"]["unknown_metrics"] == {"brightness": 1}


def test_people_get_a_table_a_picture_and_what_was_skipped(tmp_path: Path) -> None:
    files = write_fleet(tmp_path, one_dark, LABELS)
    with files.readings.open("a", encoding="utf-8") as file:
        file.write(f"F0-L0,brightness,{isoformat(ONSET)},,3\n")
    picture = tmp_path / "found.png"
    env = {"CITYNERVE_DATA": str(tmp_path / "data")}
    done = called(*words(files, "--plot", str(picture), "--show", "5"), env=env)
    assert done.returncode == 0, done.stderr
    assert "lampFailure" in done.stdout
    assert "missed: flicker F0-L3" in done.stdout
    assert "brightness (1)" in done.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_makes_no_sense_ends_with_2_and_one_sentence(tmp_path: Path) -> None:
    files = write_fleet(tmp_path, days=0.1)
    env = {"CITYNERVE_DATA": str(tmp_path / "data")}
    half = called("backtest", "--assets", str(files.assets), env=env)
    assert (half.returncode, half.stderr.count("\n")) == (2, 1)
    files.labels.write_text("asset,fault,onset,end\nnobody,lampFailure,2026-11-24T00:00:00Z,\n", encoding="utf-8")
    unknown = called(*words(files), env=env)
    assert unknown.returncode == 2
    assert "labels.csv:2: 'nobody' is no asset" in unknown.stderr
    nowhere = called(*words(write_fleet(tmp_path, days=0.1), "--plot", str(tmp_path / "none" / "x.png")), env=env)
    assert nowhere.returncode == 2
    assert "cannot be written" in nowhere.stderr


def test_faults_can_be_planted_into_what_was_recorded(tmp_path: Path) -> None:
    files = write_fleet(tmp_path, days=36)
    env = {"CITYNERVE_DATA": str(tmp_path / "data")}
    three = ("backtest", "--assets", str(files.assets), "--readings", str(files.readings), "--json")
    done = called(*three, "--inject", "gap", "--seed", "3", env=env)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    (row,) = [row for row in answer["faults"] if row["observable"]]
    # One for each lamp of the permanent feeder: those of the other say the same in every message, and have no spread.
    assert (row["fault"], row["observable"]) == ("communicationFailure", 6)
    assert row["found"] + row["folded"] >= 5
    refused = called(*three, "--inject", "gaps", env=env)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


def test_the_log_of_an_installation_is_scored(database_url: str, tmp_path: Path) -> None:
    env = {
        "CITYNERVE_DATABASE_URL": database_url,
        "CITYNERVE_DATA": str(tmp_path / "data"),
        "CITYNERVE_CITY": str(write_pack(tmp_path / "city")),
    }
    assert called("setup", env=env).returncode == 0
    nothing = called("backtest", env=env)
    assert (nothing.returncode, nothing.stderr.count("\n")) == (2, 1)
    assert "give --labels" in nothing.stderr
    empty = called("backtest", "--inject", "gap", env=env)
    assert (empty.returncode, empty.stderr.count("\n")) == (2, 1)
    assert "the log holds no readings" in empty.stderr
