"""What the pages of `docs/formats/` show, for the tests that run it."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs" / "formats"


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of one language in a page."""
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
