"""How long an installation keeps what it received."""

import pytest

from app.keeping import keeping_of, resend_s_of
from app.settings import Settings, load_settings


@pytest.fixture
def settings() -> Settings:
    return load_settings()


def test_at_real_time_readings_are_kept_for_ever_and_the_log_for_a_week(settings: Settings) -> None:
    keeping = keeping_of(settings, 1)
    assert (keeping.log_h, keeping.rollups.raw_retention_days, keeping.rollups.hour_retention_days) == (168, None, None)


def test_a_fast_city_is_bounded_without_being_told(settings: Settings) -> None:
    keeping = keeping_of(settings, 60)
    assert (keeping.log_h, keeping.rollups.raw_retention_days, keeping.rollups.hour_retention_days) == (24, 3, 7)


def test_what_the_operator_says_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LOG_KEEP_H": "12", "RAW_KEEP_DAYS": "90", "HOUR_KEEP_DAYS": "400"}.items():
        monkeypatch.setenv(f"CITYNERVE_{name}", value)
    for speed in (1, 60):
        keeping = keeping_of(load_settings(), speed)
        assert keeping.log_h == 12
        assert (keeping.rollups.raw_retention_days, keeping.rollups.hour_retention_days) == (90, 400)
        assert keeping.rollups.backlog_horizon_days == 30


def test_gateways_of_a_fast_city_repeat_minutes_of_it_and_not_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (resend_s_of(load_settings(), 1), resend_s_of(load_settings(), 60)) == (600, 60)
    monkeypatch.setenv("CITYNERVE_SIM_RESEND_S", "5")
    assert resend_s_of(load_settings(), 60) == 5
