"""The dashboard as code: sound, and asking only for what processes really tell and the database really has."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from app.metrics import describe
from tests.deploy.conftest import ROOT, RunningCity, tool
from tests.support.exposition import families

GRAFANA = ROOT / "deploy" / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
WRITTEN_BY_PROMETHEUS = {"up", "ALERTS"}
LABELS_OF_PROMETHEUS = {"job", "instance", "service", "le", "alertstate", "alertname"}


def dashboard(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


PANELS = [
    pytest.param(panel, id=f"{path.stem}: {panel['title']}")
    for path in DASHBOARDS
    for panel in dashboard(path)["panels"]
    if panel["type"] != "row"
]
EXPRESSIONS = [
    t["expr"] for path in DASHBOARDS for p in dashboard(path)["panels"] for t in p.get("targets", ()) if "expr" in t
]
ALERTS = [
    rule["expr"] for rule in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
]


def sources() -> dict[str, str]:
    """Return type by uid of the data sources."""
    found = yaml.safe_load((GRAFANA / "provisioning/datasources/citynerve.yml").read_text())
    assert found["apiVersion"] == 1
    return {one["uid"]: one["type"] for one in found["datasources"]}


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboard_is_sound(path: Path) -> None:
    found = dashboard(path)
    assert re.fullmatch(r"[a-z0-9-]{1,40}", found["uid"])
    assert (found["editable"], found["schemaVersion"] >= 39) == (False, True)
    panels = found["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert 0 < place["w"] <= 24 - place["x"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies over another"
        taken |= cells


@pytest.mark.parametrize("panel", PANELS)
def test_panel_asks_a_source_that_is_provisioned(panel: dict[str, Any]) -> None:
    known = sources()
    assert panel["targets"]
    for target in (panel, *panel["targets"]):
        assert known[target["datasource"]["uid"]] == target["datasource"]["type"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_rows_follow_the_way_of_a_reading() -> None:
    (found,) = [dashboard(path) for path in DASHBOARDS if path.stem == "pipeline"]
    rows = [panel["title"].partition(":")[0] for panel in found["panels"] if panel["type"] == "row"]
    assert rows == ["In", "Lag", "Stored", "Quarantine", "Detection", "Tickets", "API and pages", "Processes"]


def test_prometheus_understands_every_expression(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "1m")}
        for number, expression in enumerate(EXPRESSIONS)
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        [tool("promtool"), "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def names_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:citynerve|process)_\w+", expression))


def test_every_metric_asked_for_is_told_by_a_running_process(running_city: RunningCity) -> None:
    told = set[str]().union(*(families(port) for port in running_city.ports.values()))
    asked = set[str]().union(*(names_in(expression) for expression in (*EXPRESSIONS, *ALERTS)))
    assert asked - told == set()
    # And each process tells all that the document says of it, no less.
    for process, instruments in describe().items():
        for role in process.split(", ") if process else running_city.ports:
            assert {i.name for i in instruments} <= families(running_city.ports[role], endings=False), role


def test_labels_asked_for_are_those_of_the_metrics() -> None:
    labels = {instrument.name: set(instrument.labels) for found in describe().values() for instrument in found}
    for expression in (*EXPRESSIONS, *ALERTS):
        known = set(LABELS_OF_PROMETHEUS)
        for name in names_in(expression):
            known |= labels.get(re.sub(r"_(bucket|sum|count)$", "", name), labels.get(name, set()))
        asked = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in group.split(",")}
        asked |= {
            label for inside in re.findall(r"\{([^}]*)\}", expression) for label in re.findall(r"(\w+)\s*[=!]", inside)
        }
        assert asked <= known, expression


QUERIES = [
    pytest.param(target["rawSql"], id=panel["title"])
    for path in DASHBOARDS
    for panel in dashboard(path)["panels"]
    for target in panel.get("targets", ())
    if "rawSql" in target
]


def make_role(url: str, password: str) -> str:
    """Run what the compose file gives psql; return the role's own URL."""
    text = (ROOT / "deploy" / "timescale" / "grafana.sql").read_text()
    statements = "\n".join(line for line in text.splitlines() if not line.startswith("\\"))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statements.replace(":'password'", f"'{password}'"))  # type: ignore[call-overload]
    return re.sub(r"//[^@/]*@", f"//grafana:{password}@", url)


@pytest.fixture
def as_grafana(database_url: str) -> str:
    make_role(database_url, "first")
    # As after an upgrade.
    return make_role(database_url, "second")


@pytest.mark.parametrize("query", QUERIES)
def test_queries_run_on_the_real_schema_with_the_rights_of_their_role(as_grafana: str, query: str) -> None:
    filled = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN now() - interval '6 hours' AND now()", query)
    assert "$" not in filled
    with psycopg.connect(as_grafana) as connection:
        cursor = connection.execute(filled)  # type: ignore[call-overload]
        columns = [column.name for column in cursor.description]
        assert len(set(columns)) == len(columns)
        cursor.fetchall()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM report_contacts",
        "SELECT description FROM reports",
        "SELECT description FROM tickets",
        "SELECT payload FROM dead_letters",
        "SELECT state FROM checkpoints",
        "DELETE FROM ledger",
        "CREATE TABLE mine ()",
    ],
)
def test_role_of_the_dashboard_sees_no_citizens_words_and_changes_nothing(as_grafana: str, statement: str) -> None:
    refused = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)
    with psycopg.connect(as_grafana) as connection, pytest.raises(refused):
        connection.execute(statement)  # type: ignore[call-overload]


def test_provisioning_finds_what_the_compose_file_mounts(compose: dict[str, Any]) -> None:
    grafana = compose["services"]["grafana"]
    mounts = {volume.split(":")[1] for volume in grafana["volumes"]}
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/citynerve.yml").read_text())["providers"]
    assert provider["options"]["path"] in mounts
    assert "/etc/grafana/provisioning" in mounts
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (GRAFANA / "dashboards" / home.rpartition("/")[2]).exists()
    found = yaml.safe_load((GRAFANA / "provisioning/datasources/citynerve.yml").read_text())["datasources"]
    for source in found:
        host = re.sub(r"^\w+://", "", source["url"]).partition(":")[0]
        assert host in compose["services"]
        for secret in source.get("secureJsonData", {}).values():
            assert secret.startswith("$")
            assert secret[1:] in grafana["environment"]


def test_public_site_of_the_running_city_has_no_metrics(running_city: RunningCity) -> None:
    assert families(running_city.pages_port) == set()
