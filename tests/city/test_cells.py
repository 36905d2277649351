"""Cells of lists: harmless to whoever opens them in a spreadsheet, and the same when they are read again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.cells import as_meant, harmless


@pytest.mark.parametrize(
    "text", ["=1+1", "+A1", "-x", "@SUM(A1)", "\t=1", "\r=1", "-", "=cmd|' /C calc'!A0", "-5.6m", "-1-1"]
)
def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=b", "GW-1", "-5.6", "+34", "-1e-7", "43.5", "'n Huis", "'", "Calle 'Mayor'"])
def test_numbers_and_all_others_stay_as_they_are(text: str) -> None:
    assert harmless(text) == as_meant(text) == text


@given(st.text(alphabet="'=+-@1.e\ta", max_size=8) | st.text(max_size=20))
def test_whatever_is_written_is_read_again(text: str) -> None:
    assert as_meant(harmless(text)) == text
    assert harmless(text)[:1] not in ("=", "@")
