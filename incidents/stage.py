"""The desk as a worker: `alarms` → tickets, decided and checkpointed in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

from city import topics
from city.alarm import AlarmEvent
from incidents.metrics import DeskMetrics
from incidents.store import Desk
from storage.pool import Connection
from stream import codec
from stream.log import Record, TopicPartition
from stream.worker import Outcome


class DeskStage:
    """Group `desk`. It keeps no state of its own: what it knows stands in the tables, under their locks."""

    group = "desk"
    topics = (topics.ALARMS,)
    code_version = "desk-1"
    transactional = True

    def __init__(self, desk: Desk, metrics: DeskMetrics | None = None) -> None:
        self._desk = desk
        self._metrics = metrics or DeskMetrics()

    def open(self, source: TopicPartition, snapshot: bytes | None) -> None:
        return None

    def snapshot(self, state: None) -> None:
        return None

    def step(self, state: None, records: Sequence[Record]) -> Outcome:
        """Read the alarms; deciding waits for the lock."""
        events = [codec.decode(AlarmEvent, record.value) for record in records if record.kind == codec.ALARM]
        return Outcome(effects=events or None)

    async def write(self, connection: Connection, effects: Mapping[TopicPartition, Any]) -> None:
        """Decide on all events of the poll, in the order of their partitions."""
        events = [event for source in sorted(effects) for event in effects[source]]
        await self._desk.take_alarms(connection, events)
        for event in events:
            self._metrics.alarm_events.labels(event.kind).inc()
