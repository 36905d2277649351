"""The command line from outside: what it says, in which form, with which exit code, and never a traceback."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import psycopg
import pytest
import typer.main

from app import wiring
from app.cli import cli
from tests.app.world import COMMAND, called, citynerve, listens, refusal, wait_for, write_pack
from tests.city.packs import SMALL, changed
from tests.e2e.processes import Process
from tests.support.servers import free_port

AT = "2026-11-23T18:00:00Z"


def commands() -> list[tuple[str, ...]]:
    """Return the words of every command."""
    found: list[tuple[str, ...]] = [()]
    pending: list[tuple[tuple[str, ...], Any]] = [((), typer.main.get_command(cli))]
    while pending:
        words, group = pending.pop()
        for name, command in group.commands.items():
            found.append((*words, name))
            if hasattr(command, "commands"):
                pending.append(((*words, name), command))
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    done = called(*words, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: {' '.join(['citynerve', *words])}")
    assert len(done.stdout.splitlines()[2].strip()) > 15, "no word of explanation"
    assert done.stderr == ""


def test_help_and_version_load_nothing_heavy() -> None:
    code = "import sys, app.cli; print(*{m.partition('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "numba", "psycopg", "pydantic", "fastapi", "pyarrow", "rich", "matplotlib", "amqtt", "asyncpg"}
    assert heavy & set(done.stdout.split()) == set()


@pytest.mark.parametrize(
    "words",
    [("nonsense",), ("up", "--port", "many"), ("up", "--nonsense"), ("run",), ("letters", "list", "--limit", "0")],
)
def test_command_that_is_not_one_is_explained_with_exit_code_2(words: tuple[str, ...]) -> None:
    done = called(*words)
    assert done.returncode == 2
    assert "Usage:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("down",),
        ("status",),
        ("status", "--json"),
        ("letters", "list"),
        ("letters", "replay"),
        ("log", "adopt"),
        ("log", "rebuild", "detect"),
        ("replay",),
        ("run", "store"),
        ("sim",),
        ("play", "x.csv", "--map", "x.toml"),
    ],
    ids=" ".join,
)
def test_command_without_an_installation_says_how_to_get_one(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = called(*words, "--data", str(tmp_path))
    assert f"nothing runs on {tmp_path}: start it with `make up`" in refusal(done)
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("replay",), ("mark", "--why", "x"), ("unmark",)], ids=lambda words: words[0])
def test_letters_are_named_or_searched_for_and_not_both(words: tuple[str, ...]) -> None:
    assert "not both" in refusal(called("letters", *words, "some-letter", "--gateway", "GW-1"), 1)


def test_setup_needs_a_database_of_its_own() -> None:
    assert "set CITYNERVE_DATABASE_URL first" in refusal(called("setup"))


@pytest.mark.parametrize("words", [("status",), ("letters", "list"), ("log", "adopt")], ids=" ".join)
@pytest.mark.parametrize(
    ("url", "code", "told"),
    [
        ("postgresql://user:secret@127.0.0.1:1/x", 1, "start the server, or mend CITYNERVE_DATABASE_URL"),
        ("postgresql://127.0.0.1/x?nonsense=1", 2, "the database's address makes no sense"),
    ],
    ids=["dead", "nonsense"],
)
def test_database_that_cannot_be_reached_is_one_sentence(
    words: tuple[str, ...], url: str, code: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "COMMAND_PATIENCE_S", 0.0)
    sentence = refusal(called(*words, env={"CITYNERVE_DATABASE_URL": url}), code)
    assert told in sentence
    assert "secret" not in sentence


def test_the_installed_command_does_the_same(tmp_path: Path) -> None:
    assert citynerve("--version").stdout.startswith("citynerve 0.")
    assert "nothing runs on" in refusal(citynerve("status", "--data", str(tmp_path)))
    unread = subprocess.run(
        f"'{COMMAND}' letters --help | head -n 1", shell=True, capture_output=True, text=True, check=True
    )
    assert (unread.stdout.startswith("Usage:"), unread.stderr) == (True, "")


def test_bad_setting_is_one_sentence_at_every_command() -> None:
    for words in (("up",), ("status",), ("run", "api"), ("city", "check"), ("setup",)):
        told = refusal(called(*words, env={"CITYNERVE_PORT": "many"}))
        assert told.startswith("citynerve: CITYNERVE_PORT: ")


def test_role_that_is_none_and_group_without_state_are_refused_by_name(database_url: str) -> None:
    env = {"CITYNERVE_DATABASE_URL": database_url}
    assert "say one of ingest, store, detect, desk, api" in refusal(called("run", "nonsense", env=env))
    assert "say detect or correlate" in refusal(called("log", "rebuild", "store", env=env))


def test_database_without_a_city_says_what_comes_first(database_url: str) -> None:
    env = {"CITYNERVE_DATABASE_URL": database_url}
    for words in (("status",), ("run", "store"), ("letters", "replay")):
        assert "no city was set up" in refusal(called(*words, env=env))


# ---------------------------------------------------------------- the city pack


def test_sound_pack_is_counted(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "city")
    done = called("city", "check", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{folder}: sound; ")
    report = json.loads(called("city", "check", "--json", str(folder)).stdout)
    assert (report["sound"], report["mistakes"], report["counts"]["lamps"]) == (True, [], 3)
    assert report["version"]


def test_pack_that_comes_with_us_is_sound() -> None:
    assert called("city", "check").returncode == 0


@pytest.mark.parametrize(
    ("files", "where"),
    [
        (changed("lamps.csv", "L-2,CM-1-A", "L-2,CM-9-A"), "lamps.csv:3"),
        (changed("lamps.csv", "R,led,36", "R,led,much"), "lamps.csv:2"),
        (changed("city.toml", "simulated = true", "simulated ="), "city.toml:4"),
        (changed("metrics.csv", "co2_ppm,[ppm],0", "co2_ppm,[ppm],x"), "metrics.csv:5"),
        ({name: text for name, text in SMALL.items() if name != "lamps.csv"}, "lamps.csv"),
        (changed("districts.geojson", '{"type": "FeatureCollection"', '{"type": '), "districts.geojson"),
        ({**SMALL, "acme.js": "var a = 1;\nfunction Decoder(bytes { }\n"}, "acme.js:2"),
    ],
    ids=["reference", "number", "syntax", "range", "missing", "geojson", "codec"],
)
def test_mistakes_of_a_pack_are_told_by_file_and_line(tmp_path: Path, files: dict[str, str], where: str) -> None:
    folder = write_pack(tmp_path / "city", files)
    done = called("city", "check", str(folder))
    assert done.returncode == 2
    assert done.stderr == ""
    assert any(line.startswith(f"{where}:") for line in done.stdout.splitlines()), done.stdout
    report = json.loads(called("city", "check", "--json", str(folder)).stdout)
    assert not report["sound"]
    assert all(set(mistake) == {"file", "line", "text"} for mistake in report["mistakes"])


# ---------------------------------------------------------------- with a database


class Town:
    """The small town on a database of the test, without `up`."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.pack = write_pack(folder / "city")
        self.broker_port = free_port()
        self.env = {
            "CITYNERVE_DATABASE_URL": url,
            "CITYNERVE_CITY": str(self.pack),
            "CITYNERVE_DATA": str(folder / "data"),
            "CITYNERVE_BROKER_PORT": str(self.broker_port),
            "CITYNERVE_SPEED": "1",
        }

    def run(self, *words: str) -> Any:
        done = called(*words, env=self.env)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json").stdout)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[call-overload, no-any-return]

    def publish(self, gateway: str, *messages: dict[str, Any]) -> None:
        """Publish as a gateway, and return when all is acknowledged, which is when the log has it."""
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=gateway)
        wait_for(lambda: listens(self.broker_port), lambda: "no broker")
        client.connect("127.0.0.1", self.broker_port)
        client.loop_start()
        for message in messages:
            client.publish(f"citynerve/v1/{gateway}/readings", json.dumps(message), qos=1).wait_for_publish(30)
        client.disconnect()
        client.loop_stop()


