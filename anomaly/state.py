"""The state of one partition of `readings`: what is known of its roots, its devices' columns, and their snapshot."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly import gaps, snapshot, suspicions
from anomaly.copies import Copies
from anomaly.families import families
from anomaly.family import Context, Family, Layout, Learnt, places
from anomaly.lamps.layout import LAMP, LEARNT, RULES
from anomaly.layout import (
    CURRENT,
    DEVICE,
    DIMMING,
    ENERGY,
    FACTOR,
    HOURS,
    OTHER,
    POWER,
    STATE,
    SWITCHES,
    VOLTAGE,
)
from anomaly.packed_roots import PackedRoots, Text, text_of
from anomaly.reorder import ReorderBuffer
from anomaly.schedules import PeriodTable
from anomaly.unlearn import Unlearning
from city.alarm import Scope, Suspicion
from city.asset import AssetKind, GatewayDefinition, Switching
from city.clock import MINUTE_US, SECOND_US
from city.lighting import LightingSchedule
from city.link import GatewayLink
from city.maintenance import MaintenanceWindow
from city.metric import (
    ACTIVE_ENERGY,
    ACTIVE_POWER,
    DIMMING_LEVEL,
    OPERATING_HOURS,
    POWER_FACTOR,
    SUPPLY_CURRENT,
    SUPPLY_VOLTAGE,
    SWITCH_ON_COUNT,
)
from city.reading import ReadingBatch
from city.registry import DeviceDefinition, FaultRules, FeederDefinition, RootDefinition, SeriesDefinition
from stream import codec

CHANNELS = {
    ACTIVE_POWER: POWER,
    SUPPLY_VOLTAGE: VOLTAGE,
    DIMMING_LEVEL: DIMMING,
    SUPPLY_CURRENT: CURRENT,
    POWER_FACTOR: FACTOR,
    ACTIVE_ENERGY: ENERGY,
    OPERATING_HOURS: HOURS,
    SWITCH_ON_COUNT: SWITCHES,
}
DEAF_MAX = 64
WAIT_US = 15 * MINUTE_US
"""Correlation waits so long before it raises a lamp's alarm: a reading that contradicts withdraws the suspicion."""
RETURN_US = 30 * MINUTE_US
"""So long after an outage of ours gateways may take to come back before their silence counts."""
_OPEN_FIELDS = ("dark_open", "on_open", "silent_open", "dark_run", "on_run")


