"""Mosquitto for tests: the real broker on a free loopback port, with queues that do not drop."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.servers import Server, free_port, unavailable

_CONFIGURATION = """\
user root
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_interval 1
max_inflight_messages 0
max_queued_messages 1000000
max_queued_bytes 0
max_packet_size 16777216
sys_interval 1
log_dest stderr
log_type error
log_type warning
log_type notice
"""


class Mosquitto(Server):
    """The broker; `url` is where it listens.

    Started by root it stays root: a process that changes its account loses the kernel's promise to end it with us.
    """

    def __init__(self, folder: Path, program: str) -> None:
        port = free_port()
        configuration = folder / "mosquitto.conf"
        configuration.write_text(_CONFIGURATION.format(port=port, folder=folder))
        super().__init__(folder, port, lambda: [program, "-c", str(configuration)])
        self.url = f"mqtt://127.0.0.1:{port}"


@pytest.fixture
def make_mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Mosquitto]]:
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        unavailable("no mosquitto: run tests/support/engines.sh, or install the package mosquitto")
    made: list[Mosquitto] = []

    def make() -> Mosquitto:
        folder = tmp_path_factory.mktemp("mosquitto")
        broker = Mosquitto(folder, program)
        made.append(broker)
        broker.start()
        return broker

    yield make
    for broker in made:
        broker.stop()


@pytest.fixture
def mosquitto(make_mosquitto: Callable[[], Mosquitto]) -> Mosquitto:
    """A fresh broker."""
    return make_mosquitto()
