"""The broker's own configuration under the real Mosquitto: only paths and ports are changed."""

import asyncio
import json
import os
import queue
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
import yaml
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from prometheus_client import CollectorRegistry

from app.commands.authority import init
from city.clock import SystemClock
from ingest.credentials.authority import (
    Authority,
    Certificate,
    issue,
    make_authority,
    read_authority,
    refusals,
    revocation_list,
)
from ingest.credentials.engines.mosquitto import MosquittoAccess, MosquittoOptions
from ingest.credentials.hashing import make_password
from ingest.credentials.model import Grant, default_topics
from ingest.credentials.sealed import seal
from ingest.message import Message
from ingest.metrics import IngestMetrics
from ingest.mqtt_session import MqttOptions
from ingest.source import MqttSource
from tests.app.world import write_pack
from tests.deploy.conftest import Folder, copy_deployment, tool
from tests.e2e.processes import Process
from tests.support.exposition import sample
from tests.support.servers import Server, free_port, unavailable, wait_for_port

TIMEOUT_S = 60.0
REFUSED = 0x87
"""MQTT 5: not authorized."""


def dynamic_security() -> str:
    """Return where Debian has the plugin; the image has it elsewhere."""
    found = next((path for path in Path("/usr/lib").rglob("mosquitto_dynamic_security.so")), None)
    if found is None:
        unavailable("no dynamic security beside mosquitto: run tests/support/engines.sh")
    return str(found)


class Broker(Server):
    """Mosquitto on the deployed files."""

    def __init__(self, deployment: Folder, folder: Path, changes: Mapping[str, str] | None = None) -> None:
        self.health_port = free_port()
        self.inner_port = free_port()
        port = free_port()
        secrets = deployment.path / "deploy" / "secrets"
        self.authority = secrets / "trust" / "ca.crt"
        text = (deployment.path / "deploy" / "mosquitto" / "mosquitto.conf").read_text()
        configuration = folder / "mosquitto.conf"
        # What the broker includes has paths of its own.
        doors, self.certificates_port = folder / "doors", free_port()
        doors.mkdir()
        places = {
            "/mosquitto/secrets/doors": str(doors),
            "/mosquitto/data/": f"{folder}/",
            "/mosquitto/secrets/": f"{secrets / 'mosquitto'}/",
            "/mosquitto/config/": f"{deployment.path / 'deploy' / 'mosquitto'}/",
        }
        for before, after in {
            "listener 8883": f"listener {port} 127.0.0.1",
            "listener 8884": f"listener {self.inner_port} 127.0.0.1",
            "listener 1884 127.0.0.1": f"listener {self.health_port} 127.0.0.1",
            "/usr/lib/mosquitto_dynamic_security.so": dynamic_security(),
            **places,
            **(changes or {}),
        }.items():
            assert before in text
            text = text.replace(before, after)
        for found in (secrets / "mosquitto" / "doors").iterdir():
            door = found.read_text().replace("listener 8885", f"listener {self.certificates_port} 127.0.0.1")
            for before, after in places.items():
                door = door.replace(before, after)
            (doors / found.name).write_text(door)
        # In its container it is never root; here it may be, and must not change its account (see fix_mosquitto).
        configuration.write_text("user root\n" + text)
        compose = yaml.safe_load((deployment.path / "docker-compose.yml").read_text())
        *shell, script = compose["services"]["mosquitto"]["command"]
        script = script.replace("/mosquitto/config/mosquitto.conf", str(configuration)).replace(
            "exec mosquitto", "exec " + tool("mosquitto")
        )
        for before, after in places.items():
            script = script.replace(before, after)
        super().__init__(folder, port, lambda: [*shell, script])
        self.state = folder / "dynamic-security.json"
        env = deployment.settings()
        self.admin_url = f"mqtts://citynerve-admin:{env['MQTT_ADMIN_PASSWORD']}@localhost:{port}"
        self.passwords = {
            "citynerve-ingest": env["MQTT_INGEST_PASSWORD"],
            "citynerve-sim": env["MQTT_SIM_PASSWORD"],
        }

    def start(self) -> None:
        super().start()
        assert self._process is not None
        # Mosquitto opens its listeners one after the other; this is the last.
        wait_for_port(self.health_port, self._process, self.log)

    def tell(self, *gateways: str) -> None:
        """Give gateways a login each, as ingest's keeper does."""
        access = MosquittoAccess(MosquittoOptions(self.admin_url, str(self.authority)))
        self.passwords |= {gateway: make_password() for gateway in gateways}
        grants = [
            Grant(gateway, gateway, default_topics(gateway), sealed=seal(self.passwords[gateway], access.public_key))
            for gateway in gateways
        ]
        assert asyncio.run(access.apply(grants)).to_rotate == ()

    def url(self, user: str) -> str:
        """Return what a process of ours is given as CITYNERVE_MQTT_URL."""
        return f"mqtts://{user}:{self.passwords[user]}@localhost:{self.inner_port}"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    deployment = copy_deployment(tmp_path_factory.mktemp("deployment"))
    assert deployment.prepare().returncode == 0
    server = Broker(deployment, tmp_path_factory.mktemp("mosquitto"))
    server.start()
    server.tell("GW-1", "GW-2")
    yield server
    server.stop()


