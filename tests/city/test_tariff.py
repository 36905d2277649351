import pytest

from city.errors import PackError
from city.profile import parse_pack
from city.tariff import Tariff
from tests.city.packs import SMALL


def with_energy(text: str) -> dict[str, str]:
    return {**SMALL, "city.toml": SMALL["city.toml"] + text}


def test_a_city_may_say_what_a_kilowatt_hour_costs_and_need_not() -> None:
    assert parse_pack(SMALL).tariff is None
    pack = parse_pack(with_energy('\n[energy]\nprice_per_kwh = 0.15\ncurrency = "EUR"\n'))
    assert pack.tariff == Tariff(0.15, "EUR")
    assert pack.tariff.cost(10) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\n[energy]\nprice_per_kwh = 0.15\n", "city.toml:12: currency is missing"),
        ('\n[energy]\nprice_per_kwh = 0\ncurrency = "EUR"\n', "city.toml:13: price_per_kwh 0 is out of range"),
        ('\n[energy]\nprice_per_kwh = 150\ncurrency = "EUR"\n', "city.toml:13: price_per_kwh 150 is out of range"),
        ('\n[energy]\nprice_per_kwh = 0.1\ncurrency = "€"\n', "city.toml:14: currency '€' is not a code"),
        ('\n[energy]\nprice = 0.1\nprice_per_kwh = 0.1\ncurrency = "EUR"\n', "city.toml:13: 'price' is not known here"),
    ],
)
def test_a_mistake_in_the_tariff_is_told_by_its_line(text: str, told: str) -> None:
    with pytest.raises(PackError) as raised:
        parse_pack(with_energy(text))
    assert [m for m in map(str, raised.value.mistakes) if m.startswith(told)], raised.value.mistakes


def test_a_tariff_that_is_no_table_is_told() -> None:
    files = {**SMALL, "city.toml": SMALL["city.toml"].replace("simulated", "energy = 0.1\nsimulated", 1)}
    with pytest.raises(PackError, match=r"energy must be a table: write \[energy\]"):
        parse_pack(files)
