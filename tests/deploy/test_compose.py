"""The compose file: understood by docker-compose, hardened, and naming only settings that exist."""

import re
import tomllib
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.processes import ROLES
from app.settings import Settings, load_settings, variable
from tests.deploy.conftest import ROOT, Folder

ONE_SHOTS = {"setup", "grafana-role"}
SHOWN_TO_THE_WORLD = {"mosquitto"}


def test_without_its_first_step_it_says_what_that_is(deployment: Folder) -> None:
    done = deployment.compose("config")
    assert done.returncode != 0
    assert "run deploy/prepare.sh first" in done.stderr


def test_every_process_and_every_engine_is_there(compose: dict[str, Any]) -> None:
    engines = {"mosquitto", "kafka", "timescale", "prometheus", "grafana"}
    assert set(compose["services"]) == set(ROLES) | {"sim"} | engines | ONE_SHOTS
    for role in ROLES:
        assert compose["services"][role]["command"] == ["run", role]


def ours(compose: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {name: s["environment"] for name, s in compose["services"].items() if "build" in s}


def test_every_setting_named_exists_and_is_accepted(compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    known = {variable(name) for name in Settings.model_fields}
    assert set(ours(compose)) == set(ROLES) | {"sim", "setup"}
    for service, environment in ours(compose).items():
        assert set(environment) <= known
        with monkeypatch.context() as patch:
            for name in known:
                patch.delenv(name, raising=False)
            for name, value in environment.items():
                patch.setenv(name, str(value))
            settings = load_settings()
            assert settings.kafka == "kafka:9092"
            # Who does not speak with the broker does not hold a password for it.
            assert (str(settings.mqtt_url).startswith("mqtts://")) == (service in ("ingest", "sim"))
            assert str(settings.mqtt_admin_url).startswith("mqtts://") == (service == "ingest")
    everywhere = (ROOT / "docker-compose.yml").read_text() + (ROOT / ".env.example").read_text()
    assert set(re.findall(r"CITYNERVE_\w+", everywhere)) <= known


def test_everything_is_hardened_and_limited(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert not re.match(r"^(0|root)(:|$)", service["user"]), name
        assert float(service["cpus"]) > 0, name
        assert service["mem_limit"], name
        assert service["pids_limit"] > 0, name
        assert not service.get("privileged"), name
        assert not any("docker.sock" in str(volume) for volume in service.get("volumes", [])), name
        if name in ONE_SHOTS:
            assert service["restart"] == "no", name
        else:
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"], name
        tag = service["image"].rpartition(":")[2]
        assert "build" in service or re.search(r"\d+\.\d+\.\d+", tag), f"{name}: {service['image']} is no fixed version"


def test_only_the_brokers_door_for_devices_is_open_to_the_world(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            if name in SHOWN_TO_THE_WORLD:
                assert str(port).endswith(":8883:8883/tcp"), port
            else:
                assert str(port).startswith("127.0.0.1:"), f"{name}: {port}"
    networks = compose["networks"]
    assert {name for name, network in networks.items() if network and network.get("internal")} == {
        *("back", "log", "mqtt"),
    }
    for name in ("store", "detect", "desk", "setup"):
        assert set(compose["services"][name]["networks"]) == {"back", "log"}, name
    assert set(compose["services"]["timescale"]["networks"]) == {"back"}


def test_only_our_own_processes_see_the_log_which_asks_nobody_for_a_password(compose: dict[str, Any]) -> None:
    assert set(compose["services"]["kafka"]["networks"]) == {"log"}
    seeing = {name for name, service in compose["services"].items() if "log" in service["networks"]}
    assert seeing == {"kafka", "setup", *ROLES}


def test_the_broker_sees_ingest_and_the_simulator_and_nobody_else_sees_the_broker(compose: dict[str, Any]) -> None:
    # Who talks to devices sees neither database nor log.
    assert set(compose["services"]["mosquitto"]["networks"]) == {"devices", "mqtt"}
    on = {
        network: {name for name, service in compose["services"].items() if network in service["networks"]}
        for network in ("devices", "mqtt")
    }
    assert on == {"devices": {"mosquitto"}, "mqtt": {"mosquitto", "ingest", "sim"}}
    for name, user in (("ingest", "citynerve-ingest"), ("sim", "citynerve-sim")):
        url = urlsplit(compose["services"][name]["environment"]["CITYNERVE_MQTT_URL"])
        assert (url.scheme, url.username, url.hostname, url.port) == ("mqtts", user, "mosquitto", 8884)


def test_the_pages_believe_the_machines_own_web_server_and_no_other_container(compose: dict[str, Any]) -> None:
    (addresses,) = compose["networks"]["front"]["ipam"]["config"]
    assert ip_address(addresses["gateway"]) in ip_network(addresses["subnet"])
    believed = compose["services"]["api"]["environment"]["CITYNERVE_PROXIES"].split(",")
    assert believed == ["127.0.0.1", "::1", addresses["gateway"]]


def test_no_secret_stands_in_the_file(prepared: Folder) -> None:
    text = (prepared.path / "docker-compose.yml").read_text()
    for name, value in prepared.settings().items():
        if name.endswith(("PASSWORD", "_ID")):
            assert len(value) >= 22, name
            assert value not in text
    secret = re.findall(r"^\s+\S*PASSWORD\S*: (.*)$", text, re.M)
    assert secret
    assert all(re.fullmatch(r"\$\{[A-Z_]+:\?run deploy/prepare\.sh first\}", value) for value in secret), secret


def test_every_variable_that_is_asked_for_is_in_the_example_and_used(prepared: Folder) -> None:
    text = (prepared.path / "docker-compose.yml").read_text()
    asked = set(re.findall(r"\$\{([A-Z_]+)", text))
    assert asked - {"IMAGE_TAG"} == set(prepared.settings())


def test_kafka_leaves_retention_to_citynerve(compose: dict[str, Any]) -> None:
    kafka = compose["services"]["kafka"]["environment"]
    assert (int(kafka["KAFKA_LOG_RETENTION_MS"]), int(kafka["KAFKA_LOG_RETENTION_BYTES"])) == (-1, -1)
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert any(volume.endswith(":/var/lib/kafka/data:rw") for volume in compose["services"]["kafka"]["volumes"])


def test_what_is_mounted_from_here_exists_and_is_read_only(compose: dict[str, Any], prepared: Folder) -> None:
    for name, service in compose["services"].items():
        for volume in service.get("volumes", []):
            source, _, mode = volume.rsplit(":", 2)
            if source.startswith("/"):
                assert mode == "ro", f"{name}: {volume}"
                assert source == str(prepared.path / "cities") or (prepared.path / source).exists(), volume


def test_image_holds_the_program_and_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    wanted = {line[1:] for line in lines if line.startswith("!")}
    assert wanted == {*packages, "cities", "pyproject.toml", "uv.lock", "README.md", "LICENSE"}


def test_image_is_built_from_the_lock_file_and_does_not_run_as_root() -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    (version,) = re.findall(r"^UV_VERSION := (.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert f"uv=={version}" in text
    assert text.count("uv sync --frozen --no-dev") == 2
    assert text.count("\nFROM ") == 2
    assert re.findall(r"^USER (.+)$", text, re.M)[-1] == "10001:10001"
    assert "/data" in text, "the simulator's volume takes its owner from there"


def test_secrets_never_reach_the_repository() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {".env", "deploy/secrets/"} <= set(ignored)
