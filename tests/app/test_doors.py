import socket
import threading
from pathlib import Path

import pytest

from app.doors import check_broker, check_free, listen
from app.settings import Settings
from city.errors import SettingsError
from tests.support.servers import free_port


def test_taken_port_is_refused_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"127.0.0.1:{port} is taken: stop the program .* with PORT=1"):
            check_free("127.0.0.1", port, "PORT=1")


def test_port_that_becomes_free_in_time_is_taken() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    closing = threading.Timer(0.3, server.close)
    closing.start()
    check_free("127.0.0.1", server.getsockname()[1], "PORT=1", patience_s=20)
    closing.join()


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("203.0.113.7", "this machine has no address 203.0.113.7: use"),
        ("no host", "'no host' is not an address of this machine: use"),
        ("x" * 300, "is not an address of this machine: use"),
    ],
)
def test_address_that_is_not_ours_is_refused(host: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        check_free(host, free_port(), "PORT=1", patience_s=60)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_free_port_is_bound_and_answers(host: str) -> None:
    port = free_port()
    check_free(host, port, "PORT=1")
    with listen(host, port, "PORT=1") as door:
        door.listen()
        socket.create_connection(("127.0.0.1", port)).close()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_broker_on_loopback_lets_this_machine_in_without_a_credential_unless_told_otherwise(host: str) -> None:
    assert check_broker(Settings(broker_host=host))
    assert not check_broker(Settings(broker_host=host, broker_anonymous="never"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "0"])
def test_broker_beyond_loopback_asks_everybody_for_a_credential_unless_told_otherwise(host: str) -> None:
    assert not check_broker(Settings(broker_host=host))
    assert check_broker(Settings(broker_host=host, broker_anonymous="always"))


def test_broker_on_a_name_that_nobody_knows_is_refused_for_that() -> None:
    with pytest.raises(SettingsError, match="'no host' is not an address of this machine"):
        check_broker(Settings(broker_host="no host"))


def test_half_of_what_tls_needs_is_refused(tmp_path: Path) -> None:
    some = tmp_path / "some.pem"
    some.touch()
    for given in ({"broker_certificate": some}, {"broker_key": some}, {"broker_authority": some}):
        with pytest.raises(SettingsError, match="CITYNERVE_BROKER_CERTIFICATE and CITYNERVE_BROKER_KEY together"):
            check_broker(Settings(**given))
    with pytest.raises(SettingsError, match=r"gone.pem is not there"):
        check_broker(Settings(broker_certificate=some, broker_key=tmp_path / "gone.pem"))
