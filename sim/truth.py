"""What the city really is, where its inventory says otherwise: derived from pack, seed and realism alone."""

from collections.abc import Iterator
from dataclasses import dataclass

from city.asset import Lamp, Switching
from city.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from city.pack import CityPack
from sim.lamptypes import LAMP_TYPES, REPLACEMENTS
from sim.noise import key_of, unit
from sim.realism import Realism

PHASES = ("R", "S", "T")


@dataclass(frozen=True, slots=True)
class TrueLamp:
    """A lamp as it hangs in the street: what the inventory should say."""

    lamp_id: str
    feeder_id: str
    phase: int
    lamp_type: str
    rated_w: float


class Truth:
    """The real city.

    Parameters
    ----------
    pack : CityPack
        The inventory.
    seed : int
    realism : Realism
    """

    def __init__(self, pack: CityPack, seed: int, realism: Realism) -> None:
        self._seed = seed
        self._realism = realism
        # A lamp that falls silent with the wrong feeder each morning has long been found and noted.
        alike = {f.feeder_id: (f.cabinet_id, f.switching) for f in pack.feeders}
        beside: dict[tuple[str, Switching], list[str]] = {}
        for feeder_id, place in alike.items():
            beside.setdefault(place, []).append(feeder_id)
        self.lamps = {lamp.lamp_id: self._lamp(lamp, beside[alike[lamp.feeder_id]]) for lamp in pack.lamps}
        self.clock_off_us = {cabinet.cabinet_id: self._clock_off(cabinet.cabinet_id) for cabinet in pack.cabinets}
        self.photocells = frozenset(
            f.feeder_id for f in pack.feeders if unit(seed, "photocell", f.feeder_id) < realism.photocell_share
        )
        self.skew_us = {g.gateway_id: self._skew(g.gateway_id) for g in pack.gateways}

    def differences(self, pack: CityPack) -> Iterator[tuple[Lamp, TrueLamp]]:
        """Yield each lamp that the inventory is wrong about, as it stands there and as it is."""
        for lamp in pack.lamps:
            true = self.lamps[lamp.lamp_id]
            said = (lamp.feeder_id, PHASES.index(lamp.phase), lamp.lamp_type, lamp.rated_w)
            if said != (true.feeder_id, true.phase, true.lamp_type, true.rated_w):
                yield lamp, true

    def stalled_since(self, gateway_id: str, at_us: int) -> int | None:
        """Return since when a gateway's uplink stalls at `at_us`, µs UTC; None: it does not."""
        day = at_us // DAY_US
        if unit(self._seed, "stall", gateway_id, day) >= self._realism.stalls_per_day:
            return None
        start = day * DAY_US + int(unit(self._seed, "stall at", gateway_id, day) * 23 * HOUR_US)
        length = (8 + int(unit(self._seed, "stall for", gateway_id, day) * 32)) * MINUTE_US
        return start if start <= at_us < start + length else None

    def sent_twice(self, gateway_id: str, at_us: int) -> bool:
        """Tell whether a gateway sends what it heard at `at_us` twice."""
        return unit(self._seed, "twice", gateway_id, at_us) < self._realism.duplicate_share

    def out_of_order(self, gateway_id: str, at_us: int) -> bool:
        """Tell whether a gateway sends the parts of what it heard at `at_us` in the wrong order."""
        return unit(self._seed, "order", gateway_id, at_us) < self._realism.reorder_share

    def _lamp(self, lamp: Lamp, beside: list[str]) -> TrueLamp:
        feeder, phase, kind, rated = lamp.feeder_id, PHASES.index(lamp.phase), lamp.lamp_type, lamp.rated_w
        if unit(self._seed, "type", lamp.lamp_id) < self._realism.wrong_type_share:
            # A type that the simulator does not know is an LED to it.
            choices = REPLACEMENTS[kind if kind in LAMP_TYPES else "led"]
            kind, share = choices[key_of(self._seed, "which type", lamp.lamp_id) % len(choices)]
            rated = round(rated * share)
        if unit(self._seed, "place", lamp.lamp_id) < self._realism.wrong_place_share:
            others = [name for name in beside if name != feeder]
            draw = key_of(self._seed, "which place", lamp.lamp_id)
            if others and draw % 2:
                feeder = others[draw // 2 % len(others)]
            else:
                phase = (phase + 1 + draw // 2 % 2) % 3
        return TrueLamp(lamp.lamp_id, feeder, phase, kind, rated)

    def _clock_off(self, cabinet_id: str) -> int:
        """Return how far a cabinet's clock is ahead, µs; whole seconds."""
        if unit(self._seed, "hour", cabinet_id) < self._realism.clock_hour_share:
            return HOUR_US if key_of(self._seed, "which hour", cabinet_id) % 2 else -HOUR_US
        # Most clocks are nearly right; the sum of two draws has its peak in the middle.
        draw = unit(self._seed, "clock", cabinet_id) + unit(self._seed, "clock too", cabinet_id) - 1
        return int(draw * self._realism.clock_spread_s) * SECOND_US

    def _skew(self, gateway_id: str) -> int:
        draw = 2 * unit(self._seed, "skew", gateway_id) - 1
        return int(draw * self._realism.gateway_clock_s) * SECOND_US
