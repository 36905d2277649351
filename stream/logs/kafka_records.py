"""What the log and the consumers of the Kafka engine share: options, headers, errors."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import codec
from aiokafka.errors import KafkaError

from city.errors import EngineError
from stream.log import Append, Record

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KafkaLogOptions:
    """How the engine behaves.

    Attributes
    ----------
    prefix : str
        Begins the name of every topic and group, so that several cities share a cluster.
    timeout_s : float
        After this long without an answer a call gives up with EngineError.
    session_timeout_s : float
        A member that is not heard of for so long loses its partitions.
    poll_gap_s_max : float
        A member that lives but does not poll for so long loses its partitions too.
    compression : str or None
        "lz4", "zstd" or "gzip"; used only where the library for it is installed.
    """

    prefix: str = "citynerve."
    max_record_bytes: int = 1 << 20
    fetch_bytes_max: int = 32 << 20
    timeout_s: float = 10.0
    session_timeout_s: float = 6.0
    poll_gap_s_max: float = 300.0
    compression: str | None = "lz4"
    username: str | None = None
    password: str | None = None
    sasl_mechanism: str = "SCRAM-SHA-512"
    tls: bool = False
    tls_ca: str | None = None

    @property
    def timeout_ms(self) -> int:
        return int(self.timeout_s * 1000)

    def client_arguments(self) -> dict[str, Any]:
        """Return what every client of aiokafka takes."""
        protocol = ("SASL_" if self.username else "") + ("SSL" if self.tls else "PLAINTEXT")
        arguments: dict[str, Any] = {"security_protocol": protocol, "client_id": "citynerve"}
        if self.tls:
            arguments["ssl_context"] = ssl.create_default_context(cafile=self.tls_ca)
        if self.username:
            arguments |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return arguments

    def usable_compression(self) -> str | None:
        """Return the compression if its library is there."""
        there = {"lz4": codec.has_lz4, "zstd": codec.has_zstd, "gzip": codec.has_gzip}
        return self.compression if self.compression in there and there[self.compression]() else None


@asynccontextmanager
async def engine_errors(timeout_s: float) -> AsyncIterator[None]:
    """Give up after `timeout_s`, and translate what the driver raises.

    Raises
    ------
    EngineError
        The brokers did not answer in time, or refused.
    """
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except KafkaError as exc:
        raise EngineError(f"Kafka did not answer: {type(exc).__name__} {str(exc)[:300]}") from exc
    except TimeoutError as exc:
        raise EngineError(f"Kafka did not answer within {timeout_s:g} s") from exc
    except OSError as exc:
        raise EngineError(f"Kafka cannot be reached: {exc}") from exc


async def end_task(task: Any) -> None:
    """Cancel one of aiokafka's background tasks until it has ended: some swallow the first cancellation."""
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.05)


async def stop_consumer(consumer: Any, timeout_s: float) -> None:
    """Leave the group, if there is one, and close; a server that is gone needs no goodbye."""
    if consumer._fetcher is not None:
        await end_task(consumer._fetcher._fetch_task)  # `stop` would wait for it, and it may miss the one signal
    us = asyncio.current_task()
    try:
        async with engine_errors(timeout_s):
            await consumer.stop()
    except EngineError:
        logger.debug("a consumer of Kafka was closed without a goodbye")
    except asyncio.CancelledError:
        # It waits for tasks that it has cancelled, and takes their end for ours.
        if us is not None and us.cancelling():
            raise


def to_headers(record: Append) -> list[tuple[str, bytes]]:
    """Carry what Kafka has no field for; its timestamp has only milliseconds."""
    return [("kind", record.kind.encode()), ("meta", record.meta), ("at_us", str(record.at_us).encode())]


def to_record(topic: str, record: Any) -> Record:
    """Turn aiokafka's record into ours."""
    headers = dict(record.headers)
    return Record(
        topic,
        record.partition,
        record.offset,
        headers.get("kind", b"").decode(),
        record.value or b"",
        int(headers.get("at_us", record.timestamp * 1000)),
        headers.get("meta") or b"",
    )
