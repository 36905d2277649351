"""Every fault is told in plain words for who goes there, in every language; every rule has a name."""

import ast
from pathlib import Path

import pytest

from anomaly.statistics.layout import CHANNELS
from anomaly.suspicions import RULES
from city.alarm import FaultClass
from portals_api import codes
from portals_api.explain import RULES_SAY
from portals_api.i18n import Words, load_catalogues
from portals_api.meanings import MEANS

ROOT = Path(__file__).resolve().parents[2]
TOLD_NOWHERE = {"device-withdrawn", "segment-withdrawn", "segment-recovered", "learnt-again"}
"""Rules that end a fault: nobody is told of them, the alarm keeps the rule that raised it."""


def evidence_rules() -> set[str]:
    """Rules that detection and correlation give as literals: first arguments of `Evidence` and of its helpers."""
    found = {name for name, _ in RULES.values()}
    found |= {f"unlike-its-past-{channel}" for channel in CHANNELS}
    for path in sorted((ROOT / "anomaly").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in ("Evidence", "_evidence", "evidence"):
                told = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "rule")]
                found |= {one.value for one in told if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return found


def test_every_fault_says_what_it_means_and_where_to_look() -> None:
    assert set(MEANS) == set(FaultClass)
    assert len(set(MEANS.values())) == len(FaultClass)
    for fault, text in MEANS.items():
        assert len(text) > 50, fault
        assert text.endswith("."), fault


@pytest.mark.parametrize("language", ["es", "ast"])
def test_every_fault_is_told_in_every_language(language: str) -> None:
    words = Words(language, load_catalogues((language,))[language], "Europe/Madrid")
    for fault in FaultClass:
        for text in (MEANS[fault], codes.FAULTS[fault]):
            assert words.text(text) != text, fault


def test_every_rule_that_detection_gives_has_a_name_in_plain_words() -> None:
    given = evidence_rules()
    assert {"gateways-silent-together", "all-feeders-silent", "power-below-expected"} <= given
    assert given - set(codes.RULES) - TOLD_NOWHERE == set()
    assert set(RULES_SAY) <= set(codes.RULES)