class Client:
    """An MQTT 5 client: the broker tells it why it refuses.

    Our own users take the inner door, all others the outer one, unless `port` says otherwise.
    """

    def __init__(
        self,
        broker: Broker,
        user: str | None,
        password: str | None = None,
        *,
        tls: bool = True,
        port: int = 0,
        client_id: str = "",
        shows: Path | None = None,
    ) -> None:
        self.events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id or f"test-{user}", protocol=MQTTProtocolVersion.MQTTv5
        )
        if user is not None:
            self._client.username_pw_set(user, broker.passwords[user] if password is None else password)
        if tls:
            context = ssl.create_default_context(cafile=str(broker.authority))
            if shows is not None:
                context.load_cert_chain(shows)
            self._client.tls_set_context(context)
        self._client.on_connect = lambda *event: self.events.put(("connected", event[3].value))
        self._client.on_publish = lambda *event: self.events.put(("published", event[3].value))
        self._client.on_subscribe = lambda *event: self.events.put(("subscribed", event[3][0].value))
        self._client.on_message = lambda *event: self.events.put((event[2].topic, event[2].payload))
        ours = user is not None and user.startswith("citynerve-")
        self._client.connect("127.0.0.1", port or (broker.inner_port if ours else broker.port))
        self._client.loop_start()

    def __enter__(self) -> "Client":
        assert self.event() == ("connected", 0)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def event(self) -> tuple[str, Any]:
        return self.events.get(timeout=TIMEOUT_S)

    def publish(self, topic: str, payload: bytes = b"{}") -> int:
        """Return the broker's word: 0, or 16 where nobody listens, for yes."""
        self._client.publish(topic, payload, qos=1)
        kind, code = self.event()
        assert kind == "published"
        return int(code)

    def subscribe(self, topic: str) -> int:
        self._client.subscribe(topic, qos=1)
        kind, code = self.event()
        assert kind == "subscribed"
        return int(code)


def ingest_options(broker: Broker, client_id: str = "citynerve-ingest", share: str = "") -> MqttOptions:
    return MqttOptions(broker.url("citynerve-ingest"), client_id, share, ca_file=str(broker.authority))


async def listen(source: MqttSource, until: Callable[[list[Message]], bool]) -> list[Message]:
    """Run ingest's source until it has what was waited for; what it took is acknowledged."""
    stop = asyncio.Event()
    running = asyncio.create_task(source.run(stop))
    taken: list[Message] = []
    while not until(taken):
        some = await source.take(max_messages=100, wait_s=0.1, gather_s=0)
        source.acknowledge(some)
        taken += some.single()
    stop.set()
    await running
    return taken


def test_gateway_publishes_under_its_own_topic_and_nowhere_else(broker: Broker) -> None:
    with Client(broker, "citynerve-ingest") as ingest, Client(broker, "GW-1") as gateway:
        assert ingest.subscribe("citynerve/v1/+/readings") == 1
        for topic in (
            "citynerve/v1/GW-2/readings",
            "citynerve/v1/GW-1/readings/more",
            "citynerve/v1/GW-1",
            "citynerve/ingest/citynerve-ingest",
            "elsewhere",
        ):
            assert gateway.publish(topic, b"forged") == REFUSED, topic
        for leaf in ("state", "senml"):
            assert gateway.publish(f"citynerve/v1/GW-1/{leaf}") in (0, 16)
        assert gateway.publish("citynerve/v1/GW-1/readings", b"true") == 0
        assert ingest.event() == ("citynerve/v1/GW-1/readings", b"true")
        assert ingest.events.empty()


