"""Units of measurement, by their UCUM symbols, and how to turn one into another.

What devices call them otherwise stands in `city.unitnames`.
"""

from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from city.unitnames import NAMES, NO_UNIT

UNIT_CHARACTERS_MAX = 32


class Conversion(NamedTuple):
    """value in the target's unit = value * scale + offset."""

    scale: float
    offset: float


SAME = Conversion(1.0, 0.0)

_DIMENSIONS = {
    "ratio": "1 1  % 1/100  [ppth] 1/1000  [ppm] 1e-6  [ppb] 1e-9  [pptr] 1e-12  okta 1/8",
    "power": "W 1  uW 1e-6  mW 1e-3  kW 1e3  MW 1e6  GW 1e9",
    "apparent power": "V.A 1  kV.A 1e3  MV.A 1e6",
    "reactive power": "var 1  kvar 1e3  Mvar 1e6",
    "voltage": "V 1  uV 1e-6  mV 1e-3  kV 1e3  MV 1e6",
    "current": "A 1  uA 1e-6  mA 1e-3  kA 1e3",
    "resistance": "Ohm 1  mOhm 1e-3  kOhm 1e3  MOhm 1e6",
    "conductance": "S 1  uS 1e-6  mS 1e-3",
    "conductivity": "S/m 1  uS/cm 1e-4  mS/cm 1/10  S/cm 100",
    "energy": "J 1  kJ 1e3  MJ 1e6  GJ 1e9  W.s 1  W.h 3600  kW.h 36e5  MW.h 36e8  GW.h 36e11  TW.h 36e14"
    " kcal 41868/10  [Btu] 1055.056",
    "apparent energy": "V.A.s 1  V.A.h 3600  kV.A.h 36e5  MV.A.h 36e8",
    "reactive energy": "var.s 1  var.h 3600  kvar.h 36e5  Mvar.h 36e8",
    "energy by area": "J/m2 1  kJ/m2 1e3  MJ/m2 1e6  W.h/m2 3600  kW.h/m2 36e5  J/cm2 1e4",
    "energy by length": "J/m 1  W.h/km 36/10",
    "charge": "A.s 1  mA.h 36/10  A.h 3600",
    "capacity": "F 1",
    "inductance": "H 1",
    "magnetic flux": "Wb 1",
    "flux density": "T 1  mT 1e-3  uT 1e-6",
    "mass": "kg 1  ug 1e-9  mg 1e-6  g 1e-3  t 1e3  [lb_av] 0.45359237",
    "mass flow": "kg/s 1  kg/h 1/3600  t/h 1000/3600  g/s 1e-3  g/h 1/3600000  mg/h 1/3600000000",
    "amount": "mol 1  umol 1e-6  mmol 1e-3",
    "amount by volume": "mol/m3 1  mmol/L 1  mol/L 1e3",
    "catalytic activity": "kat 1",
    "temperature": "K 1  Cel 1  [degF] 5/9",
    "time": "s 1  ns 1e-9  us 1e-6  ms 1e-3  ks 1e3  min 60  h 3600  d 86400  wk 604800  mo 2629800  a 31557600",
    "frequency": "Hz 1  /min 1/60  /h 1/3600  kHz 1e3  MHz 1e6  GHz 1e9",
    "illuminance": "lx 1  klx 1e3",
    "luminous flux": "lm 1  klm 1e3",
    "luminous intensity": "cd 1",
    "luminance": "cd/m2 1",
    "luminous efficacy": "lm/W 1",
    "light": "lx.h 1",
    "luminous energy": "lm.h 1",
    "pressure": "Pa 1  mPa 1e-3  hPa 100  kPa 1e3  MPa 1e6  ubar 1/10  mbar 100  bar 1e5  atm 101325"
    " [psi] 6894.757  mm[H2O] 9.80665  m[H2O] 9806.65  mm[Hg] 133.3224  [in_i'Hg] 3386.39  [in_i'H2O] 249.089",
    "force": "N 1  kN 1e3",
    "torque": "N.m 1",
    "length": "m 1  nm 1e-9  um 1e-6  mm 1e-3  cm 1/100  dm 1/10  km 1e3  [in_i] 0.0254  [ft_i] 0.3048"
    " [yd_i] 0.9144  [mi_i] 1609.344  [nmi_i] 1852",
    "area": "m2 1  cm2 1e-4  har 1e4  km2 1e6",
    "speed": "m/s 1  mm/s 1e-3  cm/s 1/100  km/h 10/36  m/min 1/60  m/h 1/3600  cm/h 1/360000  mm/h 1/3600000"
    " mm/d 1/86400000  [kn_i] 1852/3600  [mi_i]/h 0.44704  [ft_i]/s 0.3048",
    "acceleration": "m/s2 1",
    "angle": "deg 1  ' 1/60  '' 1/3600  rad 57.29577951308232",
    "angular velocity": "rad/s 1",
    "solid angle": "sr 1",
    "volume": "m3 1  mL 1e-6  cL 1e-5  dL 1e-4  L 1e-3  hL 1/10  ML 1e3"
    " [gal_us] 0.003785411784  [gal_br] 0.00454609  [cft_i] 0.028316846592",
    "flow": "m3/s 1  m3/min 1/60  m3/h 1/3600  m3/d 1/86400  L/s 1e-3  L/min 1/60000  L/h 1/3600000  L/d 1/86400000"
    " mL/s 1e-6  mL/min 1/60000000  [gal_us]/min 0.003785411784/60  [cft_i]/min 0.028316846592/60",
    "concentration": "g/m3 1  ng/m3 1e-9  ug/m3 1e-6  mg/m3 1e-3  kg/m3 1e3  ug/L 1e-3  mg/L 1  g/L 1e3  kg/L 1e6",
    "data": "By 1  bit 1/8  kBy 1e3  MBy 1e6  GBy 1e9  TBy 1e12  KiBy 1024  MiBy 1048576  GiBy 1073741824",
    "data rate": "bit/s 1  kbit/s 1e3  Mbit/s 1e6  Gbit/s 1e9  By/s 8  MBy/s 8e6",
    "irradiance": "W/m2 1  mW/m2 1e-3  kW/m2 1e3",
    "mass by area": "kg/m2 1  g/m2 1e-3",
    "activity": "Bq 1",
    "activity by volume": "Bq/m3 1",
    "dose": "Gy 1",
    "dose equivalent": "Sv 1  mSv 1e-3  uSv 1e-6",
    "dose rate": "Sv/h 1  mSv/h 1e-3  uSv/h 1e-6  nSv/h 1e-9",
    "acidity": "[pH] 1",
    "turbidity by nephelometer": "NTU 1",
    "turbidity by formazin": "FNU 1",
    "level": "dB 1  dB[A] 1  B[SPL] 10",
    "signal": "dBm 1  dBW 1",
}
"""Dimension → its units, each with its factor to the first of them."""

