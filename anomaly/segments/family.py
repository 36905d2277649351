"""The rules of feeders and cabinets as one family: their columns, what feeds them, and when they judge."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.family import Context, Family, Layout, Rows, carry
from anomaly.segments import kernels
from anomaly.segments.layout import FEEDER, LAMP, LEVEL, OTHER, POWER, SAID, VOLTAGE, VOLTS
from anomaly.segments.voltage import lost_neutral
from city.alarm import CandidateKind, Evidence, FaultClass, Scope, Suspicion
from city.asset import AssetKind, Switching
from city.clock import MINUTE_US, SECOND_US
from city.metric import ACTIVE_POWER, DIMMING_LEVEL, SUPPLY_VOLTAGE
from city.registry import DeviceDefinition, FeederDefinition, RootDefinition

CHANNELS = {ACTIVE_POWER: POWER, SUPPLY_VOLTAGE: VOLTAGE, DIMMING_LEVEL: LEVEL}
_PHASES = {"R": 0, "S": 1, "T": 2}
_OPEN = (("apart_since", FaultClass.LOST_NEUTRAL),)


class Segments(Family):
    """Feeders and cabinets of one partition: all below a cabinet is here."""

    name: ClassVar[str] = "segments"

    def __init__(self) -> None:
        self._device_ids: list[str] = []
        self._lamps: NDArray[np.void] = np.zeros(0, LAMP)
        self._said: NDArray[np.void] = np.zeros(0, SAID)
        self._scopes: list[Scope] = []
        self._feeders: NDArray[np.void] = np.zeros(0, FEEDER)
        self._channel_of: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self._counted_at = 0

    def lay_out(self, layout: Layout, at: int) -> list[Suspicion]:
        feeders = {f.scope.asset_id: f for root in layout.roots for f in root.feeders}
        scopes = [feeder.scope for feeder in feeders.values()]
        gone = self._withdrawn({scope.asset_id for scope in scopes}, at)
        names = [scope.asset_id for scope in self._scopes]
        self._feeders = carry(names, self._feeders, list(feeders), FEEDER)
        self._scopes = scopes
        number = {name: n for n, name in enumerate(feeders)}
        gateways: dict[str, int] = {}
        rows = []
        for root, device in layout.devices:
            gateway = gateways.setdefault(device.asset.gateway_id, len(gateways))
            feeder = number.get(device.asset.feeder_id, -1) if device.asset.kind == AssetKind.LAMP else -1
            found = feeders.get(device.asset.feeder_id)
            rows.append(_lamp_row(root, device, found, feeder, gateway, layout))
        self._lamps = np.array(rows, LAMP)
        device_ids = [device.device_id for _, device in layout.devices]
        self._said = carry(self._device_ids, self._said, device_ids, SAID)
        self._device_ids = device_ids
        series = {s.series_id: CHANNELS.get(s.metric, OTHER) for _, device in layout.devices for s in device.series}
        self._channel_of = np.full(1 + max(series, default=-1), OTHER, np.uint8)
        for series_id, channel in series.items():
            self._channel_of[series_id] = channel
        return gone

    def judge(self, rows: Rows, context: Context) -> list[Suspicion]:
        channel = self._channel_of[rows.series]
        kernels.hear(rows.device, rows.observed_at, rows.received_at, channel, rows.value, self._lamps, self._said)
        return []

    def tick(self, now: int, context: Context) -> list[Suspicion]:
        if now // MINUTE_US <= self._counted_at // MINUTE_US:
            return []
        self._counted_at = now
        volts = np.zeros(len(self._scopes), VOLTS)
        kernels.gather_volts(now, self._lamps, self._said, volts)
        found = [lost_neutral(*row, now) for row in zip(self._feeders, volts, self._scopes, strict=True)]
        return [suspicion for suspicion in found if suspicion is not None]

    def snapshot(self) -> bytes:
        return b"".join([self._counted_at.to_bytes(8, "little"), self._said.tobytes(), self._feeders.tobytes()])

    def restore(self, snapshot: bytes) -> None:
        self._counted_at = int.from_bytes(snapshot[:8], "little")
        cut = 8 + SAID.itemsize * len(self._said)
        self._said = np.frombuffer(snapshot[8:cut], SAID).copy()
        self._feeders = np.frombuffer(snapshot[cut:], FEEDER).copy()

    def _withdrawn(self, there: set[str], at: int) -> list[Suspicion]:
        """Return the ends of what is open of feeders that are gone: nobody could ever tell otherwise."""
        evidence = Evidence("feeder-withdrawn")
        return [
            Suspicion(CandidateKind.CLEAR, fault, scope, int(feeder[name]), at, evidence, until=at)
            for feeder, scope in zip(self._feeders, self._scopes, strict=True)
            for name, fault in _OPEN
            if feeder[name] and scope.asset_id not in there
        ]


def _lamp_row(
    root: RootDefinition,
    device: DeviceDefinition,
    found: FeederDefinition | None,
    feeder: int,
    gateway: int,
    layout: Layout,
) -> tuple[float, ...]:
    """Return the fields of `layout.LAMP` in their order."""
    rules = root.rules
    return (
        device.report_interval_s * SECOND_US,
        rules.guard_s * SECOND_US,
        device.rated_w,
        max(rules.unexpected_on_w, rules.unexpected_on_share * device.rated_w),
        rules.lost_share,
        layout.schedules[found.schedule] if found else -1,
        feeder,
        gateway,
        _PHASES.get(device.phase, -1),
        found is not None and found.switching == Switching.SWITCHED,
    )