@pytest.fixture
def town(database_url: str, tmp_path: Path) -> Town:
    found = Town(database_url, tmp_path)
    found.run("setup")
    return found


def test_setup_may_be_repeated_and_tells_what_it_found(town: Town) -> None:
    assert town.run("setup").stdout.startswith("Villa de Prueba: 3 lamps, 1 facilities; city time ")


def test_status_of_a_new_city_is_all_zeros(town: Town) -> None:
    found = town.json("status")
    assert set(found) == {"city_time", "workers", "ledger", "tickets_open", "dead_letters"}
    assert set(found["ledger"].values()) == {0}
    assert "tickets open 0, dead letters 0" in town.run("status").stdout


def test_empty_list_of_letters_is_said_and_is_json(town: Town) -> None:
    assert town.run("letters", "list").stdout == "nothing is set aside\n"
    assert town.json("letters", "list") == []
    assert town.json("letters", "replay") == {"letters": 0, "readings": 0, "still_bad": 0}
    for words in (("replay",), ("mark", "--why", "x"), ("unmark",)):
        refused = called("letters", *words, "no-such-letter", env=town.env)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "there is no letter 'no-such-letter', and nothing was done" in refused.stderr


def test_replay_of_an_empty_log_finds_no_difference(town: Town) -> None:
    report = town.json("replay")
    assert (report["alarm_events"], report["only_replayed"], report["only_recorded"]) == (0, [], [])


