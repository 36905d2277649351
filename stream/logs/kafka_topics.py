"""Kafka's metadata in the version that tells the ids of topics; aiokafka speaks only older ones."""

import uuid
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from city.errors import SettingsError


class _Uuid(AbstractType[uuid.UUID]):  # type: ignore[misc]
    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> uuid.UUID:
        return uuid.UUID(bytes=data.read(16))


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequestStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestStruct]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataRequestStruct]) -> _MetadataRequestStruct:
        no_tags: dict[int, bytes] = {}
        topics = [(uuid.UUID(int=0), topic, no_tags) for topic in self._topics]
        return request_struct_class(topics, False, False, no_tags)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Who answered."""

    cluster_id: str
    brokers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the brokers see it; `error` is Kafka's code, 0 once every partition has a leader."""

    name: str
    topic_id: str
    partitions: int
    error: int


async def fetch_topics(admin: Any, names: list[str]) -> tuple[Cluster, list[Topic]]:
    """Describe topics, in the order asked for.

    Raises
    ------
    SettingsError
        The brokers are older than Kafka 3.1.
    """
    try:
        answer = await admin._send_request(_MetadataRequest(names))
    except (NotImplementedError, IncompatibleBrokerVersion) as exc:
        raise SettingsError("the Kafka brokers are too old: citynerve needs Apache Kafka 3.1 or newer") from exc
    topics: dict[str, Topic] = {}
    for error, name, topic_id, _, partitions, _, _ in answer.topics:
        worst = error or max((partition[0] for partition in partitions), default=0)
        topics[name] = Topic(name, str(topic_id), len(partitions), worst)
    cluster = Cluster(answer.cluster_id or "", tuple(broker[0] for broker in answer.brokers))
    return cluster, [topics[name] for name in names]
