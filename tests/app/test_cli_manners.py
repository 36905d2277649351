"""What programs may rely on: exit codes, JSON, pipes, and the document that says so."""

import json
import os
import pty
import re
import select
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
import typer.main

from app.cli import cli
from app.examples import _EXAMPLES
from sim.faults import read_labels
from stream.packs import read_pack
from tests.app.world import COMMAND, bare_environment, called, citynerve, refusal, wait_for, write_pack
from tests.city.packs import changed
from tests.support.fix_mosquitto import Mosquitto
from tests.support.servers import free_port

DOCUMENT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def commands() -> dict[str, Any]:
    """Return every command that does something, by its words."""
    found: dict[str, Any] = {}
    pending: list[tuple[tuple[str, ...], Any]] = [((), typer.main.get_command(cli))]
    while pending:
        words, command = pending.pop()
        if hasattr(command, "commands"):
            pending += [((*words, name), inner) for name, inner in command.commands.items()]
        elif not command.hidden:
            found[" ".join(words)] = command
    return found


def options(command: Any) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts if name.startswith("--")} - {"--help"}


def test_document_has_every_command_with_its_options() -> None:
    for words, command in commands().items():
        if words == "sim":
            told = DOCUMENT.partition("## The simulated city")[2]
        else:
            told = next(line for line in DOCUMENT.splitlines() if line.startswith(f"| `citynerve {words}` |"))
        assert {name for name in options(command) if f"`{name}" not in told} == set(), words


def test_whatever_prints_data_prints_json_and_says_its_names() -> None:
    files = {"devices export", "gateways export", "profiles export"}  # CSV and TOML, as an import takes them.
    silent = {"up", "run", "sim", *files}
    assert {words for words, command in commands().items() if "--json" not in options(command)} == silent
    told = re.findall(r"^\| `(\w+(?: \w+)?)` \| `[{\[]", DOCUMENT, re.M)
    assert set(told) == set(commands()) - silent


@pytest.mark.parametrize("words", sorted(commands()))
def test_help_ends_with_examples_that_are_commands(words: str) -> None:
    told = called(*words.split(), "--help").stdout
    assert re.search(r"\n  Examples?:\n    \S", told)
    for line in _EXAMPLES[words]:
        # Paths, speeds and pipes are the reader's; words and options are ours.
        (used,) = re.findall(r"citynerve ((?:[a-z]+ ?)+)?", line.partition("|")[0])[:1]
        assert used.strip().startswith(words), line
        assert set(re.findall(r"(--[a-z-]+)", line)) <= options(commands()[words]), line


def test_json_of_a_broken_pack_and_its_exit_code_agree(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "city", changed("lamps.csv", "L-2,CM-1-A", "L-2,CM-9-A"))
    done = citynerve("city", "check", "--json", str(folder))
    assert (done.returncode, json.loads(done.stdout)["sound"], done.stderr) == (2, False, "")


def test_setup_and_log_tell_json(database_url: str, tmp_path: Path) -> None:
    env = {
        "CITYNERVE_DATABASE_URL": database_url,
        "CITYNERVE_CITY": str(write_pack(tmp_path / "city")),
        "CITYNERVE_SPEED": "1",
    }
    told = json.loads(called("setup", "--json", env=env).stdout)
    assert set(told) == {"city", "simulated", "lamps", "facilities", "clock_told"}
    assert (told["city"], told["lamps"]) == ("Villa de Prueba", 3)
    assert json.loads(called("log", "adopt", "--json", env=env).stdout) == {"checkpoints": 0}
    rebuilt = called("log", "rebuild", "detect", "--json", env=env)
    assert json.loads(rebuilt.stdout) == {"group": "detect", "states": 0}


def test_pipes_get_no_control_codes(database_url: str, tmp_path: Path) -> None:
    env = {
        "CITYNERVE_DATABASE_URL": database_url,
        "CITYNERVE_CITY": str(write_pack(tmp_path / "city")),
        "CITYNERVE_SPEED": "1",
        "FORCE_COLOR": "",
    }
    for words in (("setup",), ("status",), ("letters", "list"), ("replay",), ("city", "check")):
        done = citynerve(*words, env=env)
        assert done.returncode == 0, done.stderr
        assert not CONTROL.search(done.stdout + done.stderr), words