@pytest.fixture
def serving(town: Town, tmp_path: Path) -> Any:
    """The processes that letters need."""
    processes = [Process(role, ["run", role], town.env, tmp_path) for role in ("ingest", "store")]
    for process in processes:
        process.start()
    yield processes
    for process in processes:
        process.stop()


def test_readings_of_an_unknown_device_come_back_after_it_is_added_to_the_pack(
    town: Town, serving: list[Process], tmp_path: Path
) -> None:
    town.publish(
        "GW-2",
        {"device": "S-2", "at": AT, "co2_ppm": 700},
        {"device": "S-1", "at": AT, "co2_ppm": 650},
        {"device": "S-9", "at": AT, "co2_ppm": 1},
    )

    def told() -> str:
        return "\n".join(process.log.read_text()[-2000:] for process in serving)

    letters: Callable[[], Any] = lambda: len(found := town.json("letters", "list")) == 2 and found  # noqa: E731
    first = wait_for(letters, told)
    assert {(letter["gateway"], letter["reason"], letter["units"]) for letter in first} == {
        ("GW-2", "unknown-device", 1)
    }
    columns = "id received_at gateway reason units detail topic state tries bytes"
    assert all(set(x) == set(columns.split()) for x in first)
    table = town.run("letters", "list", "--reason", "unknown-device").stdout
    assert all(letter["id"][:8] in table for letter in first)
    assert town.json("letters", "list", "--reason", "unknown-metric") == []

    # Before the cause is mended nothing comes of another try, and nothing is lost by it.
    assert town.json("letters", "replay") == {"letters": 2, "readings": 0, "still_bad": 2}
    devices = town.pack / "devices.csv"
    devices.write_text(devices.read_text() + "S-2,EQ-1,GW-2,room\n")
    town.run("setup")
    # The store looks each half a minute whether somebody is known by now, and may have come first.
    by_itself, now = {"letters": 1, "readings": 0, "still_bad": 1}, {"letters": 2, "readings": 1, "still_bad": 1}
    assert town.json("letters", "replay") in (now, by_itself)
    values = "SELECT device_id, value FROM readings JOIN series USING (series_id) ORDER BY device_id, value"
    wait_for(lambda: town.rows(values) == [("S-1", 650.0), ("S-2", 700.0)], told)
    assert [letter["detail"] for letter in town.json("letters", "list")] != []
    wait_for(lambda: town.json("status")["ledger"]["in_flight"] == 0, told)
    ledger = town.json("status")["ledger"]
    assert (ledger["appended"], ledger["stored"], ledger["quarantined"]) == (3, 2, 1)
    assert town.json("letters", "replay") == {"letters": 1, "readings": 0, "still_bad": 1}
    assert town.json("status")["dead_letters"] == 1
    # The one that is left is found by what it says, looked at, taken out of the list and back.
    [left] = town.json("letters", "search", "--text", "s-9", "--gateway", "GW-2", "--since", "2026-11-01")
    assert town.json("letters", "search", "--text", "S-2") == []
    shown = town.json("letters", "show", left["id"])
    assert ('"S-9"' in shown["decoded"]["text"], shown["tries"]) == (True, 3)
    assert "co2_ppm" in town.run("letters", "show", left["id"]).stdout
    [reason] = town.json("letters", "reasons")
    assert (reason["reason"], reason["letters"], reason["units"]) == ("unknown-device", 1, 1)
    assert "say which" in refusal(called("letters", "mark", "--why", "x", env=town.env), 1)
    assert "--why" in refusal(called("letters", "mark", left["id"], env=town.env), 1)
    assert town.json("letters", "mark", "--text", "S-9", "--why", "a test") == {"letters": 1}
    assert town.json("letters", "list") == []
    assert town.json("letters", "search", "--state", "not-wanted")[0]["id"] == left["id"]
    assert town.json("letters", "unmark", left["id"]) == {"letters": 1}
    assert "nothing was done" in refusal(called("letters", "replay", left["id"], "no-such-letter", env=town.env), 1)
    [result] = town.json("letters", "replay", left["id"])["results"]
    assert (result["id"], result["outcome"]) == (left["id"], "stays")
    # The processes that run learn of the device too, within moments.
    wait_for(lambda: "version=2" in serving[0].log.read_text(), told)
    town.publish("GW-2", {"device": "S-2", "at": "2026-11-23T18:10:00Z", "co2_ppm": 701})
    wait_for(lambda: town.rows(values)[-1] == ("S-2", 701.0), told)
    # What no pack names, an operator claims; and the list of devices goes out and in again.
    assert [one["name"] for one in town.json("devices", "unknown")["devices"]] == ["S-9"]
    assert "S-9" in town.run("devices", "unknown").stdout
    where = ("--asset", "EQ-1", "--gateway", "GW-2", "--profile", "room")
    assert (
        "profile 'far' names no profile" in called("devices", "claim", "S-9", *where[:-1], "far", env=town.env).stderr
    )
    claimed = town.json("devices", "claim", "S-9", "--device", "S-3", *where)
    assert (claimed["added"], claimed["letters"], claimed["readings"]) == (["S-3"], 1, 1)
    wait_for(lambda: ("S-3", 1.0) in town.rows(values), told)
    exported = town.run("devices", "export").stdout
    assert "S-3,EQ-1,GW-2,room,S-9\n" in exported
    listed = town.pack.parent / "exported.csv"
    listed.write_text(exported)
    assert town.json("devices", "import", str(listed))["version"] == 0
    assert town.json("devices", "retire", "S-3")["changed"] == ["S-3"]
    assert town.json("devices", "release", "S-3")["changed"] == ["S-3"]
    # Whoever reads the history sees through which door each came.
    by_command = "SELECT DISTINCT actor FROM registry_events WHERE subject_id = 'S-3'"
    assert town.rows(by_command) == [("command-line",)]
    assert town.rows("SELECT DISTINCT actor FROM dead_letter_events WHERE actor <> 'system'") == [("command-line",)]


def test_play_says_what_is_wrong_with_a_file(town: Town, tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text("gateway = [")
    for words in (("nothing.csv", "nothing.toml"), ("nothing.csv", "map.toml")):
        file, mapping = (str(tmp_path / word) for word in words)
        done = called("play", file, "--map", mapping, env=town.env)
        assert Path(mapping).name in refusal(done)
