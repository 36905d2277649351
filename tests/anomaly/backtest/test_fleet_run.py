"""A fleet that others recorded: files in, score out."""

import tracemalloc
from pathlib import Path

import pytest

from anomaly.backtest import fleet_readings, spill
from anomaly.backtest.fleet_run import FleetOptions, FleetResult, run_fleet
from city.clock import DAY_US, HOUR_US, SECOND_US, isoformat
from tests.anomaly.backtest.world import (
    ASSETS,
    LABELS,
    RATED_W,
    READINGS,
    START,
    SUN,
    Files,
    Row,
    asset_rows,
    healthy,
    lamps,
    write,
    write_fleet,
)

DARK = "F1-L2"
ONSET, END = START + DAY_US, START + 2 * DAY_US
LABEL = (DARK, "lampFailure", isoformat(ONSET), isoformat(END))


def one_dark(lamp: str, at: int, on: bool) -> float | None:
    return 0.3 if lamp == DARK and ONSET <= at < END else healthy(lamp, at, on)


def run(files: Files) -> FleetResult:
    return run_fleet(files.assets, files.readings, files.labels, lambda *_: None, FleetOptions(-0.833))


def outcome(result: FleetResult) -> list[tuple[str, str, int, int | None]]:
    return [(t.fault, t.asset, t.raised_us, t.cleared_us) for t in result.scored.book.tickets()]


def test_a_dead_lamp_is_found_and_sound_ones_are_left_alone(tmp_path: Path) -> None:
    result = run(write_fleet(tmp_path, one_dark, [LABEL]))
    (found,) = result.scored.verdict.found
    assert (found.ticket.asset, found.ticket.fault) == (DARK, "lampFailure")
    # Noon is no time at which it could show: what counts is the first reading after dusk.
    assert found.shown_us > ONSET + 4 * HOUR_US
    assert 0 < found.delay_us < 2 * HOUR_US
    assert result.scored.verdict.false == []
    assert result.scored.tally.lamp_years == pytest.approx(12 * 3 / 365.25, rel=0.01)


def test_what_is_not_labelled_is_false_and_what_is_not_found_is_missed(tmp_path: Path) -> None:
    wrong_name = (DARK, "lampUnexpectedOn", isoformat(ONSET), "")
    other = ("F0-L1", "lampFailure", isoformat(ONSET), isoformat(END))
    verdict = run(write_fleet(tmp_path, one_dark, [wrong_name, other])).scored.verdict
    assert [label.asset for label in verdict.missed] == ["F0-L1"]
    # Nothing burns by day on a feeder that is dead by then: nobody could find that.
    assert [label.fault for label in verdict.unobservable] == ["lampUnexpectedOn"]
    (wrong,) = verdict.false
    assert wrong.ticket.fault == "lampFailure"
    assert wrong.beside is not None
    assert wrong.beside.fault == "lampUnexpectedOn"


def test_a_dark_feeder_is_one_ticket(tmp_path: Path) -> None:
    dusk, dawn = ONSET + 6 * HOUR_US, ONSET + 17 * HOUR_US

    def outage(lamp: str, at: int, on: bool) -> float | None:
        return None if lamp.startswith("F0") and dusk <= at < dawn else healthy(lamp, at, on)

    label = ("F0", "supplyLoss", isoformat(dusk), isoformat(dawn))
    scored = run(write_fleet(tmp_path, outage, [label])).scored
    assert [one.label.asset for one in scored.verdict.found] == ["F0"]
    assert scored.verdict.false == []
    assert (scored.tally.outages, scored.tally.outages_single) == (1, 1)


def test_failures_side_by_side_on_one_feeder_stay_separate(tmp_path: Path) -> None:
    dark = {"F0-L1", "F0-L4"}

    def two_dark(lamp: str, at: int, on: bool) -> float | None:
        return 0.3 if lamp in dark and ONSET <= at < END else healthy(lamp, at, on)

    labels = [(lamp, "lampFailure", isoformat(ONSET), isoformat(END)) for lamp in sorted(dark)]
    tally = run(write_fleet(tmp_path, two_dark, labels)).scored.tally
    assert (tally.groups, tally.groups_separate) == (1, 1)


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    straight = run(write_fleet(tmp_path / "straight", one_dark, [LABEL]))
    shuffled = run(write_fleet(tmp_path / "shuffled", one_dark, [LABEL], shuffled=3))
    assert outcome(shuffled) == outcome(straight)
    assert len(outcome(straight)) == 1


def test_a_large_file_passes_in_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A day at a time, in pieces of 64 kB: eighty days must not cost more than forty.
    monkeypatch.setattr(fleet_readings, "_BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr(spill, "ROWS_MAX", 2_000)
    peaks = []
    for days in (40, 80):
        files = write_fleet(tmp_path / str(days), days=days)
        run(files)
        tracemalloc.start()
        result = run(files)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert result.scored.readings == result.report.rows
    assert result.report.rows > 140_000
    assert peaks[1] < 1.2 * peaks[0]


def test_readings_without_a_time_of_receipt_were_received_when_they_were_made(tmp_path: Path) -> None:
    files = write_fleet(tmp_path, one_dark, [LABEL])
    lines = files.readings.read_text(encoding="utf-8").splitlines()
    bare = [lines[0], *(",".join([*(c := line.split(","))[:3], "", c[4]]) for line in lines[1:])]
    files.readings.write_text("\n".join(bare), encoding="utf-8")
    assert [ticket[:2] for ticket in outcome(run(files))] == [("lampFailure", DARK)]


def test_every_lamp_of_the_files_is_watched(tmp_path: Path) -> None:
    result = run(write_fleet(tmp_path, days=0.5))
    assert result.scored.fleet.lamps == len(lamps()) == len(asset_rows())


def test_a_feeder_that_stays_off_is_one_ticket_where_lamps_count_their_hours_alone(tmp_path: Path) -> None:
    onset, end = START + 8 * DAY_US, START + 11 * DAY_US
    rows: list[Row] = []
    on, off = SUN.periods(START, START + 14 * DAY_US)
    for number, (lamp, feeder, _) in enumerate(lamps()):
        hours, switch_ons = 400.0 + 31.7 * number, 200
        for dusk, dawn in zip(on.tolist(), off.tolist(), strict=True):
            dead = feeder == "F0" and onset <= dusk < end
            switch_ons += not dead
            for share in (0.15, 0.4, 0.65, 0.9):
                at = dusk + int(share * (dawn - dusk)) + number * 40 * SECOND_US
                burned = 0.0 if dead else (at - dusk) / HOUR_US
                told = (isoformat(at), isoformat(at + 2 * SECOND_US))
                rows.append((lamp, "operating_hours_h", *told, round(hours + burned, 1)))
                rows.append((lamp, "switch_on_count", *told, switch_ons))
                rows.append((lamp, "active_energy_kwh", *told, round((hours + burned) * RATED_W / 1000, 2)))
            hours += 0.0 if dead else (dawn - dusk) / HOUR_US
    assets = [(*cells[:-1], 21_600) for cells in asset_rows()]
    label = ("F0", "switchingErrorOff", isoformat(onset), isoformat(end))
    files = Files(
        write(tmp_path / "assets.csv", ASSETS, assets),
        write(tmp_path / "readings.csv", READINGS, rows),
        write(tmp_path / "labels.csv", LABELS, [label]),
    )
    verdict = run(files).scored.verdict
    assert [(one.label.asset, one.ticket.fault) for one in verdict.found] == [("F0", "switchingErrorOff")]
    assert verdict.false == []
    assert verdict.found[0].ticket.cleared_us is not None