@dataclass(slots=True)
class DetectorState:
    """Everything that a partition's decisions depend on, changed in place.

    Attributes
    ----------
    devices, states, lamps : layout.DEVICE[m], layout.STATE[m], lamps.layout.LAMP[m]
        Rows in the order of `device_ids`.
    rules : lamps.layout.RULES[]
        What `devices` refer to.
    scopes, device_ids : list
        What row numbers mean.
    gaps : gaps.GAP[m]
        How long each is waited for, and what was learnt of that.
    by_gateway, first_of : int32[m], int64[n_gateways + 1]
        Rows of the devices of gateway g: ``by_gateway[first_of[g]:first_of[g + 1]]``.
    device_of, channel_of : int32[], uint8[]
        By series id; −1 where the series is not of this partition.
    deaf : int64[k, 2]
        Periods in which ingest did not listen, µs UTC, the latest `DEAF_MAX`.
    tick_at, tick_period_us : int
        The last tick; 0 before the first.
    outside_c : float or None
        How warm it was outside at the last tick, °C.
    links : dict
        Gateway → whether it is connected, as ticks have told; gateways that nobody tells of are not there.
    resumed_at : int
        When ticks came back after an outage of ours while nothing was heard yet since; else 0.
    pending : list of Suspicion
        What was found since the last tick and will be said at the next.
    arrived : dict
        Roots that came with the log and are not laid out yet.
    packed : PackedRoots
        `roots` as a snapshot holds them; another one when they change.
    unlearning : Unlearning
        What was learnt before works that go on.
    families : list of Family
        Rules with columns of their own, fed beside those of the lamps.
    """

    partition: int
    roots: dict[str, RootDefinition] = field(default_factory=dict)
    arrived: dict[str, RootDefinition] = field(default_factory=dict)
    buffer: ReorderBuffer = field(default_factory=ReorderBuffer)
    tick_at: int = 0
    tick_period_us: int = 0
    outside_c: float | None = None
    links: dict[str, GatewayLink] = field(default_factory=dict)
    resumed_at: int = 0
    pending: list[Suspicion] = field(default_factory=list)
    deaf: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    devices: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, DEVICE))
    states: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, STATE))
    lamps: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, LAMP))
    gaps: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, gaps.GAP))
    by_gateway: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    first_of: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    rules: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, RULES))
    device_ids: list[str] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    device_of: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    channel_of: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    periods: PeriodTable = field(default_factory=lambda: PeriodTable(()))
    packed: PackedRoots = field(default_factory=PackedRoots)
    unlearning: Unlearning = field(default_factory=Unlearning)
    families: list[Family] = field(default_factory=families)
    _windows: list[MaintenanceWindow] = field(default_factory=list)
    """Of `roots`, as `_gateways` are: whoever asked each root at every tick would ask thousands of them."""
    _gateways: dict[str, GatewayDefinition] = field(default_factory=dict)
    _texts: dict[str, Text] = field(default_factory=dict)
    """`arrived` as they came."""

    def install(self, root: RootDefinition, text: bytes | None = None) -> None:
        """Learn or replace what is below one root, from the next judgement on.

        A city's roots arrive in a row: laying the columns out anew for each would cost the square of their number.

        Parameters
        ----------
        text : bytes, optional
            The root as the log has it.
        """
        if self.arrived.get(root.root_id, self.roots.get(root.root_id)) != root:
            self.arrived[root.root_id] = root
            self._texts[root.root_id] = root if text is None else text

    def settle(self) -> None:
        """Lay the columns out for the roots that have arrived; devices that stay where they are keep their state."""
        if not self.arrived:
            return
        self.roots |= self.arrived
        self.packed = self.packed.joined(self._texts)
        self.arrived, self._texts = {}, {}
        if self.unlearning.kept:
            self.unlearning.due = None
        before, scopes = self.device_ids, self.scopes
        columns = self.states, self.lamps, self.gaps
        layout = self._compile()
        for family in self.families:
            self.pending.extend(family.lay_out(layout, self.tick_at))
        self._carry_devices(before, columns, scopes)

    def _carry_devices(self, before: list[str], columns: Sequence[NDArray[np.void]], scopes: list[Scope]) -> None:
        """Give devices what they were before; end what was open of those that are gone or hang elsewhere."""
        states, lamps, _ = columns
        source = places(before, self.device_ids)
        rows = np.flatnonzero(source >= 0)
        # A device that is on its way from one root to the other may stand twice for a moment: the first goes on.
        rows = rows[np.sort(np.unique(source[rows], return_index=True)[1])]
        for column, carried in zip(columns, (self.states, self.lamps, self.gaps), strict=True):
            carried[rows] = column[source[rows]]
        for row, old in zip(rows.tolist(), source[rows].tolist(), strict=True):
            # A root that has not changed is the same object: thousands of scopes need no comparing.
            if scopes[old] is self.scopes[row] or scopes[old] == self.scopes[row]:
                continue
            self.pending.extend(suspicions.withdrawn(states[old], lamps[old], before[old], scopes[old], self.tick_at))
            for name in _OPEN_FIELDS:
                self.states[name][row] = 0
            self.lamps["open"][row] = 0
        unused = np.ones(len(before), np.bool_)
        unused[source[rows]] = False
        there = set(self.device_ids) if unused.any() else set()
        gone = {before[old]: old for old in np.flatnonzero(unused).tolist() if before[old] not in there}
        for device_id, old in gone.items():
            self.pending.extend(suspicions.withdrawn(states[old], lamps[old], device_id, scopes[old], self.tick_at))

    def hear_tick(self, at: int, period_us: int, outside_c: float | None = None) -> None:
        """Move time; a gap since the last tick means that nobody listened meanwhile.

        Gateways may be slower to come back than we are, so the gap lasts until the first of them is heard, if that is
        soon: a city that stays silent after it is silent.
        """
        if self.tick_at and at - self.tick_at > 3 * max(period_us, self.tick_period_us):
            gap = np.array([[self.tick_at, at]], np.int64)
            self.deaf = np.concatenate([self.deaf, gap])[-DEAF_MAX:]
            self.resumed_at = at
        elif self.resumed_at and at - self.resumed_at <= RETURN_US:
            self.deaf[-1, 1] = at
        self.tick_at, self.tick_period_us, self.outside_c = at, period_us, outside_c

    def hear_links(self, links: Iterable[GatewayLink]) -> None:
        """Take what a tick says of gateways' connections; a state that is said again lasts since it was said first."""
        for link in links:
            known = self.links.get(link.gateway_id)
            if known is None or known.online != link.online:
                self.links[link.gateway_id] = link

    def windows(self, now: int) -> list[MaintenanceWindow]:
        """Return the maintenance windows that correlation has to know of at `now`, µs UTC, one for each root."""
        return [w for w in self._windows if w.is_told(now)]

    def gateways(self) -> dict[str, GatewayDefinition]:
        """Return the gateways that speak for what is watched here, by id."""
        return self._gateways

    def unlearn(self, now: int) -> None:
        """Keep works out of what is learnt; called once all that was measured up to `now`, µs UTC, was judged."""
        if self.unlearning.pass_time(self._windows, None, now):
            own = Learnt("lamps", self.lamps, self.device_ids, self.scopes, LEARNT)
            lost = Learnt("gaps", self.gaps, self.device_ids, self.scopes, gaps.LEARNT)
            columns = [own, lost, *(one for family in self.families for one in family.learnt())]
            self.unlearning.pass_time(self._windows, columns, now)

    def hear_readings(self) -> None:
        """Note that something was heard: after an outage of ours, the city is back."""
        self.resumed_at = 0

    def context(self, earliest: int, latest: int) -> Context:
        """Return what is known beside readings of [earliest, latest], µs UTC."""
        outside_c = math.nan if self.outside_c is None else self.outside_c
        periods = self.periods.around(earliest, latest)
        return Context(periods, self.deaf, self.tick_at, outside_c, self.links, self.gaps)

    def _compile(self) -> Layout:
        roots = [self.roots[root_id] for root_id in sorted(self.roots)]
        schedules: dict[LightingSchedule, int] = {}
        schedule_of: list[int] = []
        feeders: dict[str, tuple[int, FeederDefinition]] = {}
        for root in roots:
            for feeder in root.feeders:
                schedule_of.append(schedules.setdefault(feeder.schedule, len(schedules)))
                feeders[feeder.scope.asset_id] = (len(schedule_of) - 1, feeder)
        self._windows = [window for root in roots for window in root.windows]
        self._gateways = {one.gateway_id: one for root in roots for one in root.gateways}
        self.periods = PeriodTable(tuple(schedules))
        rows = [(root, device) for root in roots for device in root.devices]
        self.device_ids = [device.device_id for _, device in rows]
        self.scopes = [device.asset for _, device in rows]
        columns = []
        rules: dict[FaultRules, int] = {}
        gateways: dict[str, int] = {}
        # Rules are long to compare, and of all devices of a root the same.
        rule_of = {id(root): rules.setdefault(root.rules, len(rules)) for root in roots}
        for root, device in rows:
            number, found = feeders.get(device.asset.feeder_id, (-1, None))
            schedule = -1 if found is None else schedule_of[number]
            gateway = gateways.setdefault(device.asset.gateway_id, len(gateways))
            columns.append(_device_row(root.rules, rule_of[id(root)], device, number, found, schedule, gateway))
        self.devices = np.array(columns, DEVICE)
        self.rules = np.array([rules_row(rule) for rule in rules], RULES)
        self.states = np.zeros(len(rows), STATE)
        self.lamps = np.zeros(len(rows), LAMP)
        self.gaps = np.zeros(len(rows), gaps.GAP)
        self.by_gateway = np.argsort(self.devices["gateway"], kind="stable").astype(np.int32)
        self.first_of = np.concatenate([[0], np.cumsum(np.bincount(self.devices["gateway"], minlength=len(gateways)))])
        self._index_series([device for _, device in rows])
        return Layout(tuple(roots), rows, schedules)

    def _index_series(self, devices: Iterable[DeviceDefinition]) -> None:
        counts: list[int] = []
        series: list[SeriesDefinition] = []
        for device in devices:
            counts.append(len(device.series))
            series += device.series
        ids = np.fromiter((one.series_id for one in series), np.int64, len(series))
        size = 1 + int(ids.max(initial=-1))
        self.device_of = np.full(size, -1, np.int32)
        self.channel_of = np.full(size, OTHER, np.uint8)
        self.device_of[ids] = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        self.channel_of[ids] = [CHANNELS.get(one.metric, OTHER) for one in series]

    def freeze(self, copies: Copies | None = None) -> Callable[[], bytes]:
        """Copy the state as it is now; return what makes the bytes of a snapshot of the copy, in whatever thread.

        Parameters
        ----------
        copies : Copies, optional
            Whose memory to copy into: given back as soon as the bytes are made.
        """
        own, kept = self._columns()
        copy = (copies or Copies()).of([*own, *(piece for pieces in kept.values() for piece in pieces)])
        held, pending = self.buffer.waiting(), list(self.pending)
        arrived, roots = list(self._texts.values()), self.packed
        before_works = Unlearning(self.unlearning.kept)
        header: dict[str, Any] = {
            "partition": self.partition,
            "tick": [self.tick_at, self.tick_period_us],
            "outside": self.outside_c,
            "links": [[one.gateway_id, one.online, one.since] for _, one in sorted(self.links.items())],
            "resumed": self.resumed_at,
            "latest": self.buffer.latest,
        }

        def pack() -> bytes:
            header["pending"] = [codec.encode(suspicion).decode() for suspicion in pending]
            header["unlearning"] = before_works.as_plain()
            header["arrived"] = [text_of(root).decode() for root in arrived]
            copied = iter(copy.pieces())
            parts = [roots.bytes(), *(snapshot.pack(next(copied)) for _ in own)]
            parts.append(snapshot.pack(codec.encode_batch(ReadingBatch.concatenate(held))))
            header["families"] = {name: len(parts) + number for number, name in enumerate(kept)}
            parts += [snapshot.pack(*(next(copied) for _ in pieces)) for pieces in kept.values()]
            copy.release()
            return snapshot.join(header, parts)

        return pack

    def _columns(self) -> tuple[list[NDArray[Any]], dict[str, list[NDArray[Any]]]]:
        """Return the columns that a snapshot holds, not copies: those of all devices, and each family's."""
        return [self.states, self.lamps, self.gaps, self.deaf], {family.name: family.keep() for family in self.families}

    def copy_bytes(self) -> int:
        """Return how much memory a copy takes."""
        own, kept = self._columns()
        return sum(column.nbytes for columns in (own, *kept.values()) for column in columns)

    def snapshot(self) -> bytes:
        """Return the state as bytes."""
        return self.freeze()()

    @classmethod
    def restore(cls, saved: bytes) -> "DetectorState":
        """Read what `snapshot` wrote."""
        header, parts = snapshot.split(saved)
        roots = [codec.decode(RootDefinition, text) for text in snapshot.unpack(parts[0]).splitlines()]
        state = cls(header["partition"])
        state.roots = {root.root_id: root for root in roots}
        state.packed = PackedRoots(tuple(state.roots), parts[0])
        for text in header["arrived"]:
            state.install(codec.decode(RootDefinition, text.encode()), text.encode())
        state.pending = [codec.decode(Suspicion, text.encode()) for text in header["pending"]]
        layout = state._compile()
        for family in state.families:
            family.lay_out(layout, 0)
            if family.name in header["families"]:
                family.restore(snapshot.unpack(parts[header["families"][family.name]]))
        state.states = np.frombuffer(snapshot.unpack(parts[1]), STATE).copy()
        state.lamps = np.frombuffer(snapshot.unpack(parts[2]), LAMP).copy()
        state.gaps = np.frombuffer(snapshot.unpack(parts[3]), gaps.GAP).copy()
        state.deaf = np.frombuffer(snapshot.unpack(parts[4]), np.int64).reshape(-1, 2).copy()
        state.buffer = ReorderBuffer(codec.decode_batch(snapshot.unpack(parts[5])), header["latest"])
        state.tick_at, state.tick_period_us = header["tick"]
        state.resumed_at = header.get("resumed", 0)
        state.outside_c = header.get("outside")
        state.links = {name: GatewayLink(name, online, since) for name, online, since in header.get("links", ())}
        state.unlearning = Unlearning.of_plain(header.get("unlearning", ()))
        return state


