"""The broker's own configuration under the real Mosquitto: only paths and ports are changed."""

import asyncio
import json
import queue
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from prometheus_client import CollectorRegistry

from ingest.message import Message
from ingest.metrics import IngestMetrics
from ingest.source import MqttOptions, MqttSource
from tests.app.world import write_pack
from tests.deploy.conftest import Folder, copy_deployment, tool
from tests.e2e.processes import Process
from tests.support.exposition import sample
from tests.support.servers import Server, free_port

TIMEOUT_S = 60.0
REFUSED = 0x87
"""MQTT 5: not authorized."""


class Broker(Server):
    """Mosquitto on the deployed files."""

    def __init__(self, deployment: Folder, folder: Path, changes: Mapping[str, str] | None = None) -> None:
        self.health_port = free_port()
        port = free_port()
        secrets = deployment.path / "deploy" / "secrets"
        self.authority = secrets / "trust" / "ca.crt"
        text = (deployment.path / "deploy" / "mosquitto" / "mosquitto.conf").read_text()
        for before, after in {
            "listener 8883": f"listener {port} 127.0.0.1",
            "listener 1884 127.0.0.1": f"listener {self.health_port} 127.0.0.1",
            "/mosquitto/data/": f"{folder}/",
            "/mosquitto/secrets/": f"{secrets / 'mosquitto'}/",
            "/mosquitto/config/": f"{deployment.path / 'deploy' / 'mosquitto'}/",
            **(changes or {}),
        }.items():
            assert before in text
            text = text.replace(before, after)
        configuration = folder / "mosquitto.conf"
        # In its container it is never root; here it may be, and must not change its account (see fix_mosquitto).
        configuration.write_text("user root\n" + text)
        super().__init__(folder, port, lambda: [tool("mosquitto"), "-c", str(configuration)])
        env = deployment.settings()
        self.passwords = {
            "citynerve-ingest": env["MQTT_INGEST_PASSWORD"],
            "citynerve-sim": env["MQTT_SIM_PASSWORD"],
        }


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    deployment = copy_deployment(tmp_path_factory.mktemp("deployment"))
    assert deployment.prepare().returncode == 0
    given = deployment.prepare("gateway", "GW-1", "GW-2")
    server = Broker(deployment, tmp_path_factory.mktemp("mosquitto"))
    server.passwords |= dict(line.split() for line in given.stdout.splitlines())
    server.start()
    yield server
    server.stop()


class Client:
    """An MQTT 5 client: the broker tells it why it refuses."""

    def __init__(self, broker: Broker, user: str | None, password: str | None = None, *, tls: bool = True) -> None:
        self.events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"test-{user}", protocol=MQTTProtocolVersion.MQTTv5
        )
        if user is not None:
            self._client.username_pw_set(user, broker.passwords[user] if password is None else password)
        if tls:
            self._client.tls_set_context(ssl.create_default_context(cafile=str(broker.authority)))
        self._client.on_connect = lambda *event: self.events.put(("connected", event[3].value))
        self._client.on_publish = lambda *event: self.events.put(("published", event[3].value))
        self._client.on_subscribe = lambda *event: self.events.put(("subscribed", event[3][0].value))
        self._client.on_message = lambda *event: self.events.put((event[2].topic, event[2].payload))
        self._client.connect("127.0.0.1", broker.port)
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
        assert gateway.publish("citynerve/v1/GW-1/state") in (0, 16)
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
        # Asking is not refused; what is delivered is decided message by message.
        for topic in ("citynerve/v1/#", "#", "$SYS/#"):
            curious.subscribe(topic)
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


def test_ingest_itself_listens_and_gets_its_marks_back(broker: Broker) -> None:
    async def main() -> None:
        password = broker.passwords["citynerve-ingest"]
        url = f"mqtts://citynerve-ingest:{password}@localhost:{broker.port}"
        source = MqttSource(MqttOptions(url, "citynerve-ingest", ca_file=str(broker.authority)))
        stop = asyncio.Event()
        running = asyncio.create_task(source.run(stop))
        while not source.listening:
            await source.take(max_messages=10, wait_s=0.1, gather_s=0)
        source.mark(b"mark")
        taken = []
        while not taken:
            taken = await source.take(max_messages=10, wait_s=1.0, gather_s=0)
        assert [(message.topic, message.payload) for message in taken] == [("", b"mark")]
        stop.set()
        await running

    asyncio.run(asyncio.wait_for(main(), TIMEOUT_S))


def test_simulated_gateways_speak_for_themselves_over_tls(broker: Broker, tmp_path: Path) -> None:
    password = broker.passwords["citynerve-sim"]
    env = {
        "CITYNERVE_MQTT_CA": str(broker.authority),
        "CITYNERVE_CITY": str(write_pack(tmp_path / "city")),
        "CITYNERVE_DATA": str(tmp_path / "data"),
    }
    url = f"mqtts://citynerve-sim:{password}@localhost:{broker.port}"
    sim = Process("sim", ["sim", "--mqtt-url", url], env, tmp_path)
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
    url = f"mqtts://citynerve-ingest:{broker.passwords['citynerve-ingest']}@localhost:{broker.port}"
    options = MqttOptions(url, "citynerve-ingest", ca_file=str(broker.authority))

    async def listen(source: MqttSource, until: Callable[[], bool]) -> list[Message]:
        stop = asyncio.Event()
        running = asyncio.create_task(source.run(stop))
        taken: list[Message] = []
        while not until():
            taken += await source.take(max_messages=10, wait_s=0.1, gather_s=0)
        stop.set()
        await running
        return taken

    async def main() -> None:
        first = MqttSource(options)
        await listen(first, lambda: first.listening)
        # Ingest is away: two messages wait for it, the others find its queue full.
        with Client(broker, "citynerve-sim") as city:
            for _ in range(5):
                assert city.publish("citynerve/v1/GW-1/readings") in (0, 16)
        again = MqttSource(options, IngestMetrics(registry))
        taken = await listen(again, lambda: sample(registry, "citynerve_ingest_broker_dropped_messages") == 3)
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
