"""Plays a simulated fleet into batches: years of readings, column by column, in the order of receipt."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.score.fleets import FACILITIES, FleetPlan
from city.alarm import FaultClass
from city.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from city.link import GatewayLink
from city.metric import ACTIVE_POWER
from city.pack import CityPack
from city.reading import ReadingBatch
from city.registry import RootDefinition
from sim.faults import PlantedFault
from sim.link import KEEPALIVE_S
from sim.observed import Heard
from sim.realism import REAL
from sim.sensor_noise import SensorNoise
from sim.world import GATEWAY_KEEPS_US, World

WINDOW_US = 6 * HOUR_US
_ON_THE_WAY_US = 2 * SECOND_US
_MISSED_US = 3 * KEEPALIVE_S * SECOND_US // 2
"""A broker misses a client after one and a half of its intervals of life signs."""
NOISE = {
    "indoor_temperature_deg_c": 0.15,
    "indoor_humidity_pct": 1.0,
    "co2_ppm": 10.0,
    "active_power_w": 150.0,
    "hot_water_temperature_deg_c": 0.4,
    "pool_temperature_deg_c": 0.1,
    "cold_room_temperature_deg_c": 0.3,
    "water_flow_m3_h": 0.1,
    "water_level_pct": 0.5,
}
"""Standard deviation of what is added to facilities' sensors, in the metric's unit."""

Columns = tuple[NDArray[np.int32], NDArray[np.float64], int, int, int]
"""Series, values, gateway, observed_at and received_at."""


def noise_of(plan: FleetPlan) -> SensorNoise | None:
    """Return what the sensors of a fleet of facilities add; lamps have the simulator's own."""
    return SensorNoise(NOISE, plan.noise == "heavy") if plan.cadence == FACILITIES else None


class Player:
    """One fleet's readings.

    Parameters
    ----------
    roots : sequence of RootDefinition
        Of `pack`, for the numbers of series.
    """

    def __init__(
        self, plan: FleetPlan, pack: CityPack, roots: Sequence[RootDefinition], faults: Sequence[PlantedFault]
    ) -> None:
        self._plan = plan
        # What sensors add is theirs: a stuck one repeats it.
        self._world = World(pack, plan.seed, faults, REAL, noise_of(plan))
        self._series = {
            device.device_id: {one.metric: one.series_id for one in device.series}
            for root in roots
            for device in root.devices
        }
        self._tables: dict[tuple[int, tuple[str, ...]], NDArray[np.int32]] = {}
        self._kept: list[tuple[str, ...]] = []
        self._release: dict[str, int] = {}
        self._faults = faults
        self._rng = np.random.default_rng([plan.seed, plan.cadence])

    def links(self) -> Iterator[GatewayLink]:
        """Yield what the broker tells of gateways' connections: all are there at first, and one that fails is missed.

        A stall takes no connection with it.
        """
        for gateway in self._world.gateways:
            yield GatewayLink(gateway, True, self._plan.start_us)
            for fault in self._faults:
                if fault.asset_id == gateway and fault.fault is FaultClass.COMMUNICATION_FAILURE:
                    yield GatewayLink(gateway, False, fault.onset_us + _MISSED_US)
                    if fault.end_us is not None:
                        yield GatewayLink(gateway, True, fault.end_us)

    def batches(self) -> Iterator[ReadingBatch]:
        """Yield everything that is received from start to end, in the order of receipt."""
        held = ReadingBatch.empty()
        for start_us in range(self._plan.start_us, self._plan.end_us, WINDOW_US):
            end_us = min(start_us + WINDOW_US, self._plan.end_us)
            heard = [held]
            for number, gateway in enumerate(self._world.gateways):
                heard += list(self._gateway(number, gateway, start_us, end_us))
            whole = ReadingBatch.concatenate(heard)
            due = whole.received_at <= end_us
            held = whole.take(~due)
            now = whole.take(due)
            yield now.take(np.argsort(now.received_at, kind="stable"))

    def _gateway(self, number: int, gateway: str, start_us: int, end_us: int) -> Iterator[ReadingBatch]:
        world, skew_us = self._world, self._world.skew_us(gateway)
        for at_us in world.moments(gateway, start_us, end_us):
            received_us = self._received(gateway, at_us)
            parts = [self._columns(heard, at_us) for heard in world.hear(gateway, at_us)]
            for series, values in parts:
                if len(series):
                    yield _batch(series, values, number, at_us + skew_us, received_us)
                    if world.truth_of.sent_twice(gateway, at_us):
                        yield _batch(series, values, number, at_us + skew_us, received_us + SECOND_US)

    def _received(self, gateway: str, at_us: int) -> int:
        """Return when what is heard at `at_us` leaves the gateway: its uplink may be out, and it keeps that long."""
        if self._release.get(gateway, 0) > at_us:
            return self._release[gateway]
        out_us = at_us
        while self._world.silent_since(gateway, out_us) is not None:
            out_us += MINUTE_US
            assert out_us < at_us + GATEWAY_KEEPS_US + DAY_US, "an outage that keeps messages ends"
        self._release[gateway] = out_us
        return max(out_us, at_us) + _ON_THE_WAY_US

    def _columns(self, heard: Heard, at_us: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        rows, values = heard.rows, heard.values
        plan = self._plan
        if plan.thin < 1.0 or plan.lose:
            stays = np.ones(len(rows), np.bool_)
            if plan.thin < 1.0:
                # Every so many-th report of each device stays: all of them, or none, at one moment.
                stays &= (at_us // (plan.cadence or 900) // SECOND_US * plan.thin) % 1.0 < plan.thin
            if plan.lose:
                stays &= self._rng.random(len(rows)) >= plan.lose
            rows, values = rows[stays], values[stays]
        if not len(rows):
            return np.zeros(0, np.int32), np.zeros(0)
        if plan.gain != 1.0 and ACTIVE_POWER in heard.metrics:
            values = values.copy()
            values[:, heard.metrics.index(ACTIVE_POWER)] *= plan.gain
        return self._table(heard)[rows].ravel(), values.ravel()

    def _table(self, heard: Heard) -> NDArray[np.int32]:
        key = (id(heard.device_ids), heard.metrics)
        table = self._tables.get(key)
        if table is None:
            table = _lookup(self._series, heard)
            if len(self._tables) < 1_000:
                # The names are kept, so that no other tuple can have their place in memory.
                self._kept.append(heard.device_ids)
                self._tables[key] = table
        return table


def _lookup(series: Mapping[str, Mapping[str, int]], heard: Heard) -> NDArray[np.int32]:
    return np.array([[series[device][name] for name in heard.metrics] for device in heard.device_ids], np.int32)


def _batch(
    series: NDArray[np.int32], values: NDArray[np.float64], gateway: int, at_us: int, received_us: int
) -> ReadingBatch:
    n = len(series)
    return ReadingBatch(
        series,
        np.full(n, gateway, np.int32),
        np.full(n, at_us, np.int64),
        np.full(n, received_us, np.int64),
        values,
        np.zeros(n, np.uint8),
    )
