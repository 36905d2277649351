from collections.abc import Callable
from typing import Any

import httpx2
import psycopg
import pytest

from city.clock import MINUTE_US
from city.reading import Reading, ReadingBatch
from portals_api.live.board import BoardOptions
from stream import codec
from stream.log import Append
from tests.incidents.world import FAILURE, FEEDER, GATEWAY, RAISED, SILENT, SUPPLY, event, lamp
from tests.portals_api.conftest import Open, Portals
from tests.support.small_city import NOW, run

NOW_BOARD = BoardOptions(fresh_s=0.0, slow_every_s=0.0)
"""A board that looks anew for every question."""


async def states(portals: Portals) -> dict[str, str]:
    """Return the state of each lamp by id."""
    told = await portals.json("/api/v1/map/states")
    packed = await portals.json("/api/v1/map/lamps")
    assert packed["ids"][0][:3] == ["L-", 1, 1]
    ids = [f"{p}{n:0{w}}" for p, first, w, count in packed["ids"] for n in range(first, first + count)]
    assert len(told["states"]) == packed["count"] == len(ids) == 12
    names = [told["state_names"][int(digit)] for digit in told["states"]]
    assert told["counts"] == {name: names.count(name) for name in told["state_names"]}
    return dict(zip(ids, names, strict=True))


async def send(portals: Portals, series: int, observed_at: int, value: float) -> None:
    """Append a reading to the log, as ingest would; nothing has stored it."""
    value_bytes = codec.encode_batch(ReadingBatch.of([Reading(series, 1, observed_at, observed_at, value)]))
    await portals.log.append([Append("readings", 3, codec.BATCH, value_bytes, NOW)])


def power_of(rows: Callable[[str], list[tuple[Any, ...]]], lamp_id: str) -> int:
    found = rows(f"SELECT series_id FROM series WHERE device_id = 'N-{lamp_id}' AND metric = 'active_power_w'")
    return int(found[0][0])


@pytest.mark.usefixtures("data")
def test_a_lamp_is_what_it_was_last_seen_doing_and_a_ticket_says_more(portals: Open) -> None:
    async def main() -> None:
        async with portals(board=NOW_BOARD) as p:
            seen = await states(p)
            assert seen.pop("L-1") == "off"  # its last readings say so
            assert set(seen.values()) == {"lit"}
            await p.alarm(event(RAISED, FAILURE, lamp(1)), event(RAISED, SILENT, lamp(2)))
            assert [(await states(p))[f"L-{n}"] for n in (1, 2, 3)] == ["faulty", "silent", "lit"]
            await p.alarm(event(RAISED, SUPPLY, FEEDER))
            assert [(await states(p))[f"L-{n}"] for n in (1, 2, 3)] == ["faulty", "silent", "out"]

    run(main())


@pytest.mark.usefixtures("data")
def test_all_lamps_of_a_silent_gateway_are_silent(portals: Open) -> None:
    async def main() -> None:
        async with portals(board=NOW_BOARD) as p:
            await p.alarm(event(RAISED, SILENT, GATEWAY))
            assert set((await states(p)).values()) == {"silent"}

    run(main())