_KELVIN = Fraction("273.15")
_OFFSETS = {"Cel": _KELVIN, "[degF]": _KELVIN - 32 * Fraction(5, 9), "dBW": Fraction(30)}
"""What is added behind the factor."""


def _factor(text: str) -> Fraction:
    number, _, divisor = text.partition("/")
    return Fraction(number) / Fraction(divisor or 1)


UNITS: dict[str, tuple[str, Fraction, Fraction]] = {
    symbol: (dimension, _factor(factor), _OFFSETS.get(symbol, Fraction(0)))
    for dimension, told in _DIMENSIONS.items()
    for symbol, factor in zip(told.split()[::2], told.split()[1::2], strict=True)
}
"""Symbol → dimension, factor to the dimension's base, offset to it."""


@lru_cache(maxsize=4096)
def conversion(unit: str, into: str) -> Conversion | None:
    """Return how values in `unit` become values in `into`; None if there is no way.

    A unit that is not in the table converts into itself alone. Neither is longer than `UNIT_CHARACTERS_MAX`.
    """
    source, target = NAMES.get(unit, unit), NAMES.get(into, into)
    if source == target:
        return SAME
    if source not in UNITS or target not in UNITS:
        return None
    (dimension, factor, offset), (wanted, base, shift) = UNITS[source], UNITS[target]
    if dimension != wanted:
        return None
    return Conversion(float(factor / base), float((offset - shift) / base))


def conversion_of(told: str, named: str, into: str) -> Conversion | None:
    """Return how values become values in `into` that come in the unit that a message tells.

    Parameters
    ----------
    named : str
        The unit that the device's profile names, where it names one: it stands in for one that nobody knows.

    Returns
    -------
    Conversion or None
        None where there is no way.
    """
    if told in NO_UNIT or (named and not is_known(told)):
        return conversion(named, into) if named else SAME
    return conversion(told, into)


def is_known(unit: str) -> bool:
    """Tell whether values in `unit` can be turned into another unit."""
    return NAMES.get(unit, unit) in UNITS
