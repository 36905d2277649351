"""Kinds of lamp: how they run up, draw power, and age. Sources and assumptions: docs/simulator.md."""

from dataclasses import dataclass

from city.clock import MINUTE_US


@dataclass(frozen=True, slots=True)
class LampType:
    """How a kind of lamp draws power.

    Attributes
    ----------
    gear : float
        Power at the line over rated power: a magnetic ballast takes its share.
    run_up_us : int
        From `first_share` of the power to all of it.
    first_share : float
        Share of the power at ignition.
    exponent : float
        P ∝ V^exponent; electronic drivers hold their power.
    restrike_us : tuple of (int, int)
        A hot lamp that lost its supply stays dark for so long: shortest, longest.
    power_factor : float
        At full power, with a sound capacitor or driver.
    capacitor : bool
        A capacitor holds the power factor up; without it falls to `bare_factor`.
    bare_factor : float
    ageing : float
        Power at the end of life over power when new, less one.
    life_h : float
    spread : float
        Tolerance of power among new lamps, either way.
    off_w : float
        What the controller and the driver's filter draw while the lamp is off.
    """

    gear: float
    run_up_us: int
    first_share: float
    exponent: float
    restrike_us: tuple[int, int]
    power_factor: float
    capacitor: bool
    bare_factor: float
    ageing: float
    life_h: float
    spread: float
    off_w: float


LAMP_TYPES = {
    "led": LampType(1.0, 0, 1.0, 0.0, (0, 0), 0.96, False, 0.96, 0.0, 100_000, 0.03, 0.6),
    "sodium": LampType(
        1.12, 5 * MINUTE_US, 0.35, 1.7, (MINUTE_US, 2 * MINUTE_US), 0.90, True, 0.42, 0.10, 24_000, 0.03, 0.4
    ),
    "metal-halide": LampType(
        1.10, 4 * MINUTE_US, 0.40, 1.3, (8 * MINUTE_US, 15 * MINUTE_US), 0.91, True, 0.46, 0.05, 12_000, 0.03, 0.4
    ),
}

REPLACEMENTS = {
    "sodium": (("led", 0.45), ("metal-halide", 1.0)),
    "metal-halide": (("led", 0.55), ("sodium", 1.0)),
    "led": (("led", 0.7), ("led", 1.4), ("sodium", 1.6)),
}
"""What a lamp may really be when the inventory is wrong: type, and its rated power over the inventory's. A lamp that
was swapped for LED and never noted is the usual mistake."""
