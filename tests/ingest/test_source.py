"""The MQTT source: acknowledgements on the wire, CPU when idle, URLs, and what it leans on inside paho."""

import asyncio
import logging
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import psycopg
import pytest

from city.errors import SettingsError
from city.topics import readings_topic
from ingest import paho_contract
from ingest.address import parse_url
from ingest.division import Division, Split, settle
from ingest.message import Message
from ingest.mqtt_session import MqttOptions
from ingest.plain_client import PlainClient
from ingest.source import MqttSource
from storage.pool import open_pool
from tests.ingest.conftest import listening
from tests.ingest.world import Publisher, acknowledge, eventually, running, take_all
from tests.support.fix_mosquitto import Mosquitto
from tests.support.servers import Server, free_port, unavailable


class Wiretap:
    """A TCP proxy that keeps what the client sends."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.sent = bytearray()
        self._sockets: list[socket.socket] = [self._server]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()

    def _serve(self) -> None:
        try:
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                threading.Thread(target=self._copy, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._copy, args=(server, client, False), daemon=True).start()
        except OSError:
            return

    def _copy(self, source: socket.socket, target: socket.socket, keep: bool) -> None:
        try:
            while data := source.recv(65536):
                if keep:
                    self.sent += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


@pytest.fixture
def wiretap(mosquitto: Mosquitto) -> Iterator[Wiretap]:
    tap = Wiretap(mosquitto.port)
    yield tap
    tap.close()


def test_acknowledgements_go_out_in_the_order_of_receipt_in_one_write(wiretap: Wiretap, mosquitto: Mosquitto) -> None:
    async def main() -> None:
        source = MqttSource(MqttOptions(f"mqtt://127.0.0.1:{wiretap.port}"))
        async with running(source):
            await listening(source)
            async with Publisher(mosquitto.port) as gateway:
                for number in range(50):
                    gateway.publish(number, b"x")
                taken = await take_all(source, 50)
            before = len(wiretap.sent)
            acknowledge(source, taken)
            await eventually(lambda: len(wiretap.sent) >= before + 200)
            frames = bytes(wiretap.sent[before : before + 200])
            assert frames == b"".join(b"\x40\x02" + m.token.to_bytes(2, "big") for m in taken)

    asyncio.run(main())


def test_a_quiet_connection_is_not_polled(mosquitto: Mosquitto) -> None:
    async def main() -> None:
        source = MqttSource(MqttOptions(mosquitto.url))
        async with running(source), asyncio.timeout(30):
            await listening(source)
            reads = 0
            receive = source._client.receive

            def counted(*arguments: Any) -> Any:
                nonlocal reads
                reads += 1
                return receive(*arguments)

            source._client.receive = counted  # type: ignore[method-assign]
            quiet = 0
            while quiet < 4:  # first come the broker's answer on its own topic and what it says there
                before = reads
                assert not len(await source.take(max_messages=100, wait_s=0.25, gather_s=0.015))
                quiet = quiet + 1 if reads == before else 0

    asyncio.run(main())


def test_tls_user_and_password_are_those_of_the_url(tmp_path: Path) -> None:
    program, openssl = shutil.which("mosquitto", path="/usr/sbin:/usr/bin"), shutil.which("openssl")
    if program is None or openssl is None:
        unavailable("no mosquitto or openssl")
    folder = tmp_path
    for parent in [folder, *folder.parents[:-2]]:
        parent.chmod(parent.stat().st_mode | 0o055)
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    made = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files]
    subprocess.run(made, check=True, capture_output=True)
    passwords = folder / "passwords"
    passwords.touch()
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "ingest", "s3cret@"], check=True, capture_output=True)
    for file in folder.iterdir():
        file.chmod(0o644)
    port = free_port()
    (folder / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n"
        f"certfile {folder}/cert.pem\nkeyfile {folder}/key.pem\n"
    )
    broker = Server(folder, port, lambda: [str(program), "-c", str(folder / "mosquitto.conf")])
    broker.start()

    async def main() -> None:
        ca = str(folder / "cert.pem")
        source = MqttSource(MqttOptions(f"mqtts://ingest:s3cret%40@localhost:{port}", ca_file=ca))
        wrong = MqttSource(MqttOptions(f"mqtts://ingest:wrong@localhost:{port}", "other", ca_file=ca))
        distrusting = MqttSource(MqttOptions(f"mqtts://ingest:s3cret%40@localhost:{port}", "third"))
        async with running(source, wrong, distrusting):
            await listening(source)
            source.mark(b"over TLS")
            messages = []
            while not messages:
                messages = (await source.take(max_messages=5, wait_s=0.2, gather_s=0.0)).single()
            assert messages[0].payload == b"over TLS"
            acknowledge(source, messages)
            assert not len(await wrong.take(max_messages=5, wait_s=0.5, gather_s=0.0))
            assert not wrong.listening
            assert not distrusting.listening

    try:
        asyncio.run(main())
    finally:
        broker.stop()


def test_what_the_broker_had_kept_is_marked_as_that_at_every_reconnection(mosquitto: Mosquitto) -> None:
    async def main() -> None:
        source = MqttSource(MqttOptions(mosquitto.url))
        async with Publisher(mosquitto.port) as gateway:
            gateway.publish(1, b"kept", retain=True)
            await eventually(lambda: len(gateway.acknowledged) == 1)
            async with running(source):
                for _ in range(2):
                    (kept,) = await take_all(source, 1)
                    acknowledge(source, [kept])
                    assert (kept.payload, kept.retained) == (b"kept", True)
                    await source.reconnect()
                await take_all(source, 1)
                gateway.publish(2, b"fresh", retain=True)
                (fresh,) = await take_all(source, 1)
                assert (fresh.payload, fresh.retained) == (b"fresh", False)

    asyncio.run(main())


def test_a_broker_that_is_not_there_yet_is_waited_for(mosquitto: Mosquitto) -> None:
    async def main() -> None:
        await asyncio.to_thread(mosquitto.kill)
        source = MqttSource(MqttOptions(mosquitto.url, backoff_s_max=0.3))
        async with running(source):
            assert not len(await source.take(max_messages=1, wait_s=0.5, gather_s=0.0))
            assert not source.listening
            await asyncio.to_thread(mosquitto.start)
            await listening(source)

    asyncio.run(main())


def test_several_processes_share_the_messages_of_one_subscription(mosquitto: Mosquitto) -> None:
    async def main() -> None:
        before = MqttSource(MqttOptions(mosquitto.url, client_id="ingest-1"))
        async with running(before):
            await listening(before)
        one = MqttSource(MqttOptions(mosquitto.url, client_id="ingest-1", share="ingest"))
        two = MqttSource(MqttOptions(mosquitto.url, client_id="ingest-2", share="ingest"))
        async with running(one, two):
            await asyncio.gather(listening(one), listening(two))
            async with Publisher(mosquitto.port) as gateway:
                for number in range(200):
                    gateway.publish(number, b"%d" % number)
                await eventually(lambda: len(gateway.acknowledged) == 200)
                first, second = [], []
                while len(first) + len(second) < 200:
                    first += (await one.take(max_messages=500, wait_s=0.1, gather_s=0.01)).single()
                    second += (await two.take(max_messages=500, wait_s=0.1, gather_s=0.01)).single()
        assert first
        assert second
        assert sorted(int(m.payload) for m in first + second) == list(range(200))

    asyncio.run(main())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker", (None, None, "broker", 1883, False)),
        ("mqtts://u:p%40ss@broker.example:999", ("u", "p@ss", "broker.example", 999, True)),
        ("mqtts://[::1]", (None, None, "::1", 8883, True)),
    ],
)
def test_urls_name_host_port_user_and_tls(url: str, expected: tuple[object, ...]) -> None:
    assert parse_url(url) == expected


@pytest.mark.parametrize("url", ["", "broker:1883", "http://broker", "mqtt://", "mqtt://h:99999", "mqtt://h/topic"])
def test_a_url_that_is_none_is_explained_without_repeating_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match=re.escape("mqtt://user:password@host:1883")):
        parse_url(url)


def test_a_ca_file_that_is_not_there_is_explained() -> None:
    with pytest.raises(SettingsError, match="CA file"):
        MqttSource(MqttOptions("mqtts://broker", ca_file="/nowhere/ca.pem"))


def test_paho_still_is_what_the_frame_client_leans_on() -> None:
    assert version("paho-mqtt").startswith("2.2."), "read the new release, then widen this"
    assert paho_contract.broken() == ""


def _read_otherwise(self: mqtt.Client) -> int:
    return len(self._sock_recv(1))


@pytest.mark.parametrize("name", ["_packet_read", "_packet_queue", "loop_read", "_create_socket"])
def test_a_paho_that_is_not_as_we_know_it_takes_its_own_way_and_that_is_told_once(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mqtt.Client, name, _read_otherwise)
    with caplog.at_level(logging.WARNING):
        source = MqttSource(MqttOptions("mqtt://127.0.0.1:1"))
    assert isinstance(source._client, PlainClient)
    assert [record.getMessage() for record in caplog.records] == [
        "paho-mqtt is not as we know it, messages take its own, slower way"
    ]
    monkeypatch.delattr(mqtt.Client, name)
    assert isinstance(MqttSource(MqttOptions("mqtt://127.0.0.1:1"))._client, PlainClient)


def test_processes_divide_gateways_by_name_and_no_message_comes_twice(mosquitto: Mosquitto) -> None:
    gateways = [f"G-{number}" for number in range(12)]
    given = {name: Split("1/3").falls_to(name) for name in gateways[:11]}
    divisions = [Division(Split(f"{number}/3"), given) for number in (1, 2, 3)]
    divisions[0].present = frozenset({1, 2, 3})

    async def main() -> None:
        before = MqttSource(MqttOptions(mosquitto.url, "ingest-2"))
        async with running(before):
            await listening(before)
        sources = [MqttSource(MqttOptions(mosquitto.url, f"ingest-{number}")) for number in (1, 2, 3)]
        for number, source in enumerate(sources):
            # Divided otherwise before: what an earlier session listened to must not come twice.
            source.listen(*divisions[number - 1].filters(gateways, ["a/+/up"]))
        async with running(*sources):
            await asyncio.gather(*(listening(source) for source in sources))
        for division, source in zip(divisions, sources, strict=True):
            source.listen(*division.filters(gateways[:11], ["a/+/up"]))
        async with running(*sources):
            await asyncio.gather(*(listening(source) for source in sources))
            taken: list[list[Message]] = [[], [], []]
            async with Publisher(mosquitto.port) as publisher:
                for number in range(240):
                    if number == 120:
                        for division, source in zip(divisions, sources, strict=True):
                            source.listen(*division.filters(gateways, ["a/+/up"]))
                    name = (*gateways, "nobody-knows-it")[number % 13]
                    topic = "a/b/up" if number % 10 == 9 else readings_topic(name)
                    publisher.publish(number, b"%d" % number, topic=topic)
                await eventually(lambda: len(publisher.acknowledged) == 240)
            for _ in range(3):
                for mine, source, division in zip(taken, sources, divisions, strict=True):
                    intake = await source.take(max_messages=500, wait_s=0.3, gather_s=0.05)
                    mine += division.ours(intake).single()
        assert sorted(int(m.payload) for mine in taken for m in mine) == list(range(240))
        assert all(taken)
        for mine in taken:
            assert [int(m.payload) for m in mine] == sorted(int(m.payload) for m in mine)
        heard = {m.topic.split("/")[2] for m in taken[0] if m.topic.startswith("citynerve/")}
        assert {"G-11", "nobody-knows-it"} <= heard, "who was not there when gateways were divided"

    asyncio.run(main())


def test_a_division_is_made_once_and_the_same_for_all_and_who_comes_later_stays_with_the_first(
    database_url: str,
) -> None:
    def register(numbers: range) -> None:
        with psycopg.connect(database_url) as connection:
            for number in numbers:
                connection.execute(
                    "INSERT INTO assets (asset_id, kind, name, root_id, correlation_group)"
                    " VALUES (%(id)s, 'gateway', %(id)s, %(id)s, 'g')",
                    {"id": f"G-{number}"},
                )
                connection.execute("INSERT INTO gateways (gateway_id) VALUES (%s)", (f"G-{number}",))

    async def main() -> None:
        pool = await open_pool(database_url)
        register(range(10))
        first = await asyncio.gather(*(settle(pool, Split(f"{n}/3")) for n in (1, 2, 3)))
        register(range(10, 20))
        again = [await settle(pool, Split(f"{n}/3")) for n in (1, 2, 3)]
        other = [await settle(pool, Split(f"{n}/2")) for n in (1, 2)]
        await pool.close()
        everybody = [f"G-{number}" for number in range(20)]
        mine = [division.filters(everybody, [])[0] for division in again]
        assert [division.filters(everybody, [])[0] for division in first] == mine
        assert mine[0] == ["citynerve/v1/+/+"]
        narrow = sorted(mine[1] + mine[2])
        assert len(narrow) == len(set(narrow)) > 3
        assert not {f"citynerve/v1/G-{number}/+" for number in range(10, 20)} & set(narrow)
        assert any(f"G-{n}/+" in one for n in range(10, 20) for one in other[1].filters(everybody, [])[0])

    asyncio.run(main())


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/65", "a/b", "-1/2", "1/2/3"])
def test_a_split_that_is_none_is_explained(text: str) -> None:
    with pytest.raises(SettingsError, match="say 2/4 for the second of four processes"):
        Split(text)
