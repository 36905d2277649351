"""What a partition knows of its roots: changed by the log alone, cheap to save; no fault of a device that is gone."""

import time
from dataclasses import replace

import numpy as np
import pytest

from anomaly import reorder
from anomaly.detector import PART_ITEMS, DetectStage
from anomaly.state import DetectorState
from city.alarm import AlarmEvent, AlarmEventKind, CandidateBatch, CandidateKind, FaultClass
from city.asset import AssetKind
from city.clock import HOUR_US, MINUTE_US, SECOND_US
from city.reading import Reading, ReadingBatch
from city.registry import RootDefinition
from city.topics import READINGS
from stream import codec
from stream.codec import Tick
from stream.log import Append, Record
from tests.anomaly.world import INTERVAL, START, Town, correlate, detect, root

NIGHT = START + 9 * HOUR_US


def record(offset: int, kind: str, value: object, at: int = START) -> Record:
    return Record(READINGS, 0, offset, kind, codec.encode(value), at)


def batches(appends: list[Append]) -> list[CandidateBatch]:
    return [codec.decode(CandidateBatch, append.value) for append in appends]


def dark_since_evening(lamp: str, at: int, on: bool) -> float | None:
    if lamp == "C0F0L3" and at >= START + 6 * HOUR_US:
        return 0.0
    return 40.0 if on else 0.3


def moved(cabinet: RootDefinition, how: str) -> RootDefinition:
    """The cabinet after the pack has changed: one lamp is gone, or hangs on another feeder."""
    kept = [d for d in cabinet.devices if d.device_id != "D-C0F0L3"]
    if how == "gone":
        return replace(cabinet, devices=tuple(kept))
    (device,) = [d for d in cabinet.devices if d.device_id == "D-C0F0L3"]
    scope = replace(device.asset, feeder_id="C0F1")
    return replace(cabinet, devices=(*kept, replace(device, asset=scope)))


@pytest.mark.parametrize("how", ["gone", "moved"])
@pytest.mark.parametrize("saved_between", [False, True])
def test_the_fault_of_a_device_that_goes_or_moves_ends_with_it(how: str, saved_between: bool) -> None:
    town = Town(dark_since_evening, hours=12)
    records = town.records[0]
    cut = next(i for i, r in enumerate(records) if r.at_us >= NIGHT)
    change = record(records[cut].offset, codec.REGISTRY, moved(root(0), how), NIGHT)
    after = [change, *(replace(r, offset=r.offset + 1) for r in records[cut:])]
    state, first = detect(records[:cut])
    if saved_between:
        state, _ = detect(after[:1], state)
        state, after = DetectorState.restore(state.snapshot()), after[1:]
    _, second = detect(after, state)
    other = detect(town.records[1])[1]
    events = [codec.decode(AlarmEvent, value) for value in correlate([*first, *second, *other])[1]]
    told = [(e.kind, e.scope.feeder_id) for e in events if e.scope.asset_id == "C0F0L3"]
    assert told[:2] == [(AlarmEventKind.RAISED, "C0F0"), (AlarmEventKind.CLEARED, "C0F0")]
    assert told[2:] == ([] if how == "gone" else [(AlarmEventKind.RAISED, "C0F1")])


def test_a_root_is_laid_out_at_the_same_moment_wherever_a_checkpoint_falls() -> None:
    """A lamp that hangs elsewhere within one import keeps its state, though a snapshot was taken half-way."""
    one, two = root(0), root(1)
    (device,) = [d for d in one.devices if d.device_id == "D-C0F0L0"]
    less = replace(one, devices=tuple(d for d in one.devices if d is not device))
    more = replace(two, devices=(*two.devices, replace(device, asset=replace(device.asset, root_id="C1"))))
    reading = ReadingBatch.of([Reading(device.series[0].series_id, 0, START - MINUTE_US, START, 0.3)])
    records = [
        record(0, codec.REGISTRY, one),
        record(1, codec.REGISTRY, two),
        Record(READINGS, 0, 2, codec.BATCH, codec.encode_batch(reading), START),
        record(3, codec.TICK, Tick(START, MINUTE_US)),
        record(4, codec.REGISTRY, less),
        record(5, codec.REGISTRY, more),
        record(6, codec.TICK, Tick(START + MINUTE_US, MINUTE_US)),
    ]
    whole, said = detect(records, chunk=100)
    half, before = detect(records[:5], chunk=1)
    again, after = detect(records[5:], DetectorState.restore(half.snapshot()))
    assert [a.value for a in (*before, *after)] == [a.value for a in said]
    assert again.snapshot() == whole.snapshot()
    row = whole.device_ids.index("D-C0F0L0")
    assert whole.states["heard_at"][row] == START - MINUTE_US


