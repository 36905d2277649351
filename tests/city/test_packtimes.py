"""Dimming and opening hours in a city pack's files, with every mistake told by file and line."""

import pytest

from city.errors import PackError
from city.lighting import LightingSchedule
from city.profile import parse_pack
from tests.city.packs import SMALL

PART_NIGHT = SMALL["schedules.toml"] + 'dimming = ["01:00 50", "06:00 100", "23:30 70"]\n'
OPENING = '[school]\nhours = ["mon-fri 09:00-17:00"]\nclosed = ["12-25"]\n'


def mistakes(**files: str) -> list[str]:
    with pytest.raises(PackError) as caught:
        parse_pack({**SMALL, **{name.replace("_", "."): text for name, text in files.items()}})
    return [str(mistake) for mistake in caught.value.mistakes]


def test_dimming_is_read_in_the_citys_time() -> None:
    schedule = parse_pack({**SMALL, "schedules.toml": PART_NIGHT}).schedules["sun"]
    assert schedule == LightingSchedule(
        "sun", 43.5, -5.6, -3, ((60, 50), (360, 100), (1410, 70)), timezone="Europe/Madrid"
    )


@pytest.mark.parametrize("steps", ['"1:00 50"', '"01:00 0"', '"01:00 101"', '"24:00 50"', '"01:00"', '"x"'])
def test_a_step_that_is_none_is_told(steps: str) -> None:
    (told,) = mistakes(schedules_toml=SMALL["schedules.toml"] + f"dimming = [{steps}]\n")
    assert told.startswith("schedules.toml:5: ")
    assert "is not a step" in told


@pytest.mark.parametrize("steps", ['"02:00 50", "01:00 60"', '"01:00 50", "01:00 60"'])
def test_steps_out_of_order_are_told(steps: str) -> None:
    (told,) = mistakes(schedules_toml=SMALL["schedules.toml"] + f"dimming = [{steps}]\n")
    assert "must ascend" in told


def test_a_pack_without_opening_hours_is_whole() -> None:
    pack = parse_pack(SMALL)
    assert pack.opening == {}
    assert pack.opening_of(pack.facilities[0]) is None


def test_a_facilitys_own_hours_come_before_its_kinds() -> None:
    pack = parse_pack({**SMALL, "opening.toml": OPENING})
    kind = pack.opening_of(pack.facilities[0])
    assert kind is not None
    assert kind.closed == ("12-25",)
    pack = parse_pack({**SMALL, "opening.toml": OPENING + "[EQ-1]\nhours = []\n"})
    own = pack.opening_of(pack.facilities[0])
    assert own is not None
    assert not any(own.weekly)


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ('[scool]\nhours = ["mon 09:00-10:00"]\n', 1, "no facility and no kind"),
        ('[school]\nhours = ["mon 9-10"]\n', 2, "is not hours"),
        ('[school]\nhours = ["mon 09:00-10:00"]\nclosed = ["25-12"]\n', 3, "is not a day"),
        ("[school]\n", 1, "hours is missing"),
        ("[school]\nhours = []\nopen = true\n", 3, "not known here"),
        ("hours = []\n", 1, "must be a table"),
    ],
)
def test_hours_that_make_no_sense_are_told_with_their_line(text: str, line: int, word: str) -> None:
    assert any(told.startswith(f"opening.toml:{line}: ") and word in told for told in mistakes(opening_toml=text))
