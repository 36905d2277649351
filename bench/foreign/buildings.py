"""Buildings of another maker: rooms, air, meters, water and cold, with what goes wrong in them."""

from collections.abc import Iterator
from datetime import datetime

import numpy as np

from bench.foreign.faults import QUIET_DAYS, SLOT_DAYS, Fault, _turn
from bench.foreign.physics import inside
from bench.foreign.street import DAY, Floats, Town

KINDS = {
    "school": ("indoor_temperature_deg_c", "indoor_humidity_pct", "co2_ppm", "active_power_w"),
    "pool": ("water_flow_m3_h", "hot_water_temperature_deg_c", "active_power_w"),
    "market": ("cold_room_temperature_deg_c", "active_energy_kwh"),
    "library": ("indoor_temperature_deg_c", "co2_ppm", "active_energy_kwh"),
}
FAULTS = {
    "indoor_temperature_deg_c": ("temperatureOutOfPattern",),
    "indoor_humidity_pct": ("humidityOutOfPattern",),
    "co2_ppm": ("co2TooHigh",),
    "active_power_w": ("energyOutOfPattern", "stuckSensor"),
    "active_energy_kwh": ("energyOutOfPattern", "communicationFailure"),
    "water_flow_m3_h": ("waterLeak",),
    "hot_water_temperature_deg_c": ("hotWaterTooCold",),
    "cold_room_temperature_deg_c": ("coldRoomTooWarm",),
}


def plan(rng: np.random.Generator, town: Town, count: int) -> tuple[list[tuple[str, str]], list[Fault]]:
    """Return the buildings, name and kind, and what goes wrong in them."""
    buildings = [(f"{kind.title()} {n + 1}", kind) for n in range(count) for kind in [list(KINDS)[n % len(KINDS)]]]
    faults: list[Fault] = []
    dealt: dict[str, int] = {}
    for number, (name, kind) in enumerate(buildings):
        slot = town.start + 2 * QUIET_DAYS * DAY
        while slot + SLOT_DAYS * DAY < town.start + town.days * DAY:
            if rng.random() < 0.5:
                what = _turn(rng, dealt, {fault for metric in KINDS[kind] for fault in FAULTS[metric]})
                onset = slot + rng.uniform(0.0, 3.0) * DAY
                faults.append(
                    Fault(
                        what,
                        "facility",
                        number,
                        name,
                        onset,
                        onset + rng.uniform(2.5, 4.5) * DAY,
                        rng.uniform(0.8, 1.2),
                    )
                )
            slot += SLOT_DAYS * DAY
    return buildings, faults


def readings(
    rng: np.random.Generator, town: Town, number: int, kind: str, faults: list[Fault], cadence: float
) -> Iterator[tuple[str, Floats, Floats]]:
    """Yield metric, moments (s) and values of one building."""
    t = np.arange(town.start + rng.uniform(0, cadence), town.start + town.days * DAY, cadence)
    t += rng.normal(0.0, 3.0, len(t))
    mine = [one for one in faults if one.index == number]
    t = t[~inside(t, mine, "communicationFailure")]
    hour = town.local_hour(t)
    weekday = np.array([datetime.fromtimestamp(x, town.zone).weekday() for x in t])
    opens, closes = (8.0, 21.0) if kind in ("pool", "market") else (8.0, 17.5)
    days = weekday < (6 if kind in ("pool", "market") else 5)
    people = np.where(days, np.clip(np.minimum(hour - opens, closes - hour), 0.0, 1.0), 0.0)
    people *= 1.0 + 0.15 * np.interp(
        t, np.arange(t[0], t[-1] + DAY, DAY), rng.normal(0, 1, int((t[-1] - t[0]) / DAY) + 2)
    )
    outside = _outside(rng, town, t, hour)

    def wrong(name: str) -> Floats:
        return inside(t, mine, name) * next((one.size for one in mine if one.kind == name), 1.0)

    size = rng.uniform(0.7, 1.6)
    room = 20.5 + 1.2 * people + np.where(people > 0, 0.0, -1.8) + 0.08 * (outside - 12.0) + rng.normal(0, 0.15, len(t))
    room += 5.0 * wrong("temperatureOutOfPattern")
    load = (
        size
        * (1_500 + 9_000 * people + 300 * np.maximum(14 - outside, 0) * (people > 0))
        * np.exp(rng.normal(0, 0.05, len(t)))
    )
    load *= 1 + 0.7 * wrong("energyOutOfPattern")
    flow = size * (1.1 * people * rng.gamma(3.0, 1 / 3.0, len(t)) + 0.02 * (rng.random(len(t)) < 0.1)) + 0.25 * wrong(
        "waterLeak"
    )
    cold = (
        -20.0 + 1.0 * np.sin(t / 2_700.0) + 0.6 * people + rng.normal(0, 0.2, len(t)) + 11.0 * wrong("coldRoomTooWarm")
    )
    hot = 60.0 - 2.5 * people * rng.random(len(t)) + rng.normal(0, 0.3, len(t)) - 15.0 * wrong("hotWaterTooCold")
    damp = 45 + 5 * people + 0.3 * (outside - 12) + rng.normal(0, 1.2, len(t)) + 22 * wrong("humidityOutOfPattern")
    values = {
        "indoor_temperature_deg_c": np.round(room, 1),
        "indoor_humidity_pct": np.round(damp, 1),
        "co2_ppm": np.round(430 + people * (330 + 900 * wrong("co2TooHigh")) + rng.normal(0, 18, len(t))),
        "active_power_w": np.round(load),
        "active_energy_kwh": np.floor(rng.uniform(1e3, 9e4) + np.cumsum(load) * cadence / 3.6e6),
        "water_flow_m3_h": np.round(flow, 2),
        "hot_water_temperature_deg_c": np.round(hot, 1),
        "cold_room_temperature_deg_c": np.round(cold, 1),
    }  # fmt: skip
    for metric in KINDS[kind]:
        value = values[metric]
        for one in mine:
            if one.kind == "stuckSensor" and metric == "active_power_w":
                there = (t >= one.onset) & (t < one.end)
                value[there] = value[max(int(np.searchsorted(t, one.onset)) - 1, 0)]
        yield metric, t, value


def _outside(rng: np.random.Generator, town: Town, t: Floats, hour: Floats) -> Floats:
    days = np.arange(t[0] - DAY, t[-1] + 2 * DAY, DAY)
    fronts = np.zeros(len(days))
    for k in range(1, len(days)):
        fronts[k] = 0.75 * fronts[k - 1] + rng.normal(0.0, 1.8)
    season = 12.0 - 7.0 * np.sign(town.lat) * np.cos(2 * np.pi * (t / DAY - 20) / 365.25)
    outside: Floats = season + np.interp(t, days, fronts) + 4.0 * np.cos((hour - 15) * np.pi / 12)
    return outside
