"""`citynerve credentials …` from outside, and the broker that obeys it."""

import json
import re
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.credentials.authority import serials_of
from tests.app.world import called, refusal, write_pack
from tests.city.packs import changed
from tests.e2e.processes import Process
from tests.ingest.credentials.certificates import OtherAuthority
from tests.ingest.credentials.conftest import Client
from tests.support.servers import free_port

WAIT_S = 60.0


@pytest.fixture
def env(database_url: str, tmp_path: Path) -> dict[str, str]:
    found = {"CITYNERVE_DATABASE_URL": database_url, "CITYNERVE_CITY": str(write_pack(tmp_path / "city"))}
    assert called("setup", env=found).returncode == 0
    return found


def told(env: dict[str, str], *words: str) -> Any:
    done = called("credentials", *words, "--json", env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_the_password_is_printed_once_and_only_on_stdout(env: dict[str, str]) -> None:
    assert "nobody has a credential" in called("credentials", "list", env=env).stdout
    done = called("credentials", "create", "GW-1", env=env)
    assert done.stderr == ""
    (password,) = re.fullmatch(r"login     GW-1\npassword  ([0-9a-f]{48})\n", done.stdout).groups()  # type: ignore[union-attr]
    for words in (("list",), ("list", "--json"), ("topics", "GW-1"), ("topics", "GW-1", "--json")):
        assert password not in called("credentials", *words, env=env).stdout


def test_a_life_from_creation_to_revocation(env: dict[str, str]) -> None:
    made = told(env, "create", "GW-1", "--days", "30", "--publish", "vendor/#", "--read", "down/+")
    assert (made["login"], made["state"], made["publish"], made["read"]) == ("GW-1", "valid", ["vendor/#"], ["down/+"])
    changed = told(env, "rotate", "GW-1", "--together-h", "2", "--days", "60")
    assert changed["new"]["expires_at"] > made["expires_at"]
    assert (changed["new"]["login"], changed["new"]["publish"]) == ("GW-1~2", ["vendor/#"])
    assert changed["old"]["expires_at"] < made["expires_at"]
    assert [one["login"] for one in told(env, "list")] == ["GW-1~2", "GW-1"]
    assert told(env, "topics", "GW-1~2", "--publish", "other/+")["publish"] == ["other/+"]
    assert told(env, "revoke", "GW-1~2")["state"] == "revoked"
    assert [one["login"] for one in told(env, "list", "--gateway", "GW-1")] == ["GW-1"]
    assert [one["login"] for one in told(env, "list", "--all")] == ["GW-1~2", "GW-1"]
    events = told(env, "topics", "GW-1~2")["events"]
    assert [(event["kind"], event["actor"]) for event in events] == [
        (kind, "command-line") for kind in ("created", "topics", "revoked")
    ]


def test_a_gateway_that_the_pack_no_longer_names_loses_its_credentials_for_good(
    env: dict[str, str], tmp_path: Path
) -> None:
    gone, kept = told(env, "create", "GW-2"), told(env, "create", "GW-1")
    without = {
        **changed("gateways.csv", "GW-2,Dos,43.5,-5.6,centre\n", ""),
        "devices.csv": "device_id,asset_id,gateway_id,profile_id\nS-1,EQ-1,GW-1,room\n",
    }
    write_pack(tmp_path / "city", without)
    assert called("setup", env=env).returncode == 0
    assert [one["login"] for one in told(env, "list")] == [kept["login"]]
    events = told(env, "topics", gone["login"])["events"]
    assert [(event["kind"], event["actor"]) for event in events] == [("created", "command-line"), ("revoked", "pack")]
    assert called("setup", env=env).returncode == 0
    assert len(told(env, "topics", gone["login"])["events"]) == 2, "the same pack again says nothing new"
    write_pack(tmp_path / "city")
    assert called("setup", env=env).returncode == 0
    assert told(env, "topics", gone["login"])["state"] == "revoked", "whoever comes back needs new ones"
    assert told(env, "create", "GW-2")["login"] == "GW-2~2"


def test_what_makes_no_sense_is_explained(env: dict[str, str]) -> None:
    assert "not in the registry" in refusal(called("credentials", "create", "GW-9", env=env), 1)
    assert "no credential 'GW-9'" in refusal(called("credentials", "revoke", "GW-9", env=env), 1)
    assert "no topic filter" in refusal(called("credentials", "create", "GW-1", "--publish", "a+", env=env), 1)


CLOSED = {
    "beyond-loopback": {"CITYNERVE_BROKER_HOST": "0.0.0.0"},
    "never": {"CITYNERVE_BROKER_ANONYMOUS": "never"},
}


@pytest.fixture(params=CLOSED)
def closed_broker(
    env: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[dict[str, str], int]]:
    """Ingest whose embedded broker lets nobody in without a credential."""
    port = free_port()
    settings = {**env, "CITYNERVE_BROKER_PORT": str(port), **CLOSED[request.param]}
    ingest = Process("ingest", ["run", "ingest"], settings, tmp_path)
    ingest.start()
    try:
        yield settings, port
    finally:
        ingest.stop()


def enters(port: int, user: str | None, password: str | None) -> bool:
    client = Client(port, user, password)
    entered = client.enter()
    client.leave()
    return entered


def wait_until(port: int, user: str, password: str, *, may: bool) -> None:
    deadline = time.monotonic() + WAIT_S
    while enters(port, user, password) != may:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_broker_beyond_loopback_asks_everybody_and_obeys_the_command_line(
    closed_broker: tuple[dict[str, str], int],
) -> None:
    env, port = closed_broker
    made = told(env, "create", "GW-1")
    wait_until(port, "GW-1", made["password"], may=True)
    assert not enters(port, None, None)
    assert not enters(port, "citynerve-local", "")
    client = Client(port, "GW-1", made["password"])
    assert client.enter()
    told(env, "revoke", "GW-1")
    deadline = time.monotonic() + 10
    while not client.ended:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    client.leave()
    wait_until(port, "GW-1", made["password"], may=False)


def certified(*words: str, env: dict[str, str]) -> Any:
    done = called("ca", *words, "--json", env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_certificate_from_request_to_revocation_at_a_running_broker(env: dict[str, str], tmp_path: Path) -> None:
    folder, phrase = tmp_path / "authority", tmp_path / "phrase"
    phrase.write_text("a phrase\n")
    signing = ("--folder", str(folder), "--passphrase-file", str(phrase))
    made = certified("init", *signing, env=env)
    assert (folder / "ca.key").stat().st_mode & 0o777 == 0o600
    assert "second one would shut out" in refusal(called("ca", "init", *signing, env=env))
    issued = certified("issue", "GW-1", *signing, env=env)
    assert "needs its passphrase" in refusal(called("ca", "issue", "GW-1", "--folder", str(folder), env=env))
    assert "not in the registry" in refusal(called("ca", "issue", "GW-9", *signing, env=env), 1)
    next_one = certified("renew", issued["serial"], *signing, env=env)
    for number, one in enumerate((issued, next_one)):
        (tmp_path / f"{number}.pem").write_text(one["certificate"] + one["key"])
    server = OtherAuthority(tmp_path).issue("localhost")
    port = free_port()
    settings = {
        **env,
        "CITYNERVE_BROKER_PORT": str(port),
        "CITYNERVE_BROKER_ANONYMOUS": "never",
        "CITYNERVE_BROKER_CERTIFICATE": str(server.certificate),
        "CITYNERVE_BROKER_KEY": str(server.key),
        "CITYNERVE_BROKER_AUTHORITY": made["authority"],
    }
    ingest = Process("ingest", ["run", "ingest"], settings, tmp_path)
    ingest.start()
    try:
        deadline = time.monotonic() + WAIT_S
        while not shows(port, tmp_path, 0):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert shows(port, tmp_path, 1)
        assert certified("revoke", issued["serial"], *signing, env=env)["state"] == "revoked"
        while shows(port, tmp_path, 0):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert shows(port, tmp_path, 1)
    finally:
        ingest.stop()
    assert list(serials_of((folder / "revoked.pem").read_bytes())) == [issued["serial"]]
    assert (folder / "refused").read_text() == "", "it has another one that is valid"
    told(env, "revoke", next_one["serial"])
    assert certified("list", *signing, env=env)["certificates"] == 2
    assert "user GW-1\ntopic deny #" in (folder / "refused").read_text()
    again = certified("issue", "GW-1", *signing, env=env)
    assert (folder / "refused").read_text() == "", "it has a valid one again"
    certified("revoke", again["serial"], *signing, env=env)
    assert "user GW-1\n" in (folder / "refused").read_text()
    assert "is a password" in refusal(called("ca", "revoke", told(env, "create", "GW-1")["login"], *signing, env=env))


def shows(port: int, folder: Path, number: int) -> bool:
    """Tell whether a certificate opens the embedded broker."""
    client = Client(port, None, None)
    context = ssl.create_default_context(cafile=str(folder / "authority.crt"))
    context.load_cert_chain(folder / f"{number}.pem")
    client.client.tls_set_context(context)
    entered = client.enter()
    client.leave()
    return entered


def test_a_key_that_others_may_read_is_refused(env: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "authority"
    certified("init", "--folder", str(folder), env=env)
    (folder / "ca.key").chmod(0o644)
    assert "chmod 600" in refusal(called("ca", "issue", "GW-1", "--folder", str(folder), env=env))
    assert "citynerve ca init" in refusal(called("ca", "issue", "GW-1", "--folder", str(tmp_path), env=env))