def on_a_terminal(*words: str, env: Mapping[str, str]) -> str:
    """Run a command whose stderr is a terminal; return what it drew there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, *words],
        env=bare_environment(**env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    drawn = b""
    try:
        while select.select([ours], [], [], 120)[0]:
            try:
                some = os.read(ours, 65536)
            except OSError:  # The other side is closed: that is how a terminal ends.
                break
            if not some:
                break
            drawn += some
    finally:
        os.close(ours)
        assert process.wait(120) == 0
    return drawn.decode()


def test_terminal_shows_progress_and_no_color_takes_colours_away(tmp_path: Path) -> None:
    folder = str(write_pack(tmp_path / "city"))
    base = {"TERM": "xterm-256color", "COLUMNS": "200"}
    drawn = on_a_terminal("city", "check", folder, env=base)
    assert "checking" in drawn
    colour = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m")
    assert colour.search(drawn)
    plain = on_a_terminal("city", "check", folder, env={**base, "NO_COLOR": "1"})
    assert "checking" in plain
    assert not colour.search(plain)
    assert on_a_terminal("city", "check", folder, env={**base, "TERM": "dumb"}) == ""
    assert on_a_terminal("city", "check", "--json", folder, env=base) == ""


def test_alphabet_that_lacks_a_letter_ends_no_command(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "ciudad-ñ", changed("lamps.csv", "L-2,CM-1-A", "L-ñ,CM-9-A"))
    done = citynerve("city", "check", str(folder), env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert (done.returncode, done.stderr) == (2, "")
    assert "?" in done.stdout


def test_ctrl_c_breaks_off_with_130_and_one_word(database_url: str, tmp_path: Path) -> None:
    env = {
        "CITYNERVE_DATABASE_URL": database_url,
        "CITYNERVE_CITY": str(write_pack(tmp_path / "city")),
        "CITYNERVE_SPEED": "1",
        "CITYNERVE_MQTT_URL": f"mqtt://127.0.0.1:{free_port()}",
    }
    assert called("setup", env=env).returncode == 0
    (tmp_path / "map.toml").write_text(
        'gateway = "GW-2"\ndevice = "S-1"\n[time]\ncolumn = "at"\nformat = "iso"\n[metrics]\nco2_ppm = "c"\n'
    )
    file = tmp_path / "file.csv"
    os.mkfifo(file)
    process = subprocess.Popen(
        [COMMAND, "play", str(file), "--map", str(tmp_path / "map.toml")],
        env=bare_environment(**env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # It opens the pipe to read its file: from then on it is at work, and waits for a broker that never comes.
    with file.open("w") as feed:
        feed.write("at,c\n2026-11-23T18:00:00Z,700\n")
    try:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, out) == (130, "")
    assert err.endswith("citynerve: broken off\n")


# ---------------------------------------------------------------- the simulated city on any broker


def test_sim_plays_into_any_broker_and_tells_the_truth_that_another_run_can_plant(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    folder = write_pack(tmp_path / "city")
    truth = tmp_path / "truth.json"
    heard: list[tuple[str, Any]] = []
    listener = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    listener.on_message = lambda *event: heard.append((event[2].topic, json.loads(event[2].payload)))
    listener.connect("127.0.0.1", mosquitto.port)
    listener.subscribe("citynerve/v1/+/readings", qos=1)
    listener.loop_start()
    words = [
        "sim",
        "--mqtt-url",
        mosquitto.url,
        "--city",
        str(folder),
        "--speed",
        "60",
        "--data",
        str(tmp_path / "data"),
    ]
    for more in (["--labels", str(truth)], ["--faults", str(truth)]):
        heard.clear()
        process = subprocess.Popen(
            [COMMAND, *words, *more],
            env=bare_environment(),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            wait_for(lambda: heard, lambda: "nothing was heard")
        finally:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert heard, err
    listener.disconnect()
    listener.loop_stop()
    topic, body = heard[0]
    assert re.fullmatch(r"citynerve/v1/GW-\d/readings", topic)
    assert body["readings"]
    read_labels(truth, read_pack(folder))


def test_sim_refuses_what_it_cannot_do_in_one_sentence(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "city")
    real = write_pack(tmp_path / "real", changed("city.toml", "simulated = true", "simulated = false"))
    base = ("sim", "--mqtt-url", "mqtt://127.0.0.1:1", "--data", str(tmp_path / "data"))
    assert "is a real city" in refusal(citynerve(*base, "--city", str(real)))
    absent = str(tmp_path / "absent" / "truth.json")
    assert "cannot be written" in refusal(citynerve(*base, "--city", str(folder), "--labels", absent))
    assert "does not list faults" in refusal(citynerve(*base, "--city", str(folder), "--faults", absent))
    assert "--mqtt-url: this is not an address" in refusal(citynerve("sim", "--mqtt-url", "http://x"))
