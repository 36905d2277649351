"""What the desk tells of its work."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from city.clock import ManualClock
from city.ticket import TicketState
from city.topics import ALARMS, PARTITIONS
from incidents.metrics import DeskMetrics
from incidents.outbox import publish
from incidents.stage import DeskStage
from incidents.store import Desk
from incidents.watch import DeskWatch
from storage.pool import open_pool, transaction
from stream.log import TopicPartition
from stream.logs.postgres import open_postgres_log
from tests.incidents.world import CLEARED, FAILURE, NOW, RAISED, event, lamp
from tests.support.exposition import sample


def test_tickets_by_state_and_the_outbox_are_told_as_they_are(city_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    registry, now = CollectorRegistry(), 50.0
    metrics = DeskMetrics(registry)
    monkeypatch.setattr("incidents.watch.time.monotonic", lambda: now)

    def outbox() -> tuple[float | None, ...]:
        return tuple(sample(registry, f"citynerve_desk_outbox_{name}") for name in ("records", "lag_seconds"))

    async def main() -> None:
        nonlocal now
        pool = await open_pool(city_url)
        log = await open_postgres_log(city_url)
        await log.create_topics(PARTITIONS)
        watch = DeskWatch(pool, metrics)
        await watch.look()
        assert outbox() == (0, 0)
        assert {s: sample(registry, "citynerve_desk_tickets", state=s) for s in TicketState} == dict.fromkeys(
            TicketState, 0
        )
        events = [event(RAISED, FAILURE, lamp(n)) for n in (1, 2)] + [event(CLEARED, FAILURE, lamp(1), NOW + 1)]
        async with transaction(pool) as connection:
            await DeskStage(Desk(ManualClock(NOW)), metrics).write(connection, {TopicPartition(ALARMS, 0): events})
        now = 57.0
        await watch.look()
        waiting, lag_s = outbox()
        assert waiting
        assert lag_s == 7
        told = {s: sample(registry, "citynerve_desk_tickets", state=s) for s in TicketState}
        assert (told["new"], told["recovered"]) == (1, 1)
        stop = asyncio.Event()
        stop.set()
        await publish(pool, log, stop, metrics=metrics)
        await watch.look()
        assert outbox() == (0, 0)
        assert sample(registry, "citynerve_desk_published_total") == waiting
        await log.close()
        await pool.close()

    asyncio.run(main())
    assert sample(registry, "citynerve_desk_alarm_events_total", kind="raised") == 2
    assert sample(registry, "citynerve_desk_alarm_events_total", kind="cleared") == 1
