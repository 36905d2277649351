"""Lines of CSV files: a stray quote costs its own line, and nothing else."""

import csv
from collections.abc import Iterator
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.playlines import ROW_LINES_MAX, BadRows, csv_rows


def read(text: str) -> tuple[list[tuple[int, list[str]]], BadRows]:
    bad = BadRows()
    return list(csv_rows(StringIO(text, newline=""), ",", bad)), bad


def test_a_field_may_span_some_lines_and_rows_keep_the_number_of_their_first() -> None:
    rows, bad = read('a,b\n1,"x\ny, ""z"""\n2,w\n')
    assert rows == [(1, ["a", "b"]), (2, ["1", 'x\ny, "z"']), (4, ["2", "w"])]
    assert bad.count == 0


def test_as_many_lines_as_allowed_are_one_row_and_one_more_is_none() -> None:
    fits = "\n".join(["x"] * ROW_LINES_MAX)
    rows, bad = read(f'a,b\n1,"{fits}"\n2,w\n')
    assert [line for line, _ in rows] == [1, 2, 2 + ROW_LINES_MAX]
    assert bad.count == 0
    rows, bad = read(f'a,b\n1,"{fits}\nx"\n2,w\n')
    assert rows[-1] == (3 + ROW_LINES_MAX, ["2", "w"])
    assert bad.noted[0][0] == 2


@pytest.mark.parametrize("row", ['"5,1', '5,"1', '"', '5,1,"', '5,"1"1', '5,"1""'])
@pytest.mark.parametrize("place", [1, 700, 980, 998])
def test_a_stray_quote_costs_its_own_line_alone(row: str, place: int) -> None:
    lines = [f"{number},{number % 7}" for number in range(1000)]
    lines[place] = row
    rows, bad = read("a,b\n" + "\n".join(lines) + "\n")
    assert [line for line, _ in rows] == [1, *(n + 2 for n in range(1000) if n != place)]
    assert [line for line, _ in bad.noted] == [place + 2]


@pytest.mark.parametrize("gap", [1, 5, 30])
def test_a_stray_quote_before_a_quoted_field_costs_its_own_line_alone(gap: int) -> None:
    lines = ["1,2"] * 100
    lines[10], lines[10 + gap] = '1,"2', '1,"2"'
    rows, bad = read("a,b\n" + "\n".join(lines) + "\n")
    assert len(rows) == 100
    assert [line for line, _ in bad.noted] == [12]


def test_a_row_of_several_lines_with_another_number_of_fields_gives_its_lines_back() -> None:
    rows, bad = read('a,b,c\n1,2,"3\n4,5,6\n7,",9\n10,11,12\n')
    assert [line for line, _ in rows] == [1, 3, 5]
    assert [line for line, _ in bad.noted] == [2, 4]


def test_a_file_that_breaks_off_within_quotes_loses_the_opening_line_alone() -> None:
    def text() -> Iterator[str]:
        yield from ("a,b\n", '1,"2\n', "3,4\n", "5,6\n")
        raise EOFError("it ended")

    bad = BadRows()
    assert [line for line, _ in csv_rows(text(), ",", bad)] == [1, 3, 4]
    assert [line for line, _ in bad.noted] == [2, 5]
    assert "breaks off here (it ended)" in bad.noted[1][1]


@given(st.lists(st.text('ab,"\n', max_size=8), max_size=60))
def test_no_line_is_lost_or_read_twice(fields: list[str]) -> None:
    """Every line is in a row or noted, whatever quotes do."""
    text = "\n".join(fields)
    rows, bad = read(text)
    starts = sorted([*(line for line, _ in rows), *(line for line, _ in bad.noted)])
    assert starts == sorted(set(starts))
    assert not text or starts[0] == 1
    total = len(StringIO(text, newline="").readlines())
    spans = {line: 1 + sum(cell.count("\n") for cell in row) for line, row in rows}
    assert sum(spans.values()) + bad.count == total


@given(st.lists(st.lists(st.text("ab,\"'\r\n ;", max_size=6), min_size=3, max_size=3), min_size=1, max_size=30))
def test_good_files_are_read_as_the_csv_module_reads_them(table: list[list[str]]) -> None:
    out = StringIO(newline="")
    csv.writer(out).writerows(table)
    rows, bad = read(out.getvalue())
    assert [row for _, row in rows] == table
    assert bad.count == 0
