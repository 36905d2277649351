"""Names on the wire and integrations in a city pack's files, with every mistake told by file and line."""

import pytest

from city.asset import WireName
from city.errors import PackError
from city.integration import Integration
from city.profile import parse_pack
from tests.city.packs import SMALL

NAMES = """
[lora-lamp]
metrics = ["active_power_w", "supply_voltage_v"]
report_interval_s = 900
silence_intervals = 8.0
ignore = ["rssi"]
codec = "lamp.js"

[lora-lamp.names]
Power = { metric = "active_power_w", unit = "kW" }
U = "supply_voltage_v"
state = { metric = "active_power_w", values = { off = 0 } }
"""
CODEC = "function decodeUplink(input) { return { data: {} }; }"
LORA = '[lora]\nformat = "chirpstack"\ntopics = ["application/{a}/device/{device}/event/up"]\ngateway = "GW-1"\n'


def mistakes(**files: str) -> list[str]:
    with pytest.raises(PackError) as caught:
        parse_pack({**SMALL, **{name.replace("_", "."): text for name, text in files.items()}})
    return [str(mistake) for mistake in caught.value.mistakes]


def profiles(text: str) -> str:
    return SMALL["profiles.toml"] + text


def test_a_profile_says_what_its_devices_call_their_values() -> None:
    pack = parse_pack({**SMALL, "profiles.toml": profiles(NAMES), "lamp.js": CODEC})
    profile = pack.profiles["lora-lamp"]
    assert profile.names == (
        WireName("Power", "active_power_w", "kW"),
        WireName("U", "supply_voltage_v"),
        WireName("state", "active_power_w", "", (("off", 0.0),)),
    )
    assert (profile.ignore, profile.codec) == (("rssi",), "lamp.js")
    assert pack.codecs == {"lamp.js": CODEC}


@pytest.mark.parametrize(
    ("wrong", "right", "word"),
    [
        ('"kW"', '"furlong"', "is not known: write a UCUM symbol"),
        ('"kW"', '"kW.h"', "cannot be turned into W"),
        ('U = "supply_voltage_v"', 'U = "co2_ppm"', "none of the profile's metrics"),
        ('U = "supply_voltage_v"', "U = 7", "must be a metric, or a table"),
        ('U = "supply_voltage_v"', 'active_power_w = "supply_voltage_v"', "is a metric itself"),
        ("{ off = 0 }", '{ off = "no" }', "must stand for a number"),
        ("{ off = 0 }", "3", "values must be a table"),
        ('"lamp.js"', '"other.js"', "no file of the pack"),
        ('ignore = ["rssi"]', "ignore = 3", "ignore must be a list"),
    ],
)
def test_a_mistake_in_a_profiles_names_is_told(wrong: str, right: str, word: str) -> None:
    text = NAMES.replace(wrong, right)
    assert text != NAMES
    with pytest.raises(PackError) as caught:
        parse_pack({**SMALL, "profiles.toml": profiles(text), "lamp.js": CODEC})
    told = [str(mistake) for mistake in caught.value.mistakes]
    assert any(word in line and line.startswith("profiles.toml:") for line in told), told


def test_an_integration_is_read() -> None:
    pack = parse_pack({**SMALL, "integrations.toml": LORA})
    assert pack.integrations == (
        Integration("lora", "chirpstack", ("application/{a}/device/{device}/event/up",), "GW-1"),
    )


@pytest.mark.parametrize(
    ("wrong", "right", "line", "word"),
    [
        ('"chirpstack"', '"chirpstick"', 2, "format 'chirpstick' is not known"),
        ("{device}", "+", 3, "wildcards + and # are not written here"),
        ('"GW-1"', '"GW-99"', 4, "names no gateway"),
        ('"GW-1"', '"{edge}"', 4, "is no level of"),
        ('"GW-1"', '"a b"', 4, "neither a gateway's id nor a level"),
    ],
)
def test_a_mistake_in_an_integration_is_told(wrong: str, right: str, line: int, word: str) -> None:
    (told,) = mistakes(integrations_toml=LORA.replace(wrong, right))
    assert told.startswith(f"integrations.toml:{line}: ")
    assert word in told


def test_devices_have_addresses_of_their_own() -> None:
    header, *rows = SMALL["devices.csv"].strip().splitlines()
    listed = [f"{header},address", *(f"{row},A84041{number:010}" for number, row in enumerate(rows))]
    pack = parse_pack({**SMALL, "devices.csv": "\n".join(listed) + "\n"})
    assert {d.address for d in pack.devices} >= {f"A84041{number:010}" for number in range(len(rows))}
    doubled = [f"{header},address", *(f"{row},same" for row in rows)]
    if len(rows) > 1:
        assert any(
            "every device has one of its own" in line for line in mistakes(devices_csv="\n".join(doubled) + "\n")
        )
