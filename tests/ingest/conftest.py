"""Both sources for the contract suite: a real Mosquitto behind paho, and the embedded broker."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from ingest import paho_contract
from ingest.broker import BrokerOptions, EmbeddedBroker
from ingest.intake import Source
from ingest.metrics import IngestMetrics
from ingest.mqtt_session import MqttOptions
from ingest.source import MqttSource
from tests.ingest.world import eventually, port_of
from tests.support.fix_mosquitto import Mosquitto
from tests.support.servers import free_port

OpenSource = Callable[[], AbstractAsyncContextManager[tuple[Source, int]]]
"""Opens the source under test, with the port for publishers; open it again and it is the same broker's."""


def mosquitto_source(request: pytest.FixtureRequest, version: str = "3.1.1") -> OpenSource:
    broker: Mosquitto = request.getfixturevalue("mosquitto")

    @asynccontextmanager
    async def open_source() -> AsyncIterator[tuple[Source, int]]:
        options = MqttOptions(broker.url, version=version, backoff_s_max=0.5)
        yield MqttSource(options, IngestMetrics()), port_of(broker.url)

    return open_source


def mqtt5_source(request: pytest.FixtureRequest) -> OpenSource:
    return mosquitto_source(request, "5")


def unknown_paho(request: pytest.FixtureRequest, version: str = "3.1.1") -> OpenSource:
    """Return what happens on a release of paho that is not as we know it."""
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    monkeypatch.setattr(paho_contract, "broken", lambda: "no longer so: anything")
    return mosquitto_source(request, version)


def unknown_paho_mqtt5(request: pytest.FixtureRequest) -> OpenSource:
    return unknown_paho(request, "5")


def embedded_source(request: pytest.FixtureRequest) -> OpenSource:
    port = free_port()

    @asynccontextmanager
    async def open_source() -> AsyncIterator[tuple[Source, int]]:
        broker = EmbeddedBroker(BrokerOptions(port=port, settle_s=0.0), IngestMetrics())
        await broker.start()
        yield broker, port

    return open_source


SOURCES = {"mosquitto": mosquitto_source, "embedded": embedded_source}
EVERY_SOURCE = {
    **SOURCES,
    "mqtt-5": mqtt5_source,
    "unknown-paho": unknown_paho,
    "unknown-paho-mqtt-5": unknown_paho_mqtt5,
}


@pytest.fixture(params=SOURCES)
def open_source(request: pytest.FixtureRequest) -> OpenSource:
    return SOURCES[request.param](request)


@pytest.fixture(params=EVERY_SOURCE)
def every_source(request: pytest.FixtureRequest) -> OpenSource:
    return EVERY_SOURCE[request.param](request)


@pytest.fixture(autouse=True)
def quiet_amqtt() -> Iterator[None]:
    """Amqtt says much; only the application configures logging, and here the test is it."""
    names = ("amqtt", "transitions")
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    yield
    for name in names:
        logging.getLogger(name).setLevel(logging.NOTSET)


async def listening(source: Source) -> None:
    """Wait until the source listens; the connection's answer comes through `take`."""
    while not source.listening:
        assert not len(await source.take(max_messages=10, wait_s=0.05, gather_s=0.0))


__all__ = ["SOURCES", "OpenSource", "eventually", "every_source", "listening", "open_source"]
