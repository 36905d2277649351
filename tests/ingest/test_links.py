"""Gateways' connections on their way from the registry into ticks."""

import asyncio

import psycopg

from city.clock import HOUR_US, MINUTE_US, ManualClock
from city.link import GatewayLink
from ingest.links import LINKS_MAX, TIMES, LinkWatch
from storage.pool import Pool, open_pool
from stream import codec
from stream.codec import Tick
from tests.support.small_city import NOW, make_city

AT = NOW - 10 * MINUTE_US


async def _yes() -> bool:
    return True


def told(watch: LinkWatch, minutes: range) -> list[list[str]]:
    return [[link.gateway_id for link in watch.due(NOW + m * MINUTE_US)] for m in minutes]


def watch_of(pool: Pool | None = None) -> LinkWatch:
    return LinkWatch(pool, ManualClock(NOW), _yes)  # type: ignore[arg-type]


def test_what_has_changed_is_told_a_few_times_and_the_rest_once_an_hour() -> None:
    watch = watch_of()
    links = [GatewayLink("G-1", True, AT), GatewayLink("G-2", True, AT)]
    watch.see(links)
    assert told(watch, range(5)) == [["G-1", "G-2"]] * TIMES + [[], []]
    assert watch.due(NOW + 4 * MINUTE_US + 30_000_000) == (), "once a minute"
    watch.see([links[0], GatewayLink("G-2", False, AT + MINUTE_US)])
    assert told(watch, range(5, 9)) == [["G-2"]] * TIMES + [[]]
    assert told(watch, range(61, 64)) == [[], ["G-1"], []]
    assert told(watch, range(67, 68)) == [["G-2"]]


def test_a_state_that_is_said_again_lasts_since_it_was_said_first() -> None:
    watch = watch_of()
    watch.see([GatewayLink("G-1", False, AT)])
    watch.see([GatewayLink("G-1", False, AT + 5 * MINUTE_US)])
    assert watch.due(NOW) == (GatewayLink("G-1", False, AT),)
    watch.see([])
    assert watch.due(NOW + MINUTE_US) == (), "it has left the registry"


def test_however_many_gateways_a_city_has_a_tick_fits_into_a_record() -> None:
    watch = watch_of()
    names = [f"G-{n:064d}"[:64] for n in range(2 * LINKS_MAX)]
    watch.see(GatewayLink(name, True, AT) for name in names)
    first, second = watch.due(NOW), watch.due(NOW + MINUTE_US)
    assert {link.gateway_id for link in (*first, *second)} == set(names)
    assert len(codec.encode(Tick(NOW, HOUR_US, None, first))) < 400_000


def test_who_ticks_knows_what_gateways_said_of_themselves(database_url: str) -> None:
    make_city(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE gateways SET state = 'offline', state_at = to_timestamp(%s)"
            " WHERE gateway_id = (SELECT min(gateway_id) FROM gateways)",
            [AT / 1_000_000],
        )
        name = connection.execute("SELECT min(gateway_id) FROM gateways").fetchone()

    async def main() -> None:
        async with await open_pool(database_url) as pool:
            watch = watch_of(pool)
            assert watch.due(NOW) == (), "not asked yet"
            await watch.look()
            assert name is not None
            assert watch.due(NOW + MINUTE_US) == (GatewayLink(name[0], False, AT),), "of others nothing is known"

    asyncio.run(main())
