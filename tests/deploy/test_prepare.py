"""The first step of a deployment: makes secrets once, and never touches what is there."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.deploy.conftest import ROOT, Folder, tool


def contents(folder: Path) -> dict[str, bytes]:
    kept = (folder / ".env", *(folder / "deploy" / "secrets").rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept if path.is_file()}


def names_in(passwords: str) -> list[str]:
    return [line.partition(":")[0] for line in passwords.splitlines()]


def certificate(folder: Folder, *words: str) -> str:
    path = folder.path / "deploy" / "secrets" / "mosquitto" / "server.crt"
    command = [tool("openssl"), "x509", "-in", str(path), "-noout", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_second_run_changes_nothing(deployment: Folder) -> None:
    assert deployment.prepare("broker.example").returncode == 0
    before = contents(deployment.path)
    done = deployment.prepare()
    assert (done.returncode, done.stdout) == (0, "ready: docker compose up -d\n")
    assert contents(deployment.path) == before
    assert "kept as it is" in deployment.prepare("other.example").stdout
    assert contents(deployment.path) == before


def test_secrets_are_for_their_owner_alone(deployment: Folder) -> None:
    deployment.prepare()
    assert (deployment.path / ".env").stat().st_mode & 0o777 == 0o600
    assert (deployment.path / "deploy" / "secrets").stat().st_mode & 0o777 == 0o700
    assert (deployment.path / "deploy" / "secrets" / "ca.key").stat().st_mode & 0o777 == 0o600
    values = [value for name, value in deployment.settings().items() if name.endswith("PASSWORD")]
    assert len(set(values)) == len(values) == 6


def test_no_program_is_called_with_a_password(deployment: Folder, tmp_path: Path) -> None:
    """What a program is called with, everybody on a machine can read."""
    shims, calls = tmp_path / "shims", tmp_path / "calls"
    shims.mkdir()
    for name in (
        "awk",
        "cat",
        "cp",
        "grep",
        "mktemp",
        "od",
        "openssl",
        "printf",
        "python3",
        "sed",
        "tail",
        "tr",
        "cut",
    ):
        shim = shims / name
        shim.write_text(f'#!/bin/sh\nprintf "%s\\n" "{name} $*" >>"{calls}"\nexec {shutil.which(name)} "$@"\n')
        shim.chmod(0o755)
    done = deployment.prepare(path=f"{shims}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    seen = calls.read_text()
    assert "openssl" in seen
    assert "python3" in seen
    values = [value for name, value in deployment.settings().items() if name.endswith(("PASSWORD", "KEY"))]
    assert len(values) > 6
    assert [value for value in values if value in seen] == []


def test_two_deployments_share_no_secret(deployment: Folder, prepared: Folder) -> None:
    deployment.prepare()
    mine, theirs = deployment.settings(), prepared.settings()
    assert not {v for n, v in mine.items() if n.endswith("PASSWORD")} & set(theirs.values())
    assert mine["KAFKA_CLUSTER_ID"] != theirs["KAFKA_CLUSTER_ID"]
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{21}", mine["KAFKA_CLUSTER_ID"])


def test_chosen_values_stay_and_variables_of_a_newer_release_are_added(deployment: Folder) -> None:
    env = deployment.path / ".env"
    env.write_text("PUBLIC_HOSTS=luz.gijon.example\nDATABASE_PASSWORD=chosen\n")
    done = deployment.prepare()
    assert "MQTT_SIM_PASSWORD added to .env" in done.stdout
    found = deployment.settings()
    assert (found["PUBLIC_HOSTS"], found["DATABASE_PASSWORD"]) == ("luz.gijon.example", "chosen")
    assert all(found[name] for name in found)


def test_certificate_names_where_devices_find_the_broker_and_is_renewed_by_the_same_authority(
    deployment: Folder,
) -> None:
    deployment.prepare("broker.example", "192.0.2.7", "2001:db8::7")
    names = certificate(deployment, "-ext", "subjectAltName")
    assert all(name in names for name in ("DNS:mosquitto", "DNS:broker.example", "IP Address:192.0.2.7"))
    assert "IP Address:2001:DB8" in names.upper().replace("ADDRESS", "Address")
    first = certificate(deployment, "-serial")
    authority = deployment.path / "deploy" / "secrets" / "ca.crt"
    before = authority.read_bytes()
    assert deployment.prepare("renew", "other.example").returncode == 0
    assert certificate(deployment, "-serial") != first
    assert "DNS:other.example" in certificate(deployment, "-ext", "subjectAltName")
    assert authority.read_bytes() == before
    server = deployment.path / "deploy" / "secrets" / "mosquitto" / "server.crt"
    verified = subprocess.run(
        [tool("openssl"), "verify", "-CAfile", str(authority), str(server)], capture_output=True, text=True, check=False
    )
    assert verified.returncode == 0, verified.stderr


def test_each_door_has_its_own_names_and_the_outer_one_begins_with_its_administration_alone(prepared: Folder) -> None:
    broker = prepared.path / "deploy" / "secrets" / "mosquitto"
    assert names_in((broker / "passwords-inner").read_text()) == ["citynerve-ingest", "citynerve-sim"]
    state = json.loads((broker / "dynamic-security.json").read_text())
    assert [client["username"] for client in state["clients"]] == ["citynerve-admin"]
    assert {acl["topic"] for role in state["roles"] for acl in role["acls"]} == {"$CONTROL/dynamic-security/#"}
    kept = "".join(path.read_text() for path in broker.iterdir() if path.is_file())
    assert not any(word in kept for name, word in prepared.settings().items() if name.endswith("PASSWORD"))


def test_whoever_asks_for_a_gateways_password_is_told_where_it_is_made(prepared: Folder) -> None:
    before = contents(prepared.path)
    done = prepared.prepare("gateway", "GW-1")
    assert (done.returncode, "citynerve credentials create ID" in done.stderr) == (2, True)
    assert contents(prepared.path) == before


def test_passwords_of_an_older_release_are_told_of(deployment: Folder) -> None:
    deployment.prepare()
    old = deployment.path / "deploy" / "secrets" / "mosquitto" / "passwords"
    old.write_text("GW-1:$7$101$x$y\n")
    assert "give each one (docs/credentials.md), then remove" in deployment.prepare().stdout


def test_authority_that_is_lost_is_not_replaced_behind_the_gateways_back(deployment: Folder) -> None:
    deployment.prepare()
    (deployment.path / "deploy" / "secrets" / "ca.key").unlink()
    done = deployment.prepare()
    assert (done.returncode, "bring it back from your backup" in done.stderr) == (2, True)


def test_without_openssl_it_says_so(deployment: Folder) -> None:
    script = deployment.path / "deploy" / "prepare.sh"
    folder = deployment.path / "bin"
    folder.mkdir()
    for name in ("sh", "dirname"):
        (folder / name).symlink_to(str(shutil.which(name)))
    done = subprocess.run(
        [str(folder / "sh"), str(script)], env={"PATH": str(folder)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "openssl is not installed" in done.stderr) == (2, True)


def test_script_passes_as_plain_sh() -> None:
    text = (ROOT / "deploy" / "prepare.sh").read_text()
    assert text.startswith("#!/bin/sh\n")
    assert subprocess.run(["sh", "-n", str(ROOT / "deploy" / "prepare.sh")], check=False).returncode == 0