def test_gateway_hears_nothing_of_others(broker: Broker) -> None:
    with (
        Client(broker, "citynerve-ingest") as ingest,
        Client(broker, "GW-2") as curious,
        Client(broker, "GW-1") as gateway,
    ):
        ingest.subscribe("citynerve/v1/+/readings")
        for topic in ("citynerve/v1/#", "#", "$SYS/#", "citynerve/v1/GW-2/readings", "$CONTROL/#"):
            assert curious.subscribe(topic) == REFUSED, topic
        assert gateway.publish("citynerve/v1/GW-1/readings", b"private") == 0
        assert ingest.event() == ("citynerve/v1/GW-1/readings", b"private")
        # Its own answer comes after whatever the broker would have sent before.
        assert curious.publish("citynerve/v1/GW-2/state") in (0, 16)
        assert curious.events.empty()


@pytest.mark.parametrize(
    ("user", "password"),
    [(None, None), ("GW-1", "wrong"), ("GW-1", ""), ("GW-9", "x"), ("citynerve-ingest", "x")],
    ids=str,
)
def test_nobody_enters_without_the_right_password(broker: Broker, user: str | None, password: str | None) -> None:
    client = Client(broker, user, password)
    kind, code = client.event()
    assert kind == "connected"
    assert code in (0x86, REFUSED)
    client.close()


def test_without_tls_nobody_is_heard(broker: Broker) -> None:
    client = Client(broker, "GW-1", tls=False)
    with pytest.raises(queue.Empty):
        client.events.get(timeout=0.5)
    client.close()


def test_certificate_is_the_brokers_own_and_only_our_authority_vouches_for_it(broker: Broker) -> None:
    for trusted, expected in ((None, ssl.SSLCertVerificationError), (str(broker.authority), None)):
        context = ssl.create_default_context(cafile=trusted)
        with (
            socket.create_connection(("127.0.0.1", broker.port)) as bare,
            pytest.raises(expected) if expected else nullcontext(),
            context.wrap_socket(bare, server_hostname="localhost") as secured,
        ):
            assert secured.version() in ("TLSv1.2", "TLSv1.3")


async def _with_waiting_messages(broker: Broker, count: int, meanwhile: Callable[[], None]) -> list[bytes]:
    """Let messages wait for an ingest that is away, and return what it gets when it is back."""
    away = MqttSource(ingest_options(broker))
    await listen(away, lambda _: away.listening)
    with Client(broker, "GW-1") as gateway:
        for number in range(count):
            assert gateway.publish("citynerve/v1/GW-1/readings", b"%d" % number) in (0, 16)
    meanwhile()
    taken = await listen(MqttSource(ingest_options(broker)), lambda taken: len(taken) >= count)
    return [message.payload for message in taken]


def test_gateway_that_calls_itself_ingest_takes_none_of_the_messages_that_wait_for_it(broker: Broker) -> None:
    def impostor() -> None:
        # A clean start under ingest's id is an order to forget ingest's session.
        with Client(broker, "GW-2", client_id="citynerve-ingest") as gateway:
            assert gateway.publish("citynerve/v1/GW-2/state") in (0, 16)

    got = asyncio.run(asyncio.wait_for(_with_waiting_messages(broker, 100, impostor), TIMEOUT_S))
    assert got == [b"%d" % number for number in range(100)]


def test_gateway_that_calls_itself_ingest_does_not_disconnect_it(broker: Broker) -> None:
    with Client(broker, "citynerve-ingest", client_id="citynerve-ingest") as ingest:
        assert ingest.subscribe("citynerve/v1/+/readings") == 1
        with Client(broker, "GW-1", client_id="citynerve-ingest") as impostor:
            assert impostor.publish("citynerve/v1/GW-1/readings", b"still here") == 0
            assert ingest.event() == ("citynerve/v1/GW-1/readings", b"still here")
        assert ingest.events.empty()


