"""What every broker promises of credentials, on a real Mosquitto and on the embedded broker."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.ingest.credentials.conftest import OpenWorld, World, grant
from tests.ingest.world import eventually

SOON_S = 2.0


def run(open_world: OpenWorld, work: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        async with open_world() as world:
            await work(world)

    asyncio.run(main())


def test_who_has_a_password_comes_in_and_nobody_else(open_world: OpenWorld) -> None:
    async def work(world: World) -> None:
        await world.engine.apply([grant("GW-1", "right"), grant("GW-2", "other")])
        assert await world.enters("GW-1", "right")
        for user, password in [("GW-1", "wrong"), ("GW-1", "other"), ("GW-3", "right"), (None, None), ("GW-1", "")]:
            assert not await world.enters(user, password), (user, password)

    run(open_world, work)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_gateway_publishes_under_its_own_name_and_nowhere_else(open_world: OpenWorld, qos: int) -> None:
    async def work(world: World) -> None:
        await world.engine.apply([grant("GW-1", "one"), grant("GW-2", "two")])
        gateway = await world.member("GW-1", "one")
        for topic in (
            "citynerve/v1/GW-2/readings",
            "citynerve/v1/GW-1/a/b",
            "citynerve/v1/GW-1",
            "elsewhere",
            "citynerve/ingest/x",
        ):
            gateway.client.publish(topic, b"forged", qos)
        for leaf in ("readings", "state", "senml"):
            gateway.client.publish(f"citynerve/v1/GW-1/{leaf}", leaf.encode(), qos)
        for leaf in ("readings", "state", "senml"):
            assert await world.heard(leaf.encode())
        assert not await world.heard(b"forged", 0.3)

    run(open_world, work)


def test_a_gateway_hears_nothing_of_others(open_world: OpenWorld) -> None:
    async def work(world: World) -> None:
        await world.engine.apply([grant("GW-1", "one"), grant("GW-2", "two")])
        curious, gateway = await world.member("GW-2", "two"), await world.member("GW-1", "one")
        gateway.client.publish("citynerve/v1/GW-1/state", b"kept", 1, retain=True)
        assert await world.heard(b"kept")
        for topic in ("#", "citynerve/v1/+/readings", "citynerve/v1/GW-1/state", "citynerve/v1/GW-2/readings"):
            assert not await asyncio.to_thread(curious.subscribe, topic), topic
        gateway.client.publish("citynerve/v1/GW-1/readings", b"private", 1)
        assert await world.heard(b"private")
        again = await world.member("GW-2", "two")
        await asyncio.sleep(0.3)
        assert curious.heard == again.heard == []

    run(open_world, work)


def test_no_gateway_fills_the_broker_with_retained_messages_under_names_that_it_makes_up(open_world: OpenWorld) -> None:
    async def work(world: World) -> None:
        await world.engine.apply([grant("GW-1", "one")])
        gateway = await world.member("GW-1", "one")
        for number in range(50):
            gateway.client.publish(f"citynerve/v1/GW-1/made-up-{number}", b"litter", 1, retain=True)
        gateway.client.publish("citynerve/v1/GW-1/state", b"last", 1, retain=True)
        await eventually(lambda: len(gateway.acknowledged) == 51)
        assert await world.heard(b"last")
        world.observer.heard.clear()
        assert await asyncio.to_thread(world.observer.subscribe, "#")
        assert await world.heard(b"last")
        await asyncio.sleep(0.3)
        assert [payload for _, payload in world.observer.heard] == [b"last"]

    run(open_world, work)


def test_the_longest_lists_of_topics_are_told_whole(open_world: OpenWorld) -> None:
    async def work(world: World) -> None:
        lists = [tuple(f"citynerve/v1/{'x' * 50}-{n}-{m}/+" for m in range(32)) for n in range(60)]
        wanted = [grant(f"GW-{n}", f"word {n}", publish=topics) for n, topics in enumerate(lists)]
        assert (await world.engine.apply(wanted)).changed == 60
        assert (await world.engine.apply(wanted)).changed == 0
        assert (await world.engine.apply(wanted[1:2])).changed == 59
        gateway = await world.member("GW-1", "word 1")
        gateway.client.publish(lists[1][-1].replace("+", "readings"), b"at the end", 1)
        assert await world.heard(b"at the end")

    run(open_world, work)


def test_a_credential_has_topics_of_its_own_and_reads_what_it_is_given(open_world: OpenWorld) -> None:
    async def work(world: World) -> None:
        mine = grant("GW-1", "one", publish=("application/+/device/+/event/up",), read=("application/7/#",))
        await world.engine.apply([mine])
        server = await world.member("GW-1", "one")
        assert await asyncio.to_thread(server.subscribe, "application/7/device/+/command/down")
        assert not await asyncio.to_thread(server.subscribe, "application/+/device/+/command/down")
        server.client.publish("citynerve/v1/GW-1/readings", b"no longer", 1)
        server.client.publish("application/7/device/a/event/up", b"up", 1)
        assert await world.heard(b"up")
        world.observer.client.publish("application/7/device/a/command/down", b"down", 1)
        world.observer.client.publish("application/8/device/a/command/down", b"not mine", 1)
        await eventually(lambda: [payload for _, payload in server.heard] == [b"down"])
        assert not await world.heard(b"no longer", 0.1)

    run(open_world, work)


def test_old_and_new_come_in_together_while_both_are_valid(open_world: OpenWorld) -> None:
    async def work(world: World) -> None:
        old, new = grant("GW-1", "old"), grant("GW-1~2", "new")
        await world.engine.apply([old])
        await world.engine.apply([old, new])
        first, second = await world.member("GW-1", "old"), await world.member("GW-1~2", "new")
        first.client.publish("citynerve/v1/GW-1/readings", b"by the old", 1)
        second.client.publish("citynerve/v1/GW-1/readings", b"by the new", 1)
        assert await world.heard(b"by the old")
        assert await world.heard(b"by the new")
        await world.engine.apply([new])
        await eventually(lambda: first.ended, SOON_S)
        assert not await world.enters("GW-1", "old")
        assert not second.ended

    run(open_world, work)


def test_who_is_revoked_is_disconnected_and_does_not_come_back(open_world: OpenWorld) -> None:
    async def work(world: World) -> None:
        one, two = grant("GW-1", "one"), grant("GW-2", "two")
        await world.engine.apply([one, two])
        gone, stays = await world.member("GW-1", "one"), await world.member("GW-2", "two")
        await world.engine.apply([two])
        await eventually(lambda: gone.ended, SOON_S)
        assert not await world.enters("GW-1", "one")
        stays.client.publish("citynerve/v1/GW-2/readings", b"still", 1)
        assert await world.heard(b"still")

    run(open_world, work)


def test_topics_that_are_taken_away_end_on_the_open_connection(open_world: OpenWorld) -> None:
    async def work(world: World) -> None:
        mine = grant("GW-1", "one", read=("down/#",))
        await world.engine.apply([mine])
        gateway = await world.member("GW-1", "one")
        assert await asyncio.to_thread(gateway.subscribe, "down/#")
        await world.engine.apply([replace(mine, publish=("other/#",), read=())])
        world.observer.client.publish("down/now", b"secret", 1)
        gateway.client.publish("citynerve/v1/GW-1/readings", b"no longer", 0)
        assert await world.heard(b"secret")
        assert not await world.heard(b"no longer", 0.3)
        assert gateway.heard == []

    run(open_world, work)


def test_the_same_order_again_changes_nothing_and_disconnects_nobody(open_world: OpenWorld) -> None:
    async def work(world: World) -> None:
        wanted = [grant(f"GW-{number}", f"password {number}") for number in range(120)]
        assert (await world.engine.apply(wanted)).changed == 120
        gateway = await world.member("GW-7", "password 7")
        assert (await world.engine.apply(wanted)).changed == 0
        await asyncio.sleep(0.2)
        assert not gateway.ended
        assert (await world.engine.apply(wanted[:60])).changed == 60
        assert not await world.enters("GW-100", "password 100")
        assert await world.enters("GW-59", "password 59")

    run(open_world, work)


def test_a_broker_that_lost_everything_has_it_again(open_world: OpenWorld) -> None:
    async def work(world: World) -> None:
        wanted = [grant("GW-1", "one"), grant("GW-2", "two", publish=("vendor/#",))]
        await world.engine.apply(wanted)
        await world.forget()
        assert not await world.enters("GW-1", "one")
        assert (await world.engine.apply(wanted)).changed == 2
        assert await world.enters("GW-1", "one")
        assert await world.enters("GW-2", "two")

    run(open_world, work)


def test_nobody_ends_anothers_connection_by_calling_itself_the_same(open_world: OpenWorld) -> None:
    async def work(world: World) -> None:
        await world.engine.apply([grant("GW-1", "one"), grant("GW-2", "two")])
        victim = await world.member("GW-1", "one", "GW-1")
        for user, password in (("GW-2", "two"), ("GW-1", "wrong"), (None, None), ("GW-9", "x")):
            await world.client(user, password, "GW-1")
        await asyncio.sleep(0.2)
        assert not victim.ended
        victim.client.publish("citynerve/v1/GW-1/readings", b"mine", 1)
        assert await world.heard(b"mine")

    run(open_world, work)


def test_a_gateway_has_one_connection_and_the_newest_counts(open_world: OpenWorld) -> None:
    async def work(world: World) -> None:
        await world.engine.apply([grant("GW-1", "one")])
        first = await world.member("GW-1", "one", "a")
        second = await world.member("GW-1", "one", "b")
        await eventually(lambda: first.ended)
        second.client.publish("citynerve/v1/GW-1/readings", b"newest", 1)
        assert await world.heard(b"newest")

    run(open_world, work)


def test_a_last_will_is_published_where_its_owner_may_and_nowhere_else(open_world: OpenWorld) -> None:
    async def work(world: World) -> None:
        await world.engine.apply([grant("GW-1", "one"), grant("GW-2", "two")])
        for user, password, topic in (
            ("GW-1", "one", "citynerve/v1/GW-1/state"),
            ("GW-2", "two", "citynerve/v1/GW-1/state"),
        ):
            dying = await world.member(user, password, will=(topic, f"will of {user}"))
            sock = dying.client.socket()
            assert sock is not None
            sock.shutdown(2)
        assert await world.heard(b"will of GW-1")
        assert not await world.heard(b"will of GW-2", 0.5)

    run(open_world, work)
