"""Prometheus' files under the real promtool: accepted, and every alert fires when it should and not before."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.conftest import ROOT, tool

FOLDER = ROOT / "deploy" / "prometheus"
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]

RUNNING = {
    f'citynerve_build_info{{process="{process}"}}': "1+0x60" for process in ("ingest", "store", "detect", "desk", "api")
}
HEALTHY = {
    **RUNNING,
    'up{job="citynerve",service="store",instance="a"}': "1+0x60",
    "citynerve_ingest_listening": "1+0x60",
    "citynerve_ingest_messages_total": "0+600x60",
    "citynerve_ingest_readings_total": "0+60000x60",
    'citynerve_ingest_quarantined_total{reason="unknown-device"}': "0+60x60",
    'citynerve_ingest_quarantined_total{reason="wrong-gateway"}': "3+0x60",
    "citynerve_credentials_behind": "0+0x60",
    "citynerve_credentials_to_rotate": "0+0x60",
    "citynerve_ingest_append_failures_total": "0+0x60",
    "citynerve_ingest_broker_dropped_messages": "12+0x20 _x3 12+0x40",
    "citynerve_ingest_broker_deaths_total": "1+0x60",
    "citynerve_ingest_missing_processes": "0+0x60",
    'citynerve_worker_lag_city_seconds{group="store",partition="0"}': "600+0x60",
    "citynerve_city_clock_speed": "60+0x60",
    'citynerve_worker_checkpoint_age_seconds{group="store"}': "2+0x60",
    'citynerve_worker_restarts_total{group="store"}': "0+0x60",
    'citynerve_correlate_waiting_batches{partition="0"}': "12+0x60",
    "citynerve_rollups_lag_seconds": "5+0x60",
    "citynerve_desk_outbox_lag_seconds": "1+0x60",
    'citynerve_api_requests_total{route="/",method="GET",status="200"}': "0+600x60",
    'citynerve_api_request_seconds_bucket{route="/",method="GET",le="0.05"}': "0+600x60",
    'citynerve_api_request_seconds_bucket{route="/",method="GET",le="2.5"}': "0+600x60",
    'citynerve_api_request_seconds_bucket{route="/",method="GET",le="+Inf"}': "0+600x60",
}
"""A city that goes well; a point a minute."""

TROUBLE: dict[str, dict[str, str | None]] = {
    "ProcessGone": {'citynerve_build_info{process="detect"}': None},
    "ProcessDoesNotAnswer": {'up{job="citynerve",service="store",instance="b"}': "0+0x60"},
    "BrokerOutOfReach": {"citynerve_ingest_listening": "0+0x60"},
    "BrokerDrops": {"citynerve_ingest_broker_dropped_messages": "12+0x35 20+0x30"},
    "NothingArrives": {"citynerve_ingest_messages_total": "900+0x60"},
    "LogDoesNotTake": {"citynerve_ingest_append_failures_total": "0+1x60"},
    "MuchQuarantined": {'citynerve_ingest_quarantined_total{reason="unknown-device"}': "0+6000x60"},
    "BrokerDied": {"citynerve_ingest_broker_deaths_total": "1+0x30 2+0x30"},
    "IngestProcessMissing": {"citynerve_ingest_missing_processes": "1+0x60"},
    "GatewayIsolated": {"citynerve_ingest_isolated_gateways": "1+0x60"},
    "GatewaySpeaksForOthers": {'citynerve_ingest_quarantined_total{reason="wrong-gateway"}': "3+1x60"},
    "CredentialsNotTold": {"citynerve_credentials_behind": "1+0x60"},
    "CredentialsToRotate": {"citynerve_credentials_to_rotate": "2+0x60"},
    "WorkerBehind": {'citynerve_worker_lag_city_seconds{group="detect",partition="3"}': "9000+0x60"},
    "CheckpointOld": {'citynerve_worker_checkpoint_age_seconds{group="store"}': "300+0x60"},
    "WorkerKeepsRestarting": {'citynerve_worker_restarts_total{group="store"}': "0+2x60"},
    "CorrelationWaits": {'citynerve_correlate_waiting_batches{partition="0"}': "6000+0x60"},
    "RollupsBehind": {"citynerve_rollups_lag_seconds": "1200+0x60"},
    "TicketsNotTold": {"citynerve_desk_outbox_lag_seconds": "400+0x60"},
    "PagesFail": {'citynerve_api_requests_total{route="/",method="GET",status="500"}': "0+30x60"},
    "PagesSlow": {'citynerve_api_request_seconds_bucket{route="/",method="GET",le="0.05"}': "0+0x60"},
}


def promtool(*words: str, cwd: Path = FOLDER) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([tool("promtool"), *words], cwd=cwd, capture_output=True, text=True, check=False)


def test_configuration_and_rules_are_accepted() -> None:
    for words in (("check", "config", "--lint=all", "prometheus.yml"), ("check", "rules", "--lint=all", "alerts.yml")):
        done = promtool(*words)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_process_of_the_compose_file_is_scraped(compose: dict[str, Any]) -> None:
    configuration = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    names = configuration["scrape_configs"][0]["dns_sd_configs"][0]["names"]
    ours = {name for name, service in compose["services"].items() if "build" in service} - {"setup"}
    assert set(names) == ours
    port = configuration["scrape_configs"][0]["dns_sd_configs"][0]["port"]
    assert all(str(compose["services"][n]["environment"]["CITYNERVE_METRICS_PORT"]) == str(port) for n in names)


def test_every_alert_is_tried_here_and_says_what_to_do() -> None:
    assert {rule["alert"] for rule in RULES} == set(TROUBLE)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "warn")
        assert set(rule["annotations"]) == {"summary", "action"}
    document = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    assert {alert for alert in TROUBLE if f"`{alert}`" not in document} == set()


@pytest.fixture(scope="module")
def firing(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What promtool says of the whole table: every trouble, and a city that goes well."""
    folder = tmp_path_factory.mktemp("alerts")
    tests = [_case(name, series, {name}) for name, series in TROUBLE.items()] + [_case("well", {}, set())]
    text = yaml.safe_dump({"rule_files": [str(FOLDER / "alerts.yml")], "evaluation_interval": "1m", "tests": tests})
    (folder / "tests.yml").write_text(text)
    done = promtool("test", "rules", "tests.yml", cwd=folder)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _case(name: str, trouble: dict[str, str | None], expected: set[str]) -> dict[str, Any]:
    series = {s: values for s, values in {**HEALTHY, **trouble}.items() if values is not None}
    samples = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(expected)]
    query = 'group by (alertname) (ALERTS{alertstate="firing"})'
    # Nothing fires at once: an alert waits for its `for`, or for a rate to have two points.
    at_first = {"expr": query, "eval_time": "0m", "exp_samples": []}
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": s, "values": values} for s, values in series.items()],
        "promql_expr_test": [at_first, {"expr": query, "eval_time": "45m", "exp_samples": samples}],
    }


def test_each_alert_fires_for_its_trouble_alone_and_none_in_a_city_that_goes_well(firing: str) -> None:
    assert firing == ""


def test_actions_name_commands_and_services_that_exist(compose: dict[str, Any]) -> None:
    for rule in RULES:
        for command in re.findall(r"docker compose logs --tail 50 ([a-z ]+)", rule["annotations"]["action"]):
            assert set(command.split()) - {"names", "the", "partition"} <= set(compose["services"]), command
