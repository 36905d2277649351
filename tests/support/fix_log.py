"""Both engines of the event log for the contract tests, each with a server that a test may kill."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from storage.embedded import EmbeddedPostgres
from storage.migrate import migrate
from stream.log import EventLog, TopicPartition
from stream.logs.kafka import KafkaLogOptions, open_kafka_log
from stream.logs.postgres import open_postgres_log
from stream.logs.postgres_rows import PostgresLogOptions
from tests.support.fix_kafka import Kafka


class LogEngine(Protocol):
    """One engine over one empty log."""

    name: str

    def open(self, **options: Any) -> AbstractAsyncContextManager[EventLog]:
        """Open the log; options are those that both engines know, others are left out."""

    def spawn_member(self, session_timeout_s: float, group: str, *topics: str) -> "Member":
        """Start a member of a group in a process of its own."""

    def kill(self) -> None:
        """SIGKILL the server."""

    def start(self) -> None:
        """Start it again on what it left behind."""


class Member:
    """See `log_member`: what it printed so far, and its process."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.log_member", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).resolve().parents[2],
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self._unread = b""
        self.said: list[dict[str, Any]] = []

    def listen(self) -> None:
        """Take in what it printed since."""
        assert self.process.stdout is not None
        while news := self.process.stdout.read():
            self._unread += news
        *lines, self._unread = self._unread.split(b"\n")
        self.said += [json.loads(line) for line in lines]

    @property
    def owns(self) -> frozenset[TopicPartition]:
        """What it owns as far as it knows."""
        self.listen()
        told = [one["owns"] for one in self.said if "owns" in one]
        return frozenset(TopicPartition(*source) for source in told[-1]) if told else frozenset()

    def heard(self, what: str) -> list[Any]:
        self.listen()
        return [one[what] for one in self.said if what in one]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def _known(kind: type, options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name in kind.__dataclass_fields__}


class PostgresEngine:
    name = "postgres"

    def __init__(self, url: str, server: EmbeddedPostgres | None = None) -> None:
        self._url = url
        self._server = server

    @asynccontextmanager
    async def open(self, **options: Any) -> AsyncIterator[EventLog]:
        log = await open_postgres_log(self._url, PostgresLogOptions(**_known(PostgresLogOptions, options)))
        try:
            yield log
        finally:
            await log.close()

    def spawn_member(self, session_timeout_s: float, group: str, *topics: str) -> Member:
        return Member("postgres", self._url, "", str(session_timeout_s), group, *topics)

    def kill(self) -> None:
        assert self._server is not None
        assert self._server.pid is not None
        os.kill(self._server.pid, signal.SIGKILL)
        self._server.stop()

    def start(self) -> None:
        assert self._server is not None
        self._server.start()


class KafkaEngine:
    name = "kafka"

    def __init__(self, server: Kafka) -> None:
        self._server = server
        self._prefix = f"test-{secrets.token_hex(6)}."

    @asynccontextmanager
    async def open(self, **options: Any) -> AsyncIterator[EventLog]:
        known = {"prefix": self._prefix} | _known(KafkaLogOptions, options)
        log = await open_kafka_log(self._server.bootstrap, KafkaLogOptions(**known))
        try:
            yield log
        finally:
            await log.close()

    def spawn_member(self, session_timeout_s: float, group: str, *topics: str) -> Member:
        return Member("kafka", self._server.bootstrap, self._prefix, str(session_timeout_s), group, *topics)

    def kill(self) -> None:
        self._server.kill()

    def start(self) -> None:
        self._server.start()


@pytest.fixture(params=["postgres", "kafka"])
def log_engine(request: pytest.FixtureRequest) -> LogEngine:
    """An empty log on each engine in turn."""
    if request.param == "postgres":
        return PostgresEngine(request.getfixturevalue("database_url"))
    return KafkaEngine(request.getfixturevalue("kafka_server"))


@pytest.fixture(params=["postgres", "kafka"])
def mortal_log_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogEngine]:
    """The same with a durable server that the test may kill and start again."""
    with contextlib.ExitStack() as stack:
        if request.param == "postgres":
            server = EmbeddedPostgres(tmp_path / "postgres")
            stack.callback(server.stop)
            url = server.start()
            migrate(url)
            yield PostgresEngine(url, server)
        else:
            kafka: Kafka = request.getfixturevalue("kafka_server")
            yield KafkaEngine(kafka)
            kafka.ensure_started()