def test_a_door_does_not_know_the_passwords_of_the_other(broker: Broker) -> None:
    doors = {"GW-1": broker.inner_port, "citynerve-ingest": broker.port, "citynerve-sim": broker.port}
    for user, wrong_door in doors.items():
        client = Client(broker, user, port=wrong_door)
        assert client.event() == ("connected", REFUSED), user
        client.close()


def test_several_of_ingest_are_let_in_each_under_an_id_of_its_own(broker: Broker) -> None:
    with (
        Client(broker, "citynerve-ingest", client_id="citynerve-ingest-1") as one,
        Client(broker, "citynerve-ingest", client_id="citynerve-ingest-2") as two,
    ):
        assert (one.subscribe("citynerve/v1/+/readings"), two.subscribe("citynerve/v1/+/readings")) == (1, 1)


def test_gateway_takes_no_part_in_a_share_whether_it_knows_the_name_or_not(broker: Broker) -> None:
    share = "5f1d6c0c3c8b4b1f9d2e7a6b8c9d0e1f"
    with (
        Client(broker, "citynerve-ingest", client_id="citynerve-ingest-1") as ingest,
        Client(broker, "GW-2") as curious,
        Client(broker, "GW-1") as gateway,
    ):
        assert ingest.subscribe(f"$share/{share}/citynerve/v1/+/readings") == 1
        for name in ("ingest", "citynerve-ingest", "+", share):
            for topic in ("citynerve/v1/+/readings", "#"):
                assert curious.subscribe(f"$share/{name}/{topic}") == REFUSED
        for number in range(20):
            assert gateway.publish("citynerve/v1/GW-1/readings", b"%d" % number) == 0
        assert [ingest.event()[1] for _ in range(20)] == [b"%d" % number for number in range(20)]


def test_what_waits_for_ingest_survives_a_restart_of_the_broker_and_more_is_kept(
    prepared: Folder, tmp_path: Path
) -> None:
    broker = Broker(prepared, tmp_path)
    broker.start()

    async def main() -> list[bytes]:
        away = MqttSource(ingest_options(broker))
        await listen(away, lambda _: away.listening)
        with Client(broker, "citynerve-sim") as city:
            assert city.publish("citynerve/v1/GW-1/readings", b"before") in (0, 16)
        broker.stop()
        broker.start()
        with Client(broker, "citynerve-sim") as city:
            assert city.publish("citynerve/v1/GW-1/readings", b"after") in (0, 16)
        taken = await listen(MqttSource(ingest_options(broker)), lambda taken: len(taken) >= 2)
        return [message.payload for message in taken]

    try:
        assert asyncio.run(asyncio.wait_for(main(), 2 * TIMEOUT_S)) == [b"before", b"after"]
    finally:
        broker.stop()


def test_ingest_itself_listens_and_gets_its_marks_back(broker: Broker) -> None:
    async def main() -> None:
        source = MqttSource(ingest_options(broker))
        stop = asyncio.Event()
        running = asyncio.create_task(source.run(stop))
        while not source.listening:
            await source.take(max_messages=10, wait_s=0.1, gather_s=0)
        source.mark(b"mark")
        taken = []
        while not taken:
            taken = (await source.take(max_messages=10, wait_s=1.0, gather_s=0)).single()
        assert [(message.topic, message.payload) for message in taken] == [("", b"mark")]
        stop.set()
        await running

    asyncio.run(asyncio.wait_for(main(), TIMEOUT_S))


def test_ingest_hears_what_other_vendors_servers_send(broker: Broker) -> None:
    with Client(broker, "citynerve-ingest") as ingest:
        for topic in ("application/+/device/+/event/up", "v3/+/devices/+/up", "spBv1.0/#"):
            assert ingest.subscribe(topic) == 1
        assert ingest.publish("citynerve/v1/GW-1/readings") == REFUSED


def test_ingest_asks_nodes_of_sparkplug_for_their_births_and_commands_nothing_else(broker: Broker) -> None:
    with Client(broker, "citynerve-ingest") as ingest:
        assert ingest.publish("spBv1.0/city/NCMD/EDGE-1") != REFUSED
        assert ingest.publish("spBv1.0/city/DCMD/EDGE-1/meter") == REFUSED