def _device_row(
    rules: FaultRules,
    rule: int,
    device: DeviceDefinition,
    feeder: int,
    found: FeederDefinition | None,
    schedule: int,
    gateway: int,
) -> tuple[float, ...]:
    """Return the fields of `layout.DEVICE` in their order."""
    interval_us = device.report_interval_s * SECOND_US
    return (
        interval_us,
        round(device.silence_intervals * interval_us),
        rules.guard_s * SECOND_US,
        device.rated_w,
        rules.dark_below,
        max(rules.unexpected_on_w, rules.unexpected_on_share * device.rated_w),
        rules.unexpected_on_share,
        rules.dark_readings,
        rules.unexpected_on_readings,
        schedule,
        feeder,
        device.asset.kind == AssetKind.LAMP,
        found is not None and found.switching == Switching.SWITCHED,
        is_led(device.lamp_type),
        found is not None and bool(found.schedule.dimming),
        rule,
        gateway,
        interval_us <= WAIT_US,
    )


def is_led(lamp_type: str) -> bool:
    """Tell whether a lamp has LED, as nearly all have that nobody says otherwise of."""
    return not lamp_type or "led" in lamp_type.lower()


def rules_row(rules: FaultRules) -> tuple[float, ...]:
    """Return the fields of `lamps.layout.RULES` in their order."""
    return (
        rules.confirm_readings,
        rules.learn_readings,
        rules.power_off_share,
        rules.module_lost_share,
        rules.flicker_share,
        rules.flicker_leaps,
        rules.dimming_s * SECOND_US,
        rules.power_factor_low,
        rules.power_factor_drop,
        rules.cycling_relit,
        rules.cycling_switch_ons,
        rules.stuck_probability,
        rules.reset_within_s * SECOND_US,
        rules.relearn_s * SECOND_US,
        rules.voltage_off_share,
    )
