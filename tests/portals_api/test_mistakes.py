"""Mistakes of lists and forms in the reader's language: each sentence is one that the code says."""

import ast
import re
from pathlib import Path

import pytest

from city.errors import PackError
from city.packlists import read_devices, read_gateways
from portals_api.i18n import Words, load_catalogues
from portals_api.mistakes import SENTENCES, in_words

ROOT = Path(__file__).resolve().parents[2]
SPANISH = Words("es", load_catalogues(("es",))["es"], "Europe/Madrid")
DEVICES = "device_id,asset_id,gateway_id,profile_id,address\n"
GATEWAYS = "gateway_id,name,lat,lon,district_id\n"


def test_every_sentence_is_one_that_the_code_says() -> None:
    said = []
    for folder in ("city", "stream", "portals_api/operator"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    said.append("".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    said.append(node.value)
    for sentence in SENTENCES:
        # What is wrong and what to do may be put together; short words in between stand anywhere.
        for part in re.split(r"\{\w+\}|: | or more and ", sentence):
            assert len(part) < 11 or any(part.strip() in one for one in said), f"{sentence}: {part}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "device_id,asset_id\n",
        DEVICES.replace("address", "colour"),
        DEVICES.replace("address", "device_id"),
        DEVICES + "a b,L-1,G-1,lamp,\n",
        DEVICES + ",L-1,G-1,lamp,\n",
        DEVICES + "A,L-1,G-1\n",
        DEVICES + 'A,"L-1,G-1,lamp\n',
        DEVICES + f"A,L-1,G-1,lamp,{'x' * 129}\n",
        DEVICES + "A,L-1,G-1,lamp,\nA,L-1,G-1,lamp,\n",
        DEVICES + "A,L-1,G-1,lamp,\x07\n",
    ],
)
def test_mistakes_of_a_list_of_devices_are_told_in_spanish(text: str) -> None:
    _check(lambda: read_devices(text))


@pytest.mark.parametrize("row", ["G,Uno,x,1,centre", "G,Uno,99,1,centre", "G,,43,1,centre", "G,Uno,43,,centre"])
def test_mistakes_of_a_list_of_gateways_are_told_in_spanish(row: str) -> None:
    _check(lambda: read_gateways(GATEWAYS + row + "\n"))


def test_a_sentence_that_nobody_knows_is_shown_and_marked_as_english() -> None:
    assert in_words(SPANISH, "the moon is out") == ("", "the moon is out", False)
    assert in_words(SPANISH, "devices.csv:7: x is missing: fill it in") == (
        "devices.csv, línea 7",
        "falta x: rellénalo",
        True,
    )


def _check(read: object) -> None:
    with pytest.raises(PackError) as raised:
        read()  # type: ignore[operator]
    for mistake in raised.value.mistakes:
        said = in_words(SPANISH, str(mistake))
        assert said.translated, mistake
        assert said.text != mistake.text
