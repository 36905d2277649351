"""The state of one partition of `readings`: what is known of its roots, its devices' columns, and their snapshot."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomaly.layout import DEVICE, DIMMING, OTHER, POWER, STATE, VOLTAGE
from anomaly.reorder import ReorderBuffer
from anomaly.schedules import PeriodTable
from city.alarm import Scope, Suspicion
from city.asset import AssetKind, Switching
from city.clock import SECOND_US
from city.lighting import LightingSchedule
from city.metric import ACTIVE_POWER, DIMMING_LEVEL, SUPPLY_VOLTAGE
from city.reading import ReadingBatch
from city.registry import DeviceDefinition, FeederDefinition, RootDefinition
from stream import codec

CHANNELS = {ACTIVE_POWER: POWER, SUPPLY_VOLTAGE: VOLTAGE, DIMMING_LEVEL: DIMMING}
DEAF_MAX = 64


@dataclass(slots=True)
class DetectorState:
    """Everything that a partition's decisions depend on, changed in place.

    Attributes
    ----------
    devices, states : layout.DEVICE[m], layout.STATE[m]
        Rows in the order of `device_ids`.
    scopes, device_ids, feeders : list
        What row and feeder numbers mean.
    device_of, channel_of : int32[], uint8[]
        By series id; −1 where the series is not of this partition.
    deaf : int64[k, 2]
        Periods in which ingest did not listen, µs UTC, the latest `DEAF_MAX`.
    tick_at, tick_period_us : int
        The last tick; 0 before the first.
    pending : list of Suspicion
        What was found since the last tick and will be said at the next.
    """

    partition: int
    roots: dict[str, RootDefinition] = field(default_factory=dict)
    buffer: ReorderBuffer = field(default_factory=ReorderBuffer)
    tick_at: int = 0
    tick_period_us: int = 0
    pending: list[Suspicion] = field(default_factory=list)
    deaf: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    devices: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, DEVICE))
    states: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, STATE))
    device_ids: list[str] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    feeders: list[Scope] = field(default_factory=list)
    device_of: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    channel_of: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    periods: PeriodTable = field(default_factory=lambda: PeriodTable(()))

    def install(self, root: RootDefinition) -> None:
        """Learn or replace what is below one root; devices that stay keep their state."""
        if self.roots.get(root.root_id) != root:
            self.roots[root.root_id] = root
            self.rebuild()

    def rebuild(self) -> None:
        """Lay the columns out anew for what `roots` says now."""
        kept = dict(zip(self.device_ids, self.states, strict=True))
        self._compile()
        for row, device_id in enumerate(self.device_ids):
            if device_id in kept:
                self.states[row] = kept[device_id]

    def hear_tick(self, at: int, period_us: int) -> None:
        """Move time; a gap since the last tick means that nobody listened meanwhile."""
        if self.tick_at and at - self.tick_at > 3 * max(period_us, self.tick_period_us):
            gap = np.array([[self.tick_at, at]], np.int64)
            self.deaf = np.concatenate([self.deaf, gap])[-DEAF_MAX:]
        self.tick_at, self.tick_period_us = at, period_us

    def _compile(self) -> None:
        roots = [self.roots[root_id] for root_id in sorted(self.roots)]
        schedules: dict[LightingSchedule, int] = {}
        feeders: dict[str, tuple[int, FeederDefinition]] = {}
        for root in roots:
            for feeder in root.feeders:
                schedules.setdefault(feeder.schedule, len(schedules))
                feeders[feeder.scope.asset_id] = (len(feeders), feeder)
        self.feeders = [feeder.scope for _, feeder in feeders.values()]
        self.periods = PeriodTable(tuple(schedules))
        rows = [(root, device) for root in roots for device in root.devices]
        self.device_ids = [device.device_id for _, device in rows]
        self.scopes = [device.asset for _, device in rows]
        self.devices = np.zeros(len(rows), DEVICE)
        self.states = np.zeros(len(rows), STATE)
        for row, (root, device) in enumerate(rows):
            number, found = feeders.get(device.asset.feeder_id, (-1, None))
            self.devices[row] = _device_row(root, device, number, found, schedules)
        self._index_series([device for _, device in rows])

    def _index_series(self, devices: Iterable[DeviceDefinition]) -> None:
        series = [(s, row) for row, device in enumerate(devices) for s in device.series]
        size = 1 + max((s.series_id for s, _ in series), default=-1)
        self.device_of = np.full(size, -1, np.int32)
        self.channel_of = np.full(size, OTHER, np.uint8)
        for definition, row in series:
            self.device_of[definition.series_id] = row
            self.channel_of[definition.series_id] = CHANNELS.get(definition.metric, OTHER)

    def snapshot(self) -> bytes:
        """Return the state as bytes: a JSON header, then the columns as they lie in memory."""
        held = codec.encode_batch(self.buffer.held)
        columns = [self.states.tobytes(), self.deaf.tobytes(), held]
        header = json.dumps(
            {
                "partition": self.partition,
                "tick": [self.tick_at, self.tick_period_us],
                "latest": sorted(self.buffer.latest.items()),
                "pending": [codec.encode(suspicion).decode() for suspicion in self.pending],
                "roots": [codec.encode(self.roots[root_id]).decode() for root_id in sorted(self.roots)],
                "sizes": [len(column) for column in columns],
            },
            separators=(",", ":"),
        ).encode()
        return b"".join([len(header).to_bytes(4, "little"), header, *columns])

    @classmethod
    def restore(cls, snapshot: bytes) -> "DetectorState":
        """Read what `snapshot` wrote."""
        length = int.from_bytes(snapshot[:4], "little")
        header = json.loads(snapshot[4 : 4 + length])
        columns, position = [], 4 + length
        for size in header["sizes"]:
            columns.append(snapshot[position : position + size])
            position += size
        state = cls(header["partition"])
        state.roots = {
            root.root_id: root for root in (codec.decode(RootDefinition, text.encode()) for text in header["roots"])
        }
        state.pending = [codec.decode(Suspicion, text.encode()) for text in header["pending"]]
        state._compile()
        state.states = np.frombuffer(columns[0], STATE).copy()
        state.deaf = np.frombuffer(columns[1], np.int64).reshape(-1, 2).copy()
        held: ReadingBatch = codec.decode_batch(columns[2])
        state.buffer = ReorderBuffer(held, {int(k): int(v) for k, v in header["latest"]})
        state.tick_at, state.tick_period_us = header["tick"]
        return state


def _device_row(
    root: RootDefinition,
    device: DeviceDefinition,
    feeder: int,
    found: FeederDefinition | None,
    schedules: dict[LightingSchedule, int],
) -> NDArray[np.void]:
    rules = root.rules
    interval_us = device.report_interval_s * SECOND_US
    row = np.zeros((), DEVICE)
    row["interval_us"] = interval_us
    row["silence_us"] = round(device.silence_intervals * interval_us)
    row["guard_us"] = rules.guard_s * SECOND_US
    row["rated_w"] = device.rated_w
    row["dark_below"] = rules.dark_below
    row["on_above_w"] = max(rules.unexpected_on_w, rules.unexpected_on_share * device.rated_w)
    row["dark_readings"] = rules.dark_readings
    row["on_readings"] = rules.unexpected_on_readings
    row["schedule"] = schedules[found.schedule] if found else -1
    row["feeder"] = feeder
    row["lamp"] = device.asset.kind == AssetKind.LAMP
    row["switched"] = found is not None and found.switching == Switching.SWITCHED
    return row
