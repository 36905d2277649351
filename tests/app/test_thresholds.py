"""`citynerve thresholds` on a real database: it says what verdicts speak for, and changes nothing."""

import json
from pathlib import Path

from tests.app.world import called, write_pack


def test_thresholds_are_told_with_what_stands_against_a_proposal(database_url: str, tmp_path: Path) -> None:
    env = {
        "CITYNERVE_DATABASE_URL": database_url,
        "CITYNERVE_CITY": str(write_pack(tmp_path / "city")),
        "CITYNERVE_SPEED": "1",
    }
    called("setup", env=env)
    found = {one["key"]: one for one in json.loads(called("thresholds", "--json", env=env).stdout)}
    assert (found["dark_below"]["current"], found["dark_below"]["proposed"]) == (0.2, None)
    assert {one["why"] for one in found.values()} == {"not-enough-verdicts"}
    table = called("thresholds", env=env).stdout
    assert "dark_below" in table
    assert "faults.toml" not in table
