"""The small city with devices that others have made: one example file a format says which, and what they send.

An example holds ``gateways``, ``devices`` and ``metrics`` (lines of those files), ``profiles`` and ``integrations``
(their text), ``codecs`` (name → JavaScript), ``messages`` (topic, and payload as text or in base64) and ``readings``:
what must show at the end, by asset, metric, value and time.
"""

import base64
import tomllib
from pathlib import Path
from typing import Any

from tests.city.packs import SMALL

EXAMPLES = Path(__file__).with_name("examples")
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.toml"))

_DEVICES = "device_id,asset_id,gateway_id,profile_id,address\n"
_METRICS = (
    "temperature_c,Cel,-60,120\nilluminance_lx,lx,0,200000\nhumidity_pct,%,0,100\nbattery_pct,%,0,100\n"
    "active_energy_kwh,kW.h,0,1000000000\ndoor_open,1,0,1\n"
)


def example(name: str) -> dict[str, Any]:
    """Read one example file."""
    return tomllib.loads((EXAMPLES / f"{name}.toml").read_text())


def pack_files(told: dict[str, Any]) -> dict[str, str]:
    """Return the files of a city with an example's devices."""
    return {
        **SMALL,
        "gateways.csv": SMALL["gateways.csv"] + "".join(f"{line}\n" for line in told.get("gateways", ())),
        "devices.csv": _DEVICES + "S-1,EQ-1,GW-2,room,\n" + "".join(f"{line}\n" for line in told["devices"]),
        "profiles.toml": SMALL["profiles.toml"] + "\n" + told["profiles"],
        "metrics.csv": SMALL["metrics.csv"] + _METRICS + "".join(f"{line}\n" for line in told.get("metrics", ())),
        **({"integrations.toml": told["integrations"]} if "integrations" in told else {}),
        **told.get("codecs", {}),
    }


def payload_of(message: dict[str, Any]) -> bytes:
    """Return the bytes of an example's message."""
    return base64.b64decode(message["base64"]) if "base64" in message else message["payload"].encode()
