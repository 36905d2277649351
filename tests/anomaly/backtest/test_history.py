"""An installation's own log, scored."""

import asyncio
from dataclasses import replace

import pytest

from anomaly.backtest.history import backtest_log
from anomaly.backtest.inject import Injection
from anomaly.backtest.labels import Label
from city.clock import DAY_US, HOUR_US
from city.errors import SettingsError
from city.registry import RootDefinition
from city.topics import ALARMS, CANDIDATES, READINGS
from stream.logs.postgres import open_postgres_log
from tests.anomaly.test_replay import fill
from tests.anomaly.world import START, Town, healthy, root

ROOTS = [root(0), root(1)]
DARK = "C0F0L2"


def one_dark(lamp: str, at: int, on: bool) -> float | None:
    return 0.3 if lamp == DARK else healthy(lamp, at, on)


def test_history_is_scored_from_the_log(database_url: str) -> None:
    async def main() -> None:
        log = await open_postgres_log(database_url)
        await fill(log, Town(one_dark, hours=30))
        labels = [Label(START + HOUR_US, DARK, "lampFailure"), Label(START + HOUR_US, "C1F1", "supplyLoss")]
        seen: list[tuple[int, int]] = []
        scored = await backtest_log(log, ROOTS, labels, lambda done, total: seen.append((done, total)))
        assert [one.label.asset for one in scored.verdict.found] == [DARK]
        assert [label.asset for label in scored.verdict.missed] == ["C1F1"]
        assert scored.verdict.false == []
        assert scored.tally.lamp_years == pytest.approx(32 * 29.75 / 24 / 365.25, rel=0.01)
        assert seen[-1][0] == seen[-1][1]
        await log.close()

    asyncio.run(main())


def test_a_gap_that_is_planted_into_the_log_is_found(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomaly.backtest.inject.WARM_US", 6 * HOUR_US)
    monkeypatch.setattr("anomaly.backtest.inject.SLOT_US", 2 * DAY_US)
    monkeypatch.setattr("anomaly.backtest.inject._ONSET_WITHIN_US", HOUR_US)

    async def main() -> None:
        log = await open_postgres_log(database_url)
        await fill(log, Town(hours=62))
        # Two devices of a permanent feeder: more would be an outage.
        few = [only(ROOTS[0], ("C0F0L1", "C0F0L5"))]
        scored = await backtest_log(log, few, [], lambda *_: None, kinds=[Injection.GAP], seed=1)
        assert sorted((one.label.asset, one.label.fault) for one in scored.verdict.found) == [
            ("C0F0L1", "communicationFailure"),
            ("C0F0L5", "communicationFailure"),
        ]
        assert scored.verdict.missed == []
        await log.close()

    asyncio.run(main())


def test_an_empty_log_is_refused(database_url: str) -> None:
    async def main() -> None:
        log = await open_postgres_log(database_url)
        await log.create_topics({READINGS: 1, CANDIDATES: 1, ALARMS: 1})
        with pytest.raises(SettingsError, match="no readings"):
            await backtest_log(log, ROOTS, [], lambda *_: None)
        await log.close()

    asyncio.run(main())


def only(cabinet: RootDefinition, lamps: tuple[str, ...]) -> RootDefinition:
    return replace(cabinet, devices=tuple(d for d in cabinet.devices if d.asset.asset_id in lamps))
