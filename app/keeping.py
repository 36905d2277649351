"""How long an installation keeps what it received: a city whose days pass in minutes must not fill the disk."""

from dataclasses import dataclass

from app.settings import Settings
from stream.rollups import RollupOptions

LOG_KEEP_H = 168.0
FAST_LOG_KEEP_H = 24.0
LETTER_KEEP_DAYS = 90
FAST_LETTER_KEEP_DAYS = 3
FAST_RAW_KEEP_DAYS = 3
"""As long as simulated gateways catch up: later rows cannot come."""
FAST_HOUR_KEEP_DAYS = 7
FAST_MAINTAIN_EVERY_S = 30.0
"""At a thousand times the clock's speed a day lasts a minute and a half."""

RESEND_S = 600.0
FAST_RESEND_S = 60.0
"""Ten minutes of the machine's clock are ten hours of a city sixty times as fast: all would wait for repeats."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """What the store process keeps, in city time."""

    log_h: float
    letters_h: float
    rollups: RollupOptions


def resend_s_of(settings: Settings, speed: float) -> float:
    """Return how much simulated gateways send again after a reconnection, in seconds of the machine's clock."""
    if settings.sim_resend_s is not None:
        return settings.sim_resend_s
    return FAST_RESEND_S if speed > 1 else RESEND_S


def keeping_of(settings: Settings, speed: float) -> Keeping:
    """Return what the settings say, and for a clock faster than the machine's what bounds a demonstration."""
    fast = speed > 1
    raw_days = settings.raw_keep_days or (FAST_RAW_KEEP_DAYS if fast else None)
    hour_days = settings.hour_keep_days or (FAST_HOUR_KEEP_DAYS if fast else None)
    standard = RollupOptions()
    backlog_days = standard.backlog_horizon_days
    return Keeping(
        settings.log_keep_h or (FAST_LOG_KEEP_H if fast else LOG_KEEP_H),
        24.0 * (settings.letter_keep_days or (FAST_LETTER_KEEP_DAYS if fast else LETTER_KEEP_DAYS)),
        RollupOptions(
            raw_retention_days=raw_days,
            hour_retention_days=hour_days,
            # What is dropped cannot come late: back-logs are expected no longer than raw rows stay.
            backlog_horizon_days=backlog_days if raw_days is None else min(backlog_days, raw_days),
            maintain_every_s=FAST_MAINTAIN_EVERY_S if fast else standard.maintain_every_s,
        ),
    )
