"""How far the simulated city departs from its inventory and from perfect instruments."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Realism:
    """Shares and sizes of what goes wrong without being a fault; all zero is a city that is as its files say.

    Attributes
    ----------
    wrong_type_share, wrong_place_share : float
        Lamps of another type, and lamps on another feeder of the cabinet or another phase, than the inventory says.
    clock_spread_s : float
        Clocks of cabinets are off by up to so much, either way.
    clock_hour_share : float
        Cabinets whose clock is off by an hour: nobody told it that summer is over.
    photocell_share : float
        Feeders that a photocell switches, whatever the inventory says.
    meter_gain : float
        Controllers measure power too high or too low by up to this share.
    power_step_w : float
        Steps in which power is reported; 0: a tenth of a watt.
    noise : float
        Scale of the correlated noise of supply and meters; 1 is as in practice.
    loss_share : float
        Reports of single devices that the radio loses on their way to the gateway.
    boot_s : float
        Controllers on switched feeders first speak up to so long after they get supply.
    gateway_clock_s : float
        Clocks of gateways are off by up to so much.
    stalls_per_day : float
        How often a gateway's uplink stalls; what it hears meanwhile goes out afterwards, late but in order.
    duplicate_share, reorder_share : float
        Messages that a gateway sends twice, or after their successor.
    """

    wrong_type_share: float = 0.0
    wrong_place_share: float = 0.0
    clock_spread_s: float = 0.0
    clock_hour_share: float = 0.0
    photocell_share: float = 0.0
    meter_gain: float = 0.0
    power_step_w: float = 0.0
    noise: float = 0.25
    loss_share: float = 0.0
    boot_s: float = 0.0
    gateway_clock_s: float = 0.0
    stalls_per_day: float = 0.0
    duplicate_share: float = 0.0
    reorder_share: float = 0.0


PERFECT = Realism()
"""The inventory is right, clocks and meters are good, nothing is lost: a test can say what must come out."""

REAL = Realism(
    wrong_type_share=0.03,
    wrong_place_share=0.02,
    clock_spread_s=600.0,
    clock_hour_share=0.005,
    photocell_share=0.06,
    meter_gain=0.03,
    power_step_w=1.0,
    noise=1.0,
    loss_share=0.10,
    boot_s=300.0,
    gateway_clock_s=5.0,
    stalls_per_day=0.1,
    duplicate_share=0.003,
    reorder_share=0.003,
)
"""A city as operators know theirs; docs/simulator.md says where each figure comes from."""

REALISMS = {"perfect": PERFECT, "real": REAL}