def test_a_thousand_roots_are_laid_out_once() -> None:
    state = DetectorState(0)
    stage = DetectStage(1)
    roots = [record(n, codec.REGISTRY, root(n)) for n in range(1000)]
    started = time.process_time()
    stage.step(state, roots)
    assert not state.device_ids
    stage.step(state, [record(1000, codec.TICK, Tick(START, MINUTE_US))])
    assert len(state.device_ids) == 16_000
    assert time.process_time() - started < 30  # minutes, where each root laid out all


def test_a_snapshot_packs_the_roots_once() -> None:
    state, _ = detect([record(n, codec.REGISTRY, root(n)) for n in range(50)])
    state.settle()
    first = state.snapshot()
    packed = state.packed.bytes()
    assert state.snapshot() == first
    assert state.packed.bytes() is packed
    assert DetectorState.restore(first).snapshot() == first


def test_a_city_silent_at_once_is_said_in_parts_below_the_logs_limit() -> None:
    cabinets = [root(n) for n in range(120)]
    devices = [d for cabinet in cabinets for d in cabinet.devices]
    heard = ReadingBatch.of([Reading(d.series[0].series_id, 0, START, START, 0.3) for d in devices])
    later = START + 3 * HOUR_US
    records = [record(n, codec.REGISTRY, cabinet) for n, cabinet in enumerate(cabinets)]
    records.append(Record(READINGS, 0, 120, codec.BATCH, codec.encode_batch(heard), START))
    ticks = range(START + MINUTE_US, later, MINUTE_US)
    records += [record(121 + n, codec.TICK, Tick(at, MINUTE_US), at) for n, at in enumerate(ticks)]
    said = batches(detect(records)[1])
    parts = [b for b in said if b.parts > 1]
    assert [b.part for b in parts] == list(range(parts[0].parts))
    suspected = [s.scope.asset_id for b in parts for s in b.suspicions]
    assert len(suspected) == len(set(suspected)) > PART_ITEMS
    assert max(len(b.suspicions) for b in said) <= PART_ITEMS


def test_what_came_before_the_first_tick_after_our_outage_is_no_silence() -> None:
    """Ingest was down and readings of that time are lost: the first ones after it come before the first tick."""
    town = Town(hours=14)
    night, morning = START + 6 * HOUR_US, START + 11 * HOUR_US
    said = []
    for records in town.records.values():
        heard = [r for r in records if not night <= r.at_us < morning]
        caught_up = morning + 20 * MINUTE_US
        heard = [r for r in heard if not (morning <= r.at_us < caught_up and r.kind == codec.TICK)]
        assert sum(r.kind == codec.BATCH for r in heard if morning <= r.at_us < caught_up) == 2
        said += detect([replace(r, offset=n) for n, r in enumerate(heard)])[1]
    assert [s for b in batches(said) for s in b.suspicions if s.fault is FaultClass.COMMUNICATION_FAILURE] == []


def test_the_buffer_is_bounded_where_no_tick_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reorder, "ROWS_MAX", 1000)
    buffer = reorder.ReorderBuffer()
    released = 0
    for n in range(200):
        at = START + n * SECOND_US
        rows = [Reading(1 + i, i % 3, at - (i % 3) * HOUR_US, at, 1.0) for i in range(30)]
        gone = buffer.push(ReadingBatch.of(rows))
        released += len(gone)
        assert len(buffer.held) <= 1000
        for gateway in range(3):
            late = gone.observed_at[gone.gateway_id == gateway]
            assert not len(late) or late.max() <= at - gateway * HOUR_US - reorder.LATENESS_US
    assert released + len(buffer.held) == 6000
    again = reorder.ReorderBuffer(buffer.held, buffer.latest)
    assert again.latest == buffer.latest == [(g, START + 199 * SECOND_US - g * HOUR_US) for g in range(3)]


def test_one_gateways_flood_at_one_moment_does_not_fill_the_buffer_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reorder, "ROWS_MAX", 1000)
    buffer = reorder.ReorderBuffer()
    rows = ReadingBatch.of([Reading(1, 1, START, START, 1.0)] * 700)
    assert len(buffer.push(rows)) == 0
    assert len(buffer.push(rows)) == 1400
    assert np.array_equal(buffer.held.series_id, ReadingBatch.empty().series_id)


def test_a_clear_is_said_of_a_device_not_of_its_kind() -> None:
    state, _ = detect([record(0, codec.REGISTRY, root(0))])
    state.settle()
    state.states["silent_open"][0] = 1
    state.states["silent_since"][0] = START
    state.tick_at = START + INTERVAL
    state.install(replace(root(0), devices=root(0).devices[1:]))
    state.settle()
    (clear,) = state.pending
    assert (clear.kind, clear.fault, clear.until) == (
        CandidateKind.CLEAR,
        FaultClass.COMMUNICATION_FAILURE,
        START + INTERVAL,
    )
    assert clear.scope.kind is AssetKind.LAMP
