"""All families together: whatever checkpoint is gone on from, and however often, the alarms are the same."""

from functools import cache
from itertools import pairwise

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from anomaly.correlate import CorrelateStage, CorrelatorState
from anomaly.detector import DetectStage
from anomaly.state import DetectorState
from city import topics
from city.alarm import AlarmEvent, AlarmEventKind
from city.clock import DAY_US
from stream import codec
from stream.log import Append, Record, TopicPartition
from tests.anomaly.mixed import LEARNT, Mixed

SOURCE, GROUP = TopicPartition(topics.READINGS, 0), TopicPartition(topics.CANDIDATES, 0)
UNTIL = LEARNT + 3 * DAY_US
Saved = tuple[bytes, bytes]
"""Snapshots of detection and of correlation."""


class Machine:
    """Detection and correlation of the partition."""

    def __init__(self, saved: Saved | None = None) -> None:
        self.detect, self.correlate = DetectStage(1), CorrelateStage(1, 1)
        detected, correlated = saved or (None, None)
        self.state: DetectorState = self.detect.open(SOURCE, detected)
        self.seen: CorrelatorState = self.correlate.open(GROUP, correlated)

    def take(self, records: list[Record], chunk: int) -> list[bytes]:
        said: list[Append] = []
        for start in range(0, len(records), chunk):
            said += self.detect.step(self.state, records[start : start + chunk]).appends
        heard = [Record(topics.CANDIDATES, 0, 0, a.kind, a.value, a.at_us) for a in said]
        return [made.value for made in self.correlate.step(self.seen, heard).appends]

    def save(self) -> Saved:
        return self.detect.snapshot(self.state), self.correlate.snapshot(self.seen)


@cache
def learnt(seed: int, late: bool) -> tuple[Saved, tuple[Record, ...]]:
    """The partition after a fortnight without faults, and what comes then."""
    records = Mixed(seed, UNTIL, late).records()
    cut = next(n for n, record in enumerate(records) if record.at_us >= LEARNT)
    machine = Machine()
    assert not raised(machine.take(records[:cut], 500))
    return machine.save(), tuple(records[cut:])


def raised(events: list[bytes]) -> set[tuple[str, str]]:
    made = [codec.decode(AlarmEvent, event) for event in events]
    return {(e.fault.value, e.scope.asset_id) for e in made if e.kind is AlarmEventKind.RAISED}


@pytest.mark.timeout(600)
@settings(max_examples=5, deadline=None, phases=(Phase.explicit, Phase.generate))
@example((1, False), [0.2, 0.5], 300, 40)
@example((2, True), [0.3, 0.8], 100, 40)
@given(
    st.sampled_from([(1, False), (2, True)]),
    st.lists(st.floats(0, 1), min_size=1, max_size=4),
    st.integers(20, 300),
    st.integers(0, 40),
)
def test_replay_from_any_checkpoint_gives_the_same_alarms_of_all_families(
    world: tuple[int, bool], shares: list[float], chunk: int, repeated: int
) -> None:
    saved, records = learnt(*world)
    whole = Machine(saved)
    cuts = [0, *sorted(int(share * len(records)) for share in shares), len(records)]
    kept, said = [saved], []
    for low, high in pairwise(cuts):
        said.append(whole.take(list(records[low:high]), 500))
        kept.append(whole.save())
    found = {asset for _, asset in raised([event for part in said for event in part])}
    # Of the lamp with counters alone a night or two is not enough where its messages come late.
    expected = {"C0F0L0", "C0F0L3", "C1F1", "C1F0L1", "B0", "S0"} | (set() if world[1] else {"C1F0L4"})
    assert expected <= found
    for number, (low, high) in enumerate(pairwise(cuts)):
        again = Machine(kept[number])
        assert again.save() == kept[number], "what was read is written again"
        # It dies once more in between, and works from the same checkpoint anew: what it said twice is the same.
        end = min(high, low + repeated)
        first = Machine(kept[number]).take(list(records[low:end]), 7)
        once_more = again.take(list(records[low:high]), chunk)
        assert once_more == said[number]
        assert once_more[: len(first)] == first
        assert again.save() == kept[number + 1]
