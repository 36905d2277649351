"""The page of promises names only tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_test_that_the_architecture_names_exists() -> None:
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    written = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        written |= set(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert len(named) > 30
    assert named - written == set()


def test_every_promise_names_the_test_that_shows_it() -> None:
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = page.split("| promise | shown by |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    assert len(table) > 30
    assert [row for row in table if not re.search(r"\| (`test_\w+`(, )?)+ \|$", row)] == []