def test_a_broker_that_lost_its_data_lets_itself_be_told_again(prepared: Folder, tmp_path: Path) -> None:
    broker = Broker(prepared, tmp_path)
    broker.start()
    try:
        broker.tell("GW-1")
        with Client(broker, "GW-1") as gateway:
            assert gateway.publish("citynerve/v1/GW-1/state") in (0, 16)
        # What it was told survives a restart, and not the loss of its volume.
        broker.stop()
        broker.start()
        with Client(broker, "GW-1"):
            pass
        broker.stop()
        broker.state.unlink()
        broker.start()
        client = Client(broker, "GW-1")
        assert client.event() == ("connected", REFUSED)
        client.close()
        broker.tell("GW-1")
        with Client(broker, "GW-1"):
            pass
    finally:
        broker.stop()


@pytest.fixture
def certified(deployment: Folder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, Path, Authority]]:
    """A broker with the door for certificates, the folder of the authority, and the authority."""
    folder = deployment.path / "deploy" / "secrets" / "authority"
    assert deployment.prepare().returncode == 0
    refused = deployment.prepare("certificates")
    assert (refused.returncode, "citynerve ca init" in refused.stderr) == (2, True)
    init(folder, "gateways of the city", 20, None)
    signer = read_authority((folder / "ca.crt").read_bytes(), (folder / "ca.key").read_bytes(), None)
    assert deployment.prepare("certificates").returncode == 0
    broker = Broker(deployment, tmp_path_factory.mktemp("certified"))
    broker.start()
    yield broker, folder, signer
    broker.stop()


def shown(folder: Path, made: Certificate) -> Path:
    """Return the file of a gateway that has its certificate and its key."""
    path = folder / f"{made.serial}.pem"
    path.write_text(made.pem + made.key_pem)
    return path


def test_gateway_with_a_certificate_needs_no_password_and_is_who_it_says(
    certified: tuple[Broker, Path, Authority], tmp_path: Path
) -> None:
    broker, _, signer = certified
    now_us = SystemClock().now_us()
    mine = shown(tmp_path, issue(signer, "GW-1", 30, now_us))
    foreign = shown(tmp_path, issue(make_authority("another", 60, now_us), "GW-1", 30, now_us))
    door = {"port": broker.certificates_port}
    with (
        Client(broker, "citynerve-ingest") as ingest,
        Client(broker, None, shows=mine, client_id="citynerve-ingest", **door) as gateway,
    ):
        assert ingest.subscribe("citynerve/v1/+/+") == 1
        for topic in ("citynerve/v1/GW-2/readings", "citynerve/v1/GW-1/a/b", "citynerve/v1/GW-1/made-up", "elsewhere"):
            assert gateway.publish(topic, b"forged") == REFUSED
        assert gateway.publish("citynerve/v1/GW-1/readings", b"mine") == 0
        assert ingest.event() == ("citynerve/v1/GW-1/readings", b"mine")
        gateway.subscribe("citynerve/v1/GW-1/readings")
        assert gateway.publish("citynerve/v1/GW-1/readings", b"private") == 0
        assert gateway.events.empty()
    for shows in (None, foreign):
        assert not enters(broker, shows)


def enters(broker: Broker, shows: Path | None) -> bool:
    """Tell whether a certificate opens its door; TLS refuses it, so that nobody says why."""
    try:
        client = Client(broker, None, port=broker.certificates_port, shows=shows)
    except ssl.SSLError:
        return False
    try:
        return client.events.get(timeout=3) == ("connected", 0)
    except queue.Empty:
        return False
    finally:
        client.close()


