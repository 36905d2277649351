"""What the developers' page tells is true: its examples are run as they are shown."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import playwright
import pytest

from city.integration import Routes
from ingest.formats import native
from portals_api.participa.developers import EXAMPLES, MQTT
from tests.browser.conftest import Site, city_url, site
from tests.portals_api.conftest import Open
from tests.support.servers import unavailable
from tests.support.small_city import run

__all__ = ["city_url", "site"]

NODE = Path(playwright.__file__).parent / "driver" / "node"


def shown(site: Site) -> dict[str, str]:
    """Return the examples by file, as the running page shows them."""
    with urlopen(Request(f"{site.url}/developers", headers={"Accept": "application/json"})) as answer:
        return {one["file"]: one["code"] for one in json.load(answer)["examples"]}


def carry_out(folder: Path, name: str, code: str) -> str:
    file = folder / name
    file.write_text(code)
    if shutil.which("curl") is None:
        unavailable("no curl: install Debian's package `curl`")
    command = {".sh": "bash", ".py": sys.executable, ".mjs": str(NODE)}[file.suffix]
    done = subprocess.run([command, str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_runs_as_it_is_shown(site: Site, tmp_path: Path) -> None:
    code = shown(site)
    said = {one.file: carry_out(tmp_path, one.file, code[one.file]) for one in EXAMPLES}
    assert 1 <= len(json.loads(said["faults.sh"])["items"]) <= 5
    assert said["figures.sh"].splitlines()[0] == "figure,district,from,to,value,unit,part,whole,why"
    assert json.loads(said["report.sh"])["repeated"] is False
    assert json.loads(carry_out(tmp_path, "report.sh", code["report.sh"]))["repeated"] is True
    assert "Calle Uno" in said["lamps.py"]
    assert said["follow.py"].splitlines()[-1] == "again: None"
    assert "Farola" in said["follow.py"] or "lamp" in said["follow.py"].lower()
    assert said["status.mjs"].startswith("Colegio Uno hours unknown")


def test_the_mqtt_example_is_a_message_that_we_understand() -> None:
    code = MQTT.code("", "")
    topic = code.split("--topic '")[1].split("'")[0]
    payload = code.split("--message '")[1].split("'")[0]
    message = native.parse(Routes().origin_of(topic), payload.encode())
    assert [one.device for one in message.objects] == ["N-L-1"]
    assert message.refused == {}


@pytest.mark.usefixtures("data")
def test_the_page_lists_every_address_of_the_description(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            told = (await p.http.get("/developers", headers={"Accept": "application/json"})).json()
            description = await p.json(told["openapi"])
            assert {one["path"] for one in told["addresses"]} == set(description["paths"])
            assert all(one["summary"] for one in told["addresses"])
            page = (await p.http.get("/developers", headers={"Accept": "text/html"})).text
            assert "http://localhost/api/v1/tickets" in page

    run(main())


def test_any_web_page_may_read_open_data_but_not_what_a_crew_sees(portals: Open) -> None:
    async def main() -> None:
        async with portals(crew_without_account=False) as p:
            for path in ("/api/v1/tickets", "/feeds/district/centre.atom"):
                headers = (await p.http.get(path, headers={"Origin": "https://elsewhere.example"})).headers
                assert headers["access-control-allow-origin"] == "*"
                assert headers["cross-origin-resource-policy"] == "cross-origin"
            assert "access-control-allow-origin" not in (await p.http.get("/tickets")).headers
            posted = await p.http.post("/api/v1/reports", json={}, headers={"Origin": "https://elsewhere.example"})
            assert posted.status_code == 403
            assert "access-control-allow-origin" not in posted.headers
        async with portals(crew_without_account=True) as p:
            headers = (await p.http.get("/api/v1/tickets")).headers
            assert "access-control-allow-origin" not in headers
            assert headers["cross-origin-resource-policy"] == "same-origin"

    run(main())
