from pathlib import Path

import pytest

from storage import queries

ROOT = Path(__file__).resolve().parents[2]


def test_statements_are_found_by_name_with_their_comment(tmp_path: Path) -> None:
    path = tmp_path / "some.sql"
    path.write_text("-- About the file.\n\n-- name: one\n-- Counts.\nSELECT 1;\n\n-- name: two\nSELECT '-- name: x';\n")
    loaded = queries.load(path)
    assert loaded.one == "-- Counts.\nSELECT 1"
    assert loaded.two == "SELECT '-- name: x'"


def test_unknown_name_is_our_bug_and_says_where(tmp_path: Path) -> None:
    path = tmp_path / "some.sql"
    path.write_text("-- name: one\nSELECT 1")
    with pytest.raises(AttributeError, match=r"some\.sql names no statement 'three'"):
        _ = queries.load(path).three