def test_revoked_certificate_opens_nothing_from_the_signal_on_and_its_open_connection_says_nothing(
    certified: tuple[Broker, Path, Authority], deployment: Folder, tmp_path: Path
) -> None:
    broker, folder, signer = certified
    now_us = SystemClock().now_us()
    stays, goes = (issue(signer, name, 30, now_us) for name in ("GW-1", "GW-2"))
    door = {"port": broker.certificates_port}
    with (
        Client(broker, "citynerve-ingest") as ingest,
        Client(broker, None, shows=shown(tmp_path, stays), client_id="a", **door) as good,
        Client(broker, None, shows=shown(tmp_path, goes), client_id="b", **door) as bad,
    ):
        assert ingest.subscribe("citynerve/v1/+/+") == 1
        assert bad.publish("citynerve/v1/GW-2/readings", b"before") == 0
        assert ingest.event() == ("citynerve/v1/GW-2/readings", b"before")
        (folder / "revoked.pem").write_bytes(revocation_list(signer, [(goes.serial, now_us)], now_us + 2_000_000))
        (folder / "refused").write_bytes(refusals(["GW-2"]))
        assert "docker compose kill -s HUP mosquitto" in deployment.prepare("certificates").stdout
        os.kill(broker.pid, signal.SIGHUP)
        deadline = time.monotonic() + 20
        while bad.publish("citynerve/v1/GW-2/readings", b"after") == 0:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert good.publish("citynerve/v1/GW-1/readings", b"stays") == 0
        while (heard := ingest.event())[1] == b"after":
            pass
        assert heard == ("citynerve/v1/GW-1/readings", b"stays")
    assert enters(broker, shown(tmp_path, stays))
    assert not enters(broker, shown(tmp_path, goes))


def test_administration_may_do_nothing_else(broker: Broker) -> None:
    password = broker.admin_url.split(":")[2].split("@")[0]
    client = Client(broker, "citynerve-admin", password, port=broker.port)
    assert client.event() == ("connected", 0)
    assert client.publish("citynerve/v1/GW-1/readings", b"forged") == REFUSED
    assert client.subscribe("citynerve/v1/#") == REFUSED
    client.close()
    inside = Client(broker, "citynerve-admin", password)
    assert inside.event() == ("connected", REFUSED)
    inside.close()


def test_simulated_gateways_speak_for_themselves_over_tls(broker: Broker, tmp_path: Path) -> None:
    env = {
        "CITYNERVE_MQTT_CA": str(broker.authority),
        "CITYNERVE_CITY": str(write_pack(tmp_path / "city")),
        "CITYNERVE_DATA": str(tmp_path / "data"),
    }
    sim = Process("sim", ["sim", "--mqtt-url", broker.url("citynerve-sim")], env, tmp_path)
    with Client(broker, "citynerve-ingest") as ingest:
        assert ingest.subscribe("citynerve/v1/+/readings") == 1
        sim.start()
        try:
            topic, payload = ingest.events.get(timeout=120)
        finally:
            sim.stop()
    assert topic.startswith("citynerve/v1/GW-")
    assert json.loads(payload)["readings"]


def test_what_the_broker_throws_away_is_told(prepared: Folder, tmp_path: Path) -> None:
    narrow = {"max_queued_messages 1000000": "max_queued_messages 2", "sys_interval 10": "sys_interval 1"}
    broker = Broker(prepared, tmp_path, narrow)
    broker.start()
    registry = CollectorRegistry()
    options = ingest_options(broker)

    async def main() -> None:
        first = MqttSource(options)
        await listen(first, lambda _: first.listening)
        # Ingest is away: two messages wait for it, the others find its queue full.
        with Client(broker, "citynerve-sim") as city:
            for _ in range(5):
                assert city.publish("citynerve/v1/GW-1/readings") in (0, 16)
        again = MqttSource(options, IngestMetrics(registry))
        taken = await listen(again, lambda _: sample(registry, "citynerve_ingest_broker_dropped_messages") == 3)
        assert {message.topic for message in taken} <= {"citynerve/v1/GW-1/readings"}

    try:
        asyncio.run(asyncio.wait_for(main(), 2 * TIMEOUT_S))
    finally:
        broker.stop()


def test_health_check_sees_the_version_and_nothing_else(broker: Broker) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    client.on_message = lambda *event: heard.put(event[2].topic)
    client.connect("127.0.0.1", broker.health_port)
    client.subscribe([("$SYS/#", 0), ("#", 0)])
    client.loop_start()
    assert heard.get(timeout=TIMEOUT_S) == "$SYS/broker/version"
    client.disconnect()
    client.loop_stop()
    assert heard.empty()
