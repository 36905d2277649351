"""Units of measurement as devices name them, and how to turn one into another.

Sources: UCUM; RFC 8428 and RFC 8798 (SenML's own symbols); UN/CEFACT Recommendation 20 (NGSI's ``unitCode``); beside
them the spellings that vendors' firmware uses.
"""

from functools import lru_cache
from typing import NamedTuple

UNIT_CHARACTERS_MAX = 32


class Conversion(NamedTuple):
    """value in the target's unit = value * scale + offset."""

    scale: float
    offset: float


SAME = Conversion(1.0, 0.0)

_KELVIN = 273.15

# Canonical UCUM symbol → (dimension, factor to the dimension's base, offset to it).
_UNITS: dict[str, tuple[str, float, float]] = {
    "1": ("ratio", 1.0, 0.0),
    "%": ("ratio", 0.01, 0.0),
    "[ppth]": ("ratio", 1e-3, 0.0),
    "[ppm]": ("ratio", 1e-6, 0.0),
    "[ppb]": ("ratio", 1e-9, 0.0),
    "W": ("power", 1.0, 0.0),
    "mW": ("power", 1e-3, 0.0),
    "kW": ("power", 1e3, 0.0),
    "MW": ("power", 1e6, 0.0),
    "V.A": ("apparent power", 1.0, 0.0),
    "kV.A": ("apparent power", 1e3, 0.0),
    "var": ("reactive power", 1.0, 0.0),
    "kvar": ("reactive power", 1e3, 0.0),
    "V": ("voltage", 1.0, 0.0),
    "mV": ("voltage", 1e-3, 0.0),
    "kV": ("voltage", 1e3, 0.0),
    "A": ("current", 1.0, 0.0),
    "mA": ("current", 1e-3, 0.0),
    "J": ("energy", 1.0, 0.0),
    "kJ": ("energy", 1e3, 0.0),
    "MJ": ("energy", 1e6, 0.0),
    "W.s": ("energy", 1.0, 0.0),
    "W.h": ("energy", 3_600.0, 0.0),
    "kW.h": ("energy", 3.6e6, 0.0),
    "MW.h": ("energy", 3.6e9, 0.0),
    "V.A.s": ("apparent energy", 1.0, 0.0),
    "kV.A.h": ("apparent energy", 3.6e6, 0.0),
    "var.s": ("reactive energy", 1.0, 0.0),
    "var.h": ("reactive energy", 3_600.0, 0.0),
    "kvar.h": ("reactive energy", 3.6e6, 0.0),
    "A.h": ("charge", 3_600.0, 0.0),
    "g": ("mass", 1e-3, 0.0),
    "kg": ("mass", 1.0, 0.0),
    "K": ("temperature", 1.0, 0.0),
    "Cel": ("temperature", 1.0, _KELVIN),
    "[degF]": ("temperature", 5 / 9, _KELVIN - 32 * 5 / 9),
    "us": ("time", 1e-6, 0.0),
    "ms": ("time", 1e-3, 0.0),
    "s": ("time", 1.0, 0.0),
    "min": ("time", 60.0, 0.0),
    "h": ("time", 3_600.0, 0.0),
    "d": ("time", 86_400.0, 0.0),
    "Hz": ("frequency", 1.0, 0.0),
    "/min": ("frequency", 1 / 60, 0.0),
    "kHz": ("frequency", 1e3, 0.0),
    "MHz": ("frequency", 1e6, 0.0),
    "lx": ("illuminance", 1.0, 0.0),
    "klx": ("illuminance", 1e3, 0.0),
    "lm": ("luminous flux", 1.0, 0.0),
    "Pa": ("pressure", 1.0, 0.0),
    "hPa": ("pressure", 100.0, 0.0),
    "kPa": ("pressure", 1e3, 0.0),
    "bar": ("pressure", 1e5, 0.0),
    "mbar": ("pressure", 100.0, 0.0),
    "mm": ("length", 1e-3, 0.0),
    "cm": ("length", 1e-2, 0.0),
    "m": ("length", 1.0, 0.0),
    "km": ("length", 1e3, 0.0),
    "m/s": ("speed", 1.0, 0.0),
    "km/h": ("speed", 1 / 3.6, 0.0),
    "m/h": ("speed", 1 / 3_600, 0.0),
    "mm/h": ("speed", 1e-3 / 3_600, 0.0),
    "deg": ("angle", 1.0, 0.0),
    "rad": ("angle", 57.29577951308232, 0.0),
    "L": ("volume", 1e-3, 0.0),
    "m3": ("volume", 1.0, 0.0),
    "L/s": ("flow", 1e-3, 0.0),
    "L/min": ("flow", 1e-3 / 60, 0.0),
    "L/h": ("flow", 1e-3 / 3_600, 0.0),
    "m3/h": ("flow", 1 / 3_600, 0.0),
    "m3/s": ("flow", 1.0, 0.0),
    "ug/m3": ("concentration", 1e-6, 0.0),
    "mg/m3": ("concentration", 1e-3, 0.0),
    "g/m3": ("concentration", 1.0, 0.0),
    "kg/m3": ("concentration", 1e3, 0.0),
    "By": ("data", 1.0, 0.0),
    "KiBy": ("data", 1024.0, 0.0),
    "GBy": ("data", 1e9, 0.0),
    "bit/s": ("data rate", 1.0, 0.0),
    "By/s": ("data rate", 8.0, 0.0),
    "Mbit/s": ("data rate", 1e6, 0.0),
    "MBy/s": ("data rate", 8e6, 0.0),
    "W/m2": ("irradiance", 1.0, 0.0),
    "dB": ("level", 1.0, 0.0),
    "dB[A]": ("level", 1.0, 0.0),
    "dBm": ("signal", 1.0, 0.0),
}

