"""What lamps' controllers measure, as columns over all lamps of one gateway and one make; pure functions of time.

docs/simulator.md derives the formulas and names their sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from city.clock import DAY_US, HOUR_US, MINUTE_US
from sim.lamptypes import LAMP_TYPES, LampType
from sim.noise import Values, Wandering, gaussian, keys_of, uniform
from sim.realism import Realism
from sim.truth import TrueLamp

NOMINAL_V = 230.0
OPEN_CIRCUIT_V = 232.0

_OHM_PER_M = 1.91e-3 * 1.2
"""Aluminium of 16 mm², and a fifth more for the neutral of phases that are not quite equal."""
_LAMP_M = 27.0
_LED_FLOOR = 0.03
"""Share of its rated power that an LED driver draws however far it is dimmed."""
_CLO_SHARE = 0.3
_BURNING_H_A_YEAR = 4_200.0
_YEAR_US = 365.25 * DAY_US
_WARM_US = 40 * MINUTE_US
_SELF_HEATING_C = 19.0
_OFF_FACTOR = 0.30

Flags = NDArray[np.bool_]
Moments = NDArray[np.int64]


@dataclass(slots=True)
class Stand:
    """What lamps are told and do at one moment, as columns that faults may change.

    Attributes
    ----------
    burning : bool[n]
    since_us : int64[n]
        When each was lit; read where it burns.
    told_pct, level_pct : float64[n]
        The level that the controller reports, and the one that the lamp burns at.
    factor : float64[n]
        On the power of a burning lamp.
    bare : bool[n]
        The capacitor is gone.
    shift_v : float64[n]
        What a fault of the supply adds.
    """

    burning: Flags
    since_us: Moments
    told_pct: Values
    level_pct: Values
    factor: Values
    bare: Flags
    shift_v: Values


@dataclass(frozen=True, slots=True)
class Measured:
    """What meters say; float64[n] each."""

    power_w: Values
    voltage_v: Values
    power_factor: Values
    current_a: Values


class LampColumns:
    """The unchanging properties of some lamps.

    Parameters
    ----------
    lamps : sequence of TrueLamp
    circuit : sequence of int
        Number of each lamp's circuit (feeder and phase) among those of this object.
    along : sequence of float
        Where on its feeder each lamp hangs, 0 (cabinet) to 1.
    cable_m : sequence of float
        Length of each lamp's feeder.
    panel : sequence of str
        Each lamp's cabinet: lamps of one share the wandering of its voltage.
    """

    def __init__(
        self,
        lamps: Sequence[TrueLamp],
        circuit: Sequence[int],
        along: Sequence[float],
        cable_m: Sequence[float],
        panel: Sequence[str],
        seed: int,
        realism: Realism,
    ) -> None:
        names = [lamp.lamp_id for lamp in lamps]
        types = [LAMP_TYPES.get(lamp.lamp_type, LAMP_TYPES["led"]) for lamp in lamps]
        self.keys = keys_of(seed, "lamp", names)
        power_keys = keys_of(seed, "power", names)
        self._quick, self._inside = Wandering(power_keys, 25 * MINUTE_US), Wandering(power_keys, HOUR_US)
        self._slow = Wandering(keys_of(seed, "slow power", names), 7 * HOUR_US)
        self._voltage_keys = keys_of(seed, "voltage", names)
        self._panels, self._panel_of = np.unique(np.array(panel, dtype=np.str_), return_inverse=True)
        self._panel = Wandering(keys_of(seed, "panel", self._panels.tolist()), 3 * HOUR_US)
        self._circuit = np.array(circuit, np.int64)
        self._circuits = int(self._circuit.max()) + 1 if len(lamps) else 0
        place = np.array(along, np.float64)
        # Loads hang evenly along the cable, so the drop up to a place grows as x − x²/2.
        self._reach_ohm = _OHM_PER_M * np.array(cable_m, np.float64) * (place - place**2 / 2)
        self._realism = realism
        self._set_types(types, np.array([lamp.rated_w for lamp in lamps], np.float64))
        gain = 2 * uniform(self.keys, 5) - 1
        self._gain = 1 + realism.meter_gain * gain
        self.boot_us = (uniform(self.keys, 6) * realism.boot_s * 1e6).astype(np.int64)

    def _set_types(self, types: Sequence[LampType], rated_w: Values) -> None:
        def column(name: str) -> Values:
            return np.array([getattr(t, name) for t in types], np.float64)

        draw = 2 * uniform(self.keys, 1) - 1
        self.full_w = rated_w * column("gear") * (1 + column("spread") * draw)
        self.rated_w = rated_w
        self._run_up_us, self._first = column("run_up_us"), column("first_share")
        self._exponent = column("exponent")
        self._ageing, self._life_us = column("ageing"), column("life_h") / _BURNING_H_A_YEAR * _YEAR_US
        self._first_age = uniform(self.keys, 7)
        self._constant_light = (column("run_up_us") == 0) & (uniform(self.keys, 2) < _CLO_SHARE)
        self._off_w = column("off_w") * (0.85 + 0.3 * uniform(self.keys, 3))
        self._power_factor, self._bare = column("power_factor"), column("bare_factor")
        self._electronic = column("run_up_us") == 0
        low = np.array([t.restrike_us[0] for t in types], np.float64)
        high = np.array([t.restrike_us[1] for t in types], np.float64)
        self.restrike_us = (low + (high - low) * uniform(self.keys, 4)).astype(np.int64)

    def measure(self, at_us: int, stand: Stand) -> Measured:
        """Return what the meters of these lamps say at `at_us`, µs UTC."""
        voltage = self._voltage(at_us, stand)
        age = np.maximum(at_us - stand.since_us, 0)
        risen = np.where(self._run_up_us > 0, age / np.maximum(self._run_up_us, 1.0), 1.0)
        run_up = self._first + (1 - self._first) * np.minimum(risen, 1.0)
        load = run_up * (_LED_FLOOR + (1 - _LED_FLOOR) * stand.level_pct / 100.0)
        lit = self.full_w * load * self._aged(at_us) * stand.factor * (voltage / NOMINAL_V) ** self._exponent
        lit *= 1 + self._realism.noise * (0.006 * self._slow.at(at_us) + 0.003 * self._quick.at(at_us))
        power = np.where(stand.burning, lit, self._off_w)
        factor = self._factor(stand, load)
        step = self._realism.power_step_w or 0.1
        seen: Values = np.round(np.round(np.maximum(power * self._gain, 0.0) / step) * step, 1)
        current = power / np.maximum(voltage * factor, 1.0)
        return Measured(seen, np.round(voltage, 1), np.round(factor, 2), np.round(current, 3))

    def temperature_c(self, at_us: int, stand: Stand, outside_c: float) -> Values:
        """Return the temperature inside the lamps' heads, °C."""
        warm = 1 - np.exp(-np.maximum(at_us - stand.since_us, 0) / _WARM_US)
        heat = np.where(stand.burning, warm * (0.4 + 0.6 * stand.level_pct / 100.0), 0.0)
        inside = outside_c + 1.5 + _SELF_HEATING_C * heat + 0.4 * self._inside.at(at_us)
        out: Values = np.round(inside, 1)
        return out

    def _voltage(self, at_us: int, stand: Stand) -> Values:
        """Return the voltage at each lamp: the cabinet's, less the drop that the lit lamps of its circuit make."""
        noise = self._realism.noise
        hour = (at_us % DAY_US) / HOUR_US
        daily = 1.6 * np.cos(2 * np.pi * (hour - 4) / 24)
        own = 1.3 * noise * self._panel.at(at_us) if len(self._panels) else np.zeros(0)
        amperes = np.where(stand.burning, self.full_w * stand.level_pct / 100.0, 0.0) / (NOMINAL_V * 0.92)
        load = np.bincount(self._circuit, amperes, self._circuits) if self._circuits else np.zeros(0)
        drop = load[self._circuit] * self._reach_ohm
        shake = 0.3 * noise * gaussian(self._voltage_keys, at_us)
        out: Values = OPEN_CIRCUIT_V + daily + own[self._panel_of] - drop + stand.shift_v + shake
        return out

    def _aged(self, at_us: int) -> Values:
        """Return each lamp's power over that of a new one; lamps are replaced at the end of their life, at noon."""
        noon_us = (at_us - DAY_US // 2) // DAY_US * DAY_US + DAY_US // 2
        share = at_us / self._life_us + self._first_age - np.floor(noon_us / self._life_us + self._first_age)
        # Drivers with constant light output begin low, and draw more and more on purpose.
        return np.where(self._constant_light, 0.86 + 0.14 * share, 1 + self._ageing * share)

    def _factor(self, stand: Stand, load: Values) -> Values:
        dimmed = self._power_factor - 0.30 * (1 - np.minimum(load, 1.0)) ** 2
        bare = np.where(self._electronic, 0.55, self._bare)
        lit = np.where(stand.bare, bare, np.where(self._electronic, dimmed, self._power_factor))
        return np.where(stand.burning, lit, _OFF_FACTOR)
