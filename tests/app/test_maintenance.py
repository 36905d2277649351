"""`citynerve maintenance` on a real database."""

import json
from pathlib import Path

from tests.app.world import called, refusal, write_pack


def test_works_are_announced_listed_ended_and_brought_back(database_url: str, tmp_path: Path) -> None:
    env = {
        "CITYNERVE_DATABASE_URL": database_url,
        "CITYNERVE_CITY": str(write_pack(tmp_path / "city")),
        "CITYNERVE_SPEED": "1",
    }
    called("setup", env=env)
    assert json.loads(called("maintenance", "list", "--json", env=env).stdout) == []
    words = ("maintenance", "announce", "cabinet", "CM-1", "--to", "2199-01-01T12:00", "--why", "new contactor")
    assert "92 days at most" in refusal(called(*words, env=env), 1)
    begin = ("--from", "2198-12-31T08:00")
    assert json.loads(called(*words, *begin, "--json", env=env).stdout) == {"id": 1}
    (one,) = json.loads(called("maintenance", "list", "--json", env=env).stdout)
    assert (one["state"], one["from"]) == ("planned", "2198-12-31T07:00:00Z")
    assert "withdraw it" in refusal(called("maintenance", "end", "1", env=env), 1)
    assert "withdrawn" in called("maintenance", "withdraw", "1", env=env).stdout
    assert "nobody has announced works" in called("maintenance", "list", env=env).stdout
    assert json.loads(called("maintenance", "reinstate", "1", "--json", env=env).stdout)["state"] == "planned"
