import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from portals_api.live.burning import Burning
from portals_api.live.inventory import Lamps


def lamps(count: int) -> Lamps:
    """Lamps 0, 1, 2 … whose power is series 10, 11, 12 …"""
    ids = [f"L-{n}" for n in range(count)]
    none = np.zeros(count, np.int32)
    numbers = np.arange(count, dtype=np.int32)
    nowhere = np.full(count, np.nan)
    return Lamps(ids, nowhere, nowhere, np.ones(count), none, none, [""], [""], {}, numbers + 10, numbers)


def take(burning: Burning, *rows: tuple[int, int, float]) -> list[int]:
    series, observed_at, value = zip(*rows, strict=True)
    return sorted(burning.take(np.array(series, np.int32), np.array(observed_at, np.int64), np.array(value)).tolist())


def test_a_late_reading_does_not_hide_a_newer_one() -> None:
    burning = Burning(lamps(2))
    assert take(burning, (10, 500, 36.0), (11, 500, 0.5)) == [0, 1]
    assert take(burning, (10, 400, 0.0)) == []
    assert take(burning, (10, 600, 1.0), (10, 450, 9.0), (11, 100, 9.0)) == [0]
    assert burning.power_w.tolist() == [1.0, 0.5]


def test_of_two_readings_of_one_moment_the_first_counts() -> None:
    burning = Burning(lamps(1))
    take(burning, (10, 500, 36.0), (10, 500, 0.0))
    take(burning, (10, 500, 7.0))
    assert burning.power_w.tolist() == [36.0]


def test_readings_of_other_series_are_passed_over() -> None:
    burning = Burning(lamps(1))
    assert take(burning, (3, 500, 1.0), (9_999_999, 500, 1.0)) == []
    assert np.isnan(burning.power_w).all()


@given(
    st.lists(st.tuples(st.integers(8, 14), st.integers(1, 9), st.floats(0, 99)), min_size=1),
    st.lists(st.integers(1, 50), max_size=5),
)
def test_however_readings_are_cut_into_batches_the_end_is_the_same(
    rows: list[tuple[int, int, float]], cuts: list[int]
) -> None:
    whole, parts, expected = Burning(lamps(3)), Burning(lamps(3)), {}
    take(whole, *rows)
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(rows)], strict=True):
        if rows[start:end]:
            take(parts, *rows[start:end])
    for series, observed_at, value in rows:
        if 10 <= series < 13 and observed_at > expected.get(series - 10, (0, 0.0))[0]:
            expected[series - 10] = (observed_at, value)
    for burning in (whole, parts):
        got = zip(burning.observed_at.tolist(), burning.power_w.tolist(), strict=True)
        assert {lamp: told for lamp, told in enumerate(got) if told[0]} == expected
