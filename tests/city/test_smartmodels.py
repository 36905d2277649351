"""Profiles that say which Smart Data Model their devices follow."""

import json
from pathlib import Path

import pytest

from city.alarm import FaultClass
from city.errors import PackError
from city.profile import parse_pack
from city.registry import WireProfile
from city.smartmodels import MODELS, metric_of_event
from city.units import is_known
from tests.city.packs import SMALL

EXAMPLES = Path(__file__).parents[1] / "ingest" / "formats" / "smart"
LIGHT = """
[light]
model = "Streetlight"
metrics = ["active_power_w", "supply_voltage_v", "dimming_level_pct"]
report_interval_s = 900
silence_intervals = 8
"""


def pack_with(profile: str) -> dict[str, str]:
    return {**SMALL, "profiles.toml": SMALL["profiles.toml"] + profile}


def test_a_profile_of_one_line_knows_the_attributes_of_its_model() -> None:
    profile = parse_pack(pack_with(LIGHT)).profiles["light"]
    assert {(name.name, name.metric, name.unit) for name in profile.names} == {
        ("powerConsumption", "active_power_w", ""),
        ("voltage", "supply_voltage_v", ""),
        ("illuminanceLevel", "dimming_level_pct", "1"),
    }
    assert {"powerState", "current", "circuit", "deviceInfo.*"} <= set(profile.ignore)
    assert not {"voltage", "illuminanceLevel"} & set(profile.ignore)


def test_names_of_the_profile_come_before_those_of_its_model() -> None:
    own = LIGHT + '\n[light.names]\npowerState = { metric = "dimming_level_pct", values = { on = 100, off = 0 } }\n'
    own += 'voltage = { metric = "supply_voltage_v", unit = "kV" }\n'
    profile = parse_pack(pack_with(own)).profiles["light"]
    told = {name.name: name for name in profile.names}
    assert told["voltage"].unit == "kV"
    assert told["powerState"].metric == "dimming_level_pct"
    assert "powerState" not in profile.ignore


def test_a_lamp_tells_its_level_by_itself_or_beside_a_colour_and_commands_have_metrics_of_their_own() -> None:
    text = LIGHT.replace("Streetlight", "LampMonitor")
    profile = parse_pack(pack_with(text)).profiles["light"]
    levels = {name.name for name in profile.names if (name.metric, name.unit) == ("dimming_level_pct", "%")}
    assert levels == {"actualLightState", "actualLightState.level", "state", "state.level"}
    [state] = [name for name in profile.names if name.name == "state"]
    assert dict(state.values) == {"true": 100.0, "false": 0.0}, "a lamp that is on is not at 1 %"
    assert {"feedbackLightCommand", "targetLightCommand", "targetLightCommand.*", "command.*"} <= set(profile.ignore)
    text = text.replace('"dimming_level_pct"', '"commanded_level_pct", "target_level_pct"')
    files = pack_with(text)
    files["metrics.csv"] += "commanded_level_pct,%,0,100\ntarget_level_pct,%,0,100\n"
    told = {name.name: name.metric for name in parse_pack(files).profiles["light"].names}
    assert told["feedbackLightCommand.level"] == told["command"] == "commanded_level_pct"
    assert told["targetLightCommand"] == "target_level_pct"


def test_a_model_that_nobody_knows_is_a_mistake() -> None:
    with pytest.raises(PackError, match="model 'Bench' is not known"):
        parse_pack(pack_with(LIGHT.replace("Streetlight", "Bench")))


def test_units_of_the_models_are_known() -> None:
    assert all(is_known(name.unit) for model in MODELS.values() for name in model.names if name.unit)


@pytest.mark.parametrize("model", [name for name in MODELS if name.startswith("Streetlight")])
def test_every_attribute_of_the_models_examples_is_a_measurement_or_left_out(model: str) -> None:
    entity = json.loads((EXAMPLES / f"{model}-example.json").read_text())
    known, profile = {name.name for name in MODELS[model].names}, WireProfile(model, MODELS[model].others)
    of_ngsi = {"id", "type", "location", "observationDateTime"}
    for name, value in entity.items():
        flat = [f"{name}.{key}" for key in value] if isinstance(value, dict) else [name]
        flat = [f"{name}.{place}" for place in range(len(value))] if isinstance(value, list) else flat
        for called in flat:
            if name not in of_ngsi and not name.startswith("date"):
                assert called in known or profile.ignores(called), called


def test_events_of_talq_are_metrics_of_their_name() -> None:
    assert metric_of_event("controlGearCommFailure") == "control_gear_comm_failure"
    names = {name.name: name.metric for name in MODELS["LampMonitor"].names}
    faults = {fault.value for fault in FaultClass if fault.value in names}
    assert {"lampFailure", "lampUnexpectedOn", "communicationFailure"} <= faults