_ALIASES: dict[str, str] = {
    # SenML (RFC 8428, RFC 8798)
    "/": "1",
    "count": "1",
    "%RH": "%",
    "%EL": "%",
    "VA": "V.A",
    "kVA": "kV.A",
    "kVAr": "kvar",
    "VAr": "var",
    "Wh": "W.h",
    "kWh": "kW.h",
    "l": "L",
    "l/s": "L/s",
    "l/h": "L/h",
    "VAs": "V.A.s",
    "kVAh": "kV.A.h",
    "vars": "var.s",
    "varh": "var.h",
    "kvarh": "kvar.h",
    "Ah": "A.h",
    "lat": "deg",
    "lon": "deg",
    "EL": "s",
    "1/s": "Hz",
    "1/min": "/min",
    "beat/min": "/min",
    "beats": "1",
    "/100": "%",
    "/1000": "[ppth]",
    "B": "By",
    "KiB": "KiBy",
    "GB": "GBy",
    "B/s": "By/s",
    "MB/s": "MBy/s",
    "ppm": "[ppm]",
    "ppb": "[ppb]",
    # UN/CEFACT Recommendation 20
    "C62": "1",
    "P1": "%",
    "59": "[ppm]",
    "61": "[ppb]",
    "WTT": "W",
    "KWT": "kW",
    "MAW": "MW",
    "D46": "V.A",
    "KVA": "kV.A",
    "D44": "var",
    "KVR": "kvar",
    "VLT": "V",
    "2Z": "mV",
    "KVT": "kV",
    "AMP": "A",
    "4K": "mA",
    "JOU": "J",
    "KJO": "kJ",
    "WHR": "W.h",
    "KWH": "kW.h",
    "MWH": "MW.h",
    "KEL": "K",
    "CEL": "Cel",
    "FAH": "[degF]",
    "C26": "ms",
    "SEC": "s",
    "MIN": "min",
    "HUR": "h",
    "DAY": "d",
    "HTZ": "Hz",
    "KHZ": "kHz",
    "LUX": "lx",
    "LUM": "lm",
    "PAL": "Pa",
    "A97": "hPa",
    "KPA": "kPa",
    "BAR": "bar",
    "MBR": "mbar",
    "MMT": "mm",
    "CMT": "cm",
    "MTR": "m",
    "KMT": "km",
    "MTS": "m/s",
    "KMH": "km/h",
    "DD": "deg",
    "LTR": "L",
    "MTQ": "m3",
    "MQH": "m3/h",
    "MQS": "m3/s",
    "GQ": "ug/m3",
    "GP": "mg/m3",
    "D54": "W/m2",
    "2N": "dB",
    # as people write them
    "": "1",
    "°C": "Cel",
    "ºC": "Cel",
    "C": "Cel",
    "degC": "Cel",
    "°F": "[degF]",
    "degF": "[degF]",
    "µg/m3": "ug/m3",
    "µg/m³": "ug/m3",
    "μg/m³": "ug/m3",
    "μg/m3": "ug/m3",
    "ug/m³": "ug/m3",
    "mg/m³": "mg/m3",
    "m³": "m3",
    "m³/h": "m3/h",
    "W/m²": "W/m2",
    "lux": "lx",
    "Lux": "lx",
    "hours": "h",
    "seconds": "s",
    "minutes": "min",
    "percent": "%",
    "volt": "V",
    "volts": "V",
    "ampere": "A",
    "amperes": "A",
    "amps": "A",
    "watt": "W",
    "watts": "W",
    "kwh": "kW.h",
    "°": "deg",
    "dB(A)": "dB[A]",
    "dBA": "dB[A]",
}


@lru_cache(maxsize=4096)
def conversion(unit: str, into: str) -> Conversion | None:
    """Return how values in `unit` become values in `into`; None if there is no way.

    A unit that is not in the table converts into itself alone. Neither is longer than `UNIT_CHARACTERS_MAX`.
    """
    source, target = _ALIASES.get(unit, unit), _ALIASES.get(into, into)
    if source == target:
        return SAME
    if source not in _UNITS or target not in _UNITS:
        return None
    (dimension, factor, offset), (wanted, base, shift) = _UNITS[source], _UNITS[target]
    if dimension != wanted:
        return None
    return Conversion(factor / base, (offset - shift) / base)


def is_known(unit: str) -> bool:
    """Tell whether values in `unit` can be turned into another unit."""
    return _ALIASES.get(unit, unit) in _UNITS
