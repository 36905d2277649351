"""What the registry tells ingest of the wire: names, units, codecs and topics of devices that others have made."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from city.asset import DeviceProfile
from city.integration import Integration, Routes
from city.registry import PLAIN, KnownDevice, SeriesTarget, WireProfile
from city.units import SAME, conversion

Names = Mapping[str, list[dict[str, Any]]]
"""Metric → how devices of a profile send it."""


def profile_settings(profile: DeviceProfile, codecs: Mapping[str, str]) -> dict[str, Any]:
    """Return a profile as plain JSON, its codec's text included."""
    return {**asdict(profile), "codec": codecs.get(profile.codec, "")}


def plain_profile(profile: DeviceProfile, codecs: Mapping[str, str]) -> dict[str, Any]:
    """Return the same as it comes back from the database, where lists are lists."""
    plain: dict[str, Any] = json.loads(json.dumps(profile_settings(profile, codecs)))
    return plain


def routes(pack: Mapping[str, Any]) -> Routes:
    """Return which topics carry which format."""
    told = pack.get("integrations", ())
    return Routes(tuple(Integration(i["integration_id"], i["format"], tuple(i["topics"]), i["gateway"]) for i in told))


def devices(rows: Iterable[Sequence[Any]], told_profiles: Mapping[str, Any]) -> dict[str, KnownDevice]:
    """Return the devices by their names on the wire.

    Parameters
    ----------
    rows : iterable
        Of ``ingest_series``: address, device, gateway, profile, metric, series, partition, low, high, unit.
    told_profiles : mapping
        Profile → what `profile_settings` made of it.
    """
    profiles = {identity: _wire_profile(told) for identity, told in told_profiles.items()}
    names = {identity: _by_metric(told) for identity, told in told_profiles.items()}
    known: dict[str, KnownDevice] = {}
    for address, device, gateway, profile, metric, series, partition, low, high, unit in rows:
        if address not in known:
            known[address] = KnownDevice(device, gateway, {}, profiles.get(profile, PLAIN))
        targets = known[address].targets
        targets[metric] = SeriesTarget(series, partition, low, high, unit=unit)
        for told in names.get(profile, {}).get(metric, ()):
            scale, offset = conversion(told["unit"], unit) or SAME if told["unit"] else SAME
            targets[told["name"]] = SeriesTarget(
                series, partition, low, high, scale, offset, unit, dict(told["values"]), told["unit"]
            )
    return known


def _wire_profile(told: Mapping[str, Any]) -> WireProfile:
    return WireProfile(told["profile_id"], frozenset(told["ignore"]), told["codec"])


def _by_metric(told: Mapping[str, Any]) -> Names:
    found: dict[str, list[dict[str, Any]]] = {}
    for name in told["names"]:
        found.setdefault(name["metric"], []).append(name)
    return found
