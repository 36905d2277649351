from datetime import UTC, datetime, timedelta

import pytest

from city.errors import DataError
from observatory.periods import Step, period

MADRID = "Europe/Madrid"
NOW = datetime(2026, 11, 24, 19, 30, tzinfo=UTC)


def test_days_are_the_citys_also_when_clocks_change() -> None:
    found = period(
        datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 26, 12, tzinfo=UTC), Step.DAY, MADRID, NOW
    )
    lengths = [(end - start) / timedelta(hours=1) for start, end in found.buckets()]
    assert lengths == [24, 25, 24]
    spring = period(datetime(2026, 3, 29, 12, tzinfo=UTC), datetime(2026, 3, 29, 13, tzinfo=UTC), Step.DAY, MADRID, NOW)
    assert [(end - start) / timedelta(hours=1) for start, end in spring.buckets()] == [23]


def test_the_repeated_hour_of_autumn_is_two_hours() -> None:
    night = period(datetime(2026, 10, 25, 0, tzinfo=UTC), datetime(2026, 10, 25, 3, tzinfo=UTC), Step.HOUR, MADRID, NOW)
    starts = [start for start, _ in night.buckets()]
    assert starts == [datetime(2026, 10, 25, hour, tzinfo=UTC) for hour in (0, 1, 2)]


def test_hours_are_cut_by_a_zone_with_half_hours() -> None:
    found = period(NOW - timedelta(hours=1), NOW, Step.HOUR, "Asia/Kolkata", NOW)
    assert found.since == datetime(2026, 11, 24, 18, 30, tzinfo=UTC)
    assert found.until == NOW


def test_it_goes_back_from_now_and_never_beyond() -> None:
    found = period(None, NOW + timedelta(days=9), Step.HOUR, MADRID, NOW)
    assert found.until == datetime(2026, 11, 24, 20, tzinfo=UTC)
    assert found.since == datetime(2026, 11, 22, 19, tzinfo=UTC)
    assert len(period(None, None, Step.DAY, MADRID, NOW).buckets()) == 31


@pytest.mark.parametrize(
    ("since", "until", "step", "said"),
    [
        (NOW, NOW - timedelta(hours=1), Step.HOUR, "that time is empty"),
        (NOW + timedelta(days=1), None, Step.DAY, "that time is empty"),
        (NOW - timedelta(days=40), None, Step.HOUR, "that is too long"),
        (datetime(1900, 1, 1, tzinfo=UTC), None, Step.DAY, "that is too long"),
    ],
)
def test_a_time_that_makes_no_sense_is_refused(
    since: datetime | None, until: datetime | None, step: Step, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        period(since, until, step, MADRID, NOW)
