"""Detection and correlation outside their workers: records in, alarms out, in one process and without a database."""

from collections.abc import Iterator, Sequence

from anomaly.correlate import CorrelateStage, CorrelatorState
from anomaly.detector import DetectStage
from anomaly.state import DetectorState
from city import topics
from stream.log import Append, Record, TopicPartition


class Detection:
    """Detection of one partition of `readings`, from an empty state on.

    Parameters
    ----------
    groups : int
        Partitions of `candidates`.
    """

    def __init__(self, partition: int, groups: int) -> None:
        self._stage = DetectStage(groups)
        self._state: DetectorState = self._stage.open(TopicPartition(topics.READINGS, partition), None)

    def take(self, records: Sequence[Record]) -> list[Append]:
        """Take the next records; return the candidates that they lead to."""
        return self._stage.step(self._state, records).appends


class Correlation:
    """Correlation of all groups, from empty states on.

    Parameters
    ----------
    groups, readings : int
        Partitions of `candidates` and of `readings`.
    """

    def __init__(self, groups: int, readings: int) -> None:
        self._stage = CorrelateStage(readings, 1, candidate_partitions=groups)
        self._states: list[CorrelatorState] = [
            self._stage.open(TopicPartition(topics.CANDIDATES, group), None) for group in range(groups)
        ]
        self._heard = 0

    def hear(self, candidates: Sequence[Append]) -> Iterator[Append]:
        """Yield the alarms' events that candidates lead to, in the order in which they are decided."""
        for append in candidates:
            self._heard += 1
            record = Record(append.topic, append.partition, self._heard, append.kind, append.value, append.at_us)
            yield from self._stage.step(self._states[append.partition], [record]).appends

    @property
    def decided_at(self) -> int:
        """Up to when everything is decided, µs UTC."""
        return min((state.decided_at for state in self._states), default=0)