@pytest.mark.usefixtures("data")
def test_a_reading_on_the_log_shows_before_it_is_stored_and_a_late_one_does_not(
    portals: Open, rows: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    async def main() -> None:
        async with portals(board=NOW_BOARD) as p:
            series = power_of(rows, "L-3")
            assert (await states(p))["L-3"] == "lit"
            await send(p, series, NOW + 2 * MINUTE_US, 0.3)
            assert (await states(p))["L-3"] == "off"
            await send(p, series, NOW + MINUTE_US, 36.0)
            assert (await states(p))["L-3"] == "off"

    run(main())


@pytest.mark.usefixtures("data")
def test_what_the_store_wrote_and_what_it_has_yet_to_write_are_joined_without_a_gap(
    portals: Open, rows: Callable[[str], list[tuple[Any, ...]]], city_url: str
) -> None:
    async def main() -> None:
        async with portals() as before:
            await send(before, power_of(rows, "L-4"), NOW + MINUTE_US, 0.2)
            await send(before, power_of(rows, "L-5"), NOW + MINUTE_US, 0.2)
            with psycopg.connect(city_url, autocommit=True) as connection:
                connection.execute(
                    "INSERT INTO checkpoints (worker_group, topic, partition, generation, next_offset, log_identity,"
                    " code_version) VALUES ('store', 'readings', 3, 1, 1, %s, '1')",
                    (before.log.identity,),
                )
        async with portals() as p:
            seen = await states(p)  # the first is said to be stored, and is not: only the second comes from the log
            assert (seen["L-4"], seen["L-5"]) == ("lit", "off")

    run(main())


@pytest.mark.usefixtures("data")
def test_documents_are_kept_by_their_version_and_asked_for_without(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            versions = (await p.json("/api/v1/map/states"))["versions"]
            for name in ("lamps", "places"):
                kept = await p.http.get(f"/api/v1/map/{name}?v={versions[name]}")
                assert "immutable" in kept.headers["cache-control"]
                asked = await p.http.get(f"/api/v1/map/{name}")
                assert asked.headers["cache-control"] == "no-cache"
                tag = {"If-None-Match": asked.headers["etag"]}
                assert (await p.http.get(f"/api/v1/map/{name}", headers=tag)).status_code == 304

    run(main())


@pytest.mark.usefixtures("data")
def test_a_stranger_sees_no_equipment_on_the_map_and_nothing_that_tells_of_it(portals: Open, city_url: str) -> None:
    with psycopg.connect(city_url, autocommit=True) as connection:
        connection.execute("UPDATE installation SET simulated = false")

    async def look(p: Portals) -> tuple[set[str], set[str], set[str], set[str]]:
        await p.alarm(event(RAISED, FAILURE, lamp(1)))
        await p.alarm(event(RAISED, SUPPLY, FEEDER))
        told = await p.json("/api/v1/map/states")
        places = (await p.json("/api/v1/map/places"))["places"]
        kinds = {place["kind"] for place in places}
        return (
            kinds,
            {t["scope"]["kind"] for t in told["tickets"]},
            set(told["places"]),
            set((await states(p)).values()),
        )

    async def main() -> None:
        async with portals(crew_without_account=False, board=NOW_BOARD) as p:
            assert await look(p) == ({"facility"}, {"lamp"}, {"SCHOOL"}, {"faulty", "lit"})
            assert (await p.json("/api/v1/search", q="C-1"))["items"] == []
        async with portals(board=NOW_BOARD) as p:
            kinds, tickets, told, seen = await look(p)
            assert kinds == {"cabinet", "facility", "gateway"}
            assert tickets == {"feeder", "lamp"}
            assert told == {"SCHOOL", "G-1"}
            assert seen == {"faulty", "out"}

    run(main())


@pytest.mark.usefixtures("data")
def test_the_list_says_what_the_map_says_page_by_page(portals: Open) -> None:
    async def main() -> None:
        async with portals(board=NOW_BOARD) as p:
            await p.alarm(event(RAISED, FAILURE, lamp(3)), event(RAISED, SILENT, lamp(5)))
            seen = await states(p)
            for chosen in (None, "lit", "faulty", "silent", "off", "unknown"):
                found: list[dict[str, Any]] = []
                cursor: dict[str, str] = {}
                while True:
                    wanted = {"state": chosen} if chosen else {}
                    body = await p.json("/api/v1/map/list", limit=4, **wanted, **cursor)
                    found += body["items"]
                    if body["next"] is None:
                        break
                    cursor = {"next": body["next"]}
                told = {one["id"]: one["state"] for one in found}
                assert len(told) == len(found) == body["total"]
                assert told == {i: s for i, s in seen.items() if chosen in (None, s)}
                assert body["counts"] == (await p.json("/api/v1/map/states"))["counts"]
            assert (await p.json("/api/v1/map/list", street="calle UNO"))["total"] == 12
            assert (await p.json("/api/v1/map/list", street="Gran Vía"))["total"] == 0
            assert (await p.json("/api/v1/map/list", district="east"))["total"] == 0
            await p.json("/api/v1/map/list", 400, next="nonsense")
            await p.json("/api/v1/map/list", 422, state="purple")

    run(main())


@pytest.mark.usefixtures("data")
def test_the_pages_of_map_list_and_search_speak_the_readers_language(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(3)))

            async def page(path: str) -> str:
                answer: httpx2.Response = await p.http.get(path, headers={"Accept": "text/html"})
                assert answer.status_code == 200
                return answer.text

            assert "Averiada" in await page("/map?lang=es")
            listed = await page("/map/list?state=faulty&lang=es")
            assert 'href="/lamps/L-3"' in listed
            assert 'href="/lamps/L-4"' not in listed
            assert "/map#/lamp/L-3" in await page("/search?q=L-3")
            plain = await p.http.get("/map", headers={"Accept": "application/json"})
            assert plain.json()["counts"]["faulty"] == 1

    run(main())


def test_a_city_without_readings_and_tables_has_a_map_all_the_same(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            assert set((await states(p)).values()) == {"unknown"}

    run(main())


def test_beyond_so_many_listeners_the_stream_says_so_and_a_head_of_it_ends(portals: Open) -> None:
    async def main() -> None:
        async with portals(board=BoardOptions(listeners_max=0)) as p:
            refused = await p.http.get("/api/v1/stream")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
            assert refused.json()["error"]["code"] == "unavailable"
            head = await p.http.head("/api/v1/stream")
            assert head.headers["content-type"].startswith("text/event-stream")
            assert head.headers["x-accel-buffering"] == "no"

    run(main())
