"""Apache Kafka for tests: broker and controller in one JVM, from the jars that engines.sh put into .cache/kafka."""

import base64
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import CACHE, Server, free_port, unavailable

JARS = CACHE / "kafka"

_CONFIGURATION = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
log.retention.check.interval.ms=1000
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=300
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=4194304
"""

_LOGGING = """\
<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %m (%c)%n%ex"/></Console></Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


class Kafka(Server):
    """The broker; `bootstrap` is where it listens."""

    def __init__(self, folder: Path, java: str) -> None:
        port = free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        self._java = java
        self._properties = folder / "server.properties"
        self._properties.write_text(_CONFIGURATION.format(port=port, controller=free_port(), folder=folder))
        (folder / "log4j2.xml").write_text(_LOGGING)
        super().__init__(folder, port, lambda: self._jvm("kafka.Kafka", str(self._properties)))

    def format(self) -> None:
        # A name that begins with a hyphen would be taken for an option.
        cluster = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        command = self._jvm("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"kafka storage could not be formatted:\n{done.stdout}\n{done.stderr}")

    def _jvm(self, program: str, *arguments: str) -> list[str]:
        options = ["-Xmx384m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
        logging = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.xml'}"
        return [self._java, *options, logging, "-cp", f"{JARS}/*", program, *arguments]


def make_kafka(folder: Path) -> Kafka:
    """Return a formatted broker on `folder`, not started; skip or fail where it cannot be had."""
    java = shutil.which("java")
    if java is None:
        unavailable("no java: run tests/support/engines.sh, or install default-jre-headless")
    if not (JARS / "complete").exists():
        unavailable(f"no Apache Kafka in {JARS}: run tests/support/engines.sh")
    broker = Kafka(folder, java)
    broker.format()
    return broker


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """The session's broker. Tests that kill it must start it again; all use names of their own."""
    broker = make_kafka(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def kafka(kafka_server: Kafka) -> str:
    """Where Apache Kafka listens, as host:port. It is shared: use a prefix of your own for topics and groups."""
    return kafka_server.bootstrap
