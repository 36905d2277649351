"""Reads what a city pack says of faults, of service categories and of the price of electricity."""

import re
from dataclasses import fields
from typing import Any

from city import packfile
from city.alarm import FaultClass
from city.pack import ServiceCategory
from city.packfile import Cells, Notes, shown
from city.registry import FaultRules
from city.tariff import RelampingPrices, Tariff

_RULE_RANGES: dict[str, tuple[float, float]] = {
    "dark_below": (0.0, 1.0),
    "dark_readings": (1, 100),
    "unexpected_on_w": (0.0, 5000.0),
    "unexpected_on_share": (0.0, 1.0),
    "unexpected_on_readings": (1, 100),
    "guard_s": (0, 14_400),
    "lost_share": (0.0, 0.9),
    "outage_probability": (0.0, 0.1),
    "outage_lamps_min": (1, 1000),
    "co2_ppm": (400.0, 20_000.0),
    "co2_min": (1, 1440),
    "hot_water_deg_c": (-10.0, 110.0),
    "hot_water_min": (1, 1440),
    "cold_room_deg_c": (-60.0, 60.0),
    "cold_room_min": (1, 1440),
    "leak_ratio": (1.0, 100.0),
    "leak_nights": (1, 14),
    "pattern_days": (7, 365),
    "confirm_readings": (1, 100),
    "learn_readings": (2, 200),
    "power_off_share": (0.01, 1.0),
    "module_lost_share": (0.01, 1.0),
    "flicker_share": (0.01, 1.0),
    "flicker_leaps": (1, 6),
    "dimming_s": (0, 86_400),
    "power_factor_low": (0.0, 1.0),
    "power_factor_drop": (0.0, 1.0),
    "cycling_relit": (1, 100),
    "cycling_switch_ons": (1, 1000),
    "stuck_probability": (0.0, 0.1),
    "reset_within_s": (0, 2_592_000),
    "relearn_s": (3_600, 31_536_000),
    "voltage_off_share": (0.0, 1.0),
    "voltage_low_v": (0.0, 500.0),
    "voltage_high_v": (0.0, 500.0),
    "voltage_s": (0, 86_400),
    "clock_guard_s": (0, 14_400),
    "clock_error_s": (60, 14_400),
    "trips_a_night": (2, 6),
}
_PRICE_MAX = 100.0
_LAMP_MAX = 100_000.0
"""Of any currency in which a kilowatt-hour costs a few units at most; more is a price per MWh."""
_CURRENCY = re.compile(r"[A-Z]{3}")
assert set(_RULE_RANGES) == {f.name for f in fields(FaultRules)}


def fault_rules(notes: Notes, text: str | None) -> FaultRules:
    """Read ``faults.toml``; a pack without the file has the rules that the program brings."""
    body = None if text is None else packfile.toml(notes, "faults.toml", text)
    if text is None or body is None:
        return FaultRules()
    cells = packfile.table(notes, "faults.toml", text, body)
    cells.only((), tuple(_RULE_RANGES))
    values: dict[str, Any] = {}
    for key, (low, high) in _RULE_RANGES.items():
        if key in body:
            whole = isinstance(low, int)
            values[key] = cells.whole(key, int(low), int(high)) if whole else cells.number(key, low, high)
    return FaultRules(**values)


def category(cells: Cells, identity: str, languages: tuple[str, ...]) -> ServiceCategory:
    """Read one table of ``categories.toml``."""
    if not cells.only(("names", "faults", "sla_hours", "crew")):
        return ServiceCategory(identity, {}, (), 1, "")
    names = cells.values["names"]
    texts = names if isinstance(names, dict) else {}
    for language in languages:
        word = texts.get(language)
        if not isinstance(word, str) or not word.strip() or not word.isprintable() or len(word) > packfile.TEXT_MAX:
            cells.wrong("names", f'names must have {language}: write names = {{ {language} = "…" }}')
    for language in texts:
        if language not in languages:
            cells.wrong("names", f"{shown(language)} is not a language of city.toml: add it there, or remove it here")
    known = {str(fault) for fault in FaultClass}
    faults = cells.names("faults", empty=True)
    for fault in faults:
        if fault not in known:
            cells.wrong("faults", f"{shown(fault)} is not a fault: write one of {', '.join(sorted(known))}")
    return ServiceCategory(
        identity,
        dict(texts),
        tuple(FaultClass(f) for f in faults if f in known),
        cells.number("sla_hours", 0, 24 * 366, above_low=True),
        cells.text("crew"),
    )


def tariff(cells: Cells) -> Tariff | None:
    """Read the table ``energy`` of ``city.toml``."""
    if not cells.sound or not cells.only(("price_per_kwh", "currency")):
        return None
    price = cells.number("price_per_kwh", 0, _PRICE_MAX, above_low=True)
    return Tariff(price, _currency(cells))


def relamping(cells: Cells) -> RelampingPrices | None:
    """Read the table ``relamping`` of ``city.toml``."""
    if not cells.sound or not cells.only(("planned", "fault", "currency")):
        return None
    planned, fault = (cells.number(name, 0, _LAMP_MAX, above_low=True) for name in ("planned", "fault"))
    if cells.sound and fault < planned:
        cells.wrong("fault", f"fault {fault:g} is below planned {planned:g}: a crew that goes out costs no less")
    return RelampingPrices(planned, fault, _currency(cells))


def _currency(cells: Cells) -> str:
    currency = cells.text("currency")
    if currency and not _CURRENCY.fullmatch(currency):
        cells.wrong("currency", f"currency {shown(currency)} is not a code of three letters: write one such as EUR")
    return currency
