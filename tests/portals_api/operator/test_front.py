"""What operators see first: all that calls for them, each with what to do, and nothing where nothing does."""

from typing import Any

import psycopg
import pytest

from city.clock import DAY_US, HOUR_US, MINUTE_US, hour_of, to_datetime
from tests.portals_api.conftest import Open
from tests.portals_api.operator.test_gate import HTML, OURS
from tests.support.small_city import NOW, run

EN = {**HTML, "Accept-Language": "en"}
JSON = {"Accept": "application/json"}


def put(url: str, reason: str, gateway: str, *, ago_us: int = MINUTE_US, units: int = 1, device: str = "") -> None:
    """Set one message of a gateway aside."""
    at = NOW - ago_us
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO dead_letters (letter_id, reason, detail, topic, payload, gateway_id, received_at, hour, units,"
            " devices) VALUES (%s, %s, 'because', %s, '{}', %s, %s, %s, %s, %s)",
            (
                f"{reason}-{gateway}-{ago_us}",
                reason,
                f"citynerve/v1/{gateway}/readings",
                gateway,
                to_datetime(at),
                to_datetime(hour_of(at)),
                units,
                [device] if device else [],
            ),
        )


@pytest.mark.usefixtures("data")
def test_where_nothing_calls_every_part_of_the_front_page_says_so(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_on_loopback=True) as p:
            told = (await p.http.get("/operator", headers=JSON)).json()
            assert told["isolated"] == told["letters"] == told["broker_drops"] == told["broker_deaths"] == []
            assert told["credentials"] == {
                "speaking_for_others": [],
                "not_told_since": None,
                "to_rotate": [],
                "ending": [],
            }
            page = (await p.http.get("/operator", headers=EN)).text
            for said in (
                "Nothing calls for you.",
                "Every gateway is read.",
                "Every device that sends is known.",
                "Nothing waits.",
                "The broker has thrown nothing away",
                "No gateway speaks for another",
                "No worker has run yet.",
            ):
                assert said in page

    run(main())


@pytest.mark.usefixtures("data")
def test_isolated_gateways_show_with_their_reason_and_are_replayed_from_there(portals: Open, city_url: str) -> None:
    async def main() -> None:
        put(city_url, "isolated", "G-1", units=500)
        put(city_url, "isolated", "G-9", units=20, ago_us=2 * HOUR_US)
        async with portals(operator_on_loopback=True) as p:
            told = (await p.http.get("/operator", headers=JSON)).json()
            assert [(one["gateway"], one["units"], one["still"]) for one in told["isolated"]] == [
                ("G-1", 500, True),
                ("G-9", 20, False),
            ]
            page = (await p.http.get("/operator", headers=EN)).text
            assert "Nothing calls for you." not in page
            assert "sent more than its share" in page
            assert "set aside now" in page
            assert "is read again" in page
            form: dict[str, Any] = {"state": "open", "reason": "isolated", "gateway": "G-1", "what": "replay-found"}
            done = await p.http.post("/operator/letters", data=form, headers={**EN, **OURS})
            assert done.status_code == 200
            assert "Replayed" in done.text

    run(main())


@pytest.mark.usefixtures("data")
def test_what_names_no_gateway_is_replayed_without_everybody_elses(portals: Open, city_url: str) -> None:
    async def main() -> None:
        put(city_url, "isolated", "G-1", units=500)
        put(city_url, "isolated", "", units=20)
        async with portals(operator_on_loopback=True) as p:
            page = (await p.http.get("/operator", headers=EN)).text
            assert '<input type="hidden" name="gateway" value="-">' in page
            assert 'href="/operator/letters?reason=isolated&amp;gateway=-"' in page
            found = (await p.http.get("/api/v1/operator/letters?gateway=-")).json()["items"]
            assert [one["gateway"] for one in found] == [""]
            form: dict[str, Any] = {"state": "open", "reason": "isolated", "gateway": "-", "what": "replay-found"}
            done = (await p.http.post("/operator/letters", data=form, headers={**JSON, **OURS})).json()
            assert [one["id"] for one in done["results"]] == [found[0]["id"]]
            everything = (await p.http.get("/api/v1/operator/letters?gateway=")).json()["items"]
            assert {one["gateway"]: one["tries"] for one in everything} == {"": 1, "G-1": 0}

    run(main())


@pytest.mark.usefixtures("data")
def test_unknown_ones_the_broker_credentials_and_workers_show_on_the_front_page(portals: Open, city_url: str) -> None:
    async def main() -> None:
        put(city_url, "unknown-device", "G-1", device="A84041")
        put(city_url, "unknown-gateway", "GW-77")
        put(city_url, "wrong-gateway", "G-1")
        async with portals(operator_on_loopback=True) as p:
            with psycopg.connect(city_url, autocommit=True) as connection:
                connection.execute(
                    "INSERT INTO broker_drops VALUES ('broker:8884', 512, 500, %s), ('old:1883', 3, 3, %s)",
                    (to_datetime(NOW), to_datetime(NOW - 7 * DAY_US)),
                )
                connection.execute(
                    "INSERT INTO broker_deaths (last_heard_at, back_at) VALUES (%s, %s)",
                    (to_datetime(NOW - 2 * MINUTE_US), to_datetime(NOW - MINUTE_US)),
                )
                connection.execute(
                    "INSERT INTO credentials (gateway_id, login, kind, publish, read, created_at, created_by,"
                    " expires_at) VALUES ('G-1', 'G-1~3', 'password', '{}', '{}', now(), 'operator', now()"
                    " + interval '3 days')"
                )
                connection.execute(
                    "INSERT INTO checkpoints (worker_group, topic, partition, generation, next_offset, log_identity,"
                    " code_version, saved_at) VALUES ('store', 'readings', 0, 1, 0, 'x', '1', now() - interval '1 h'),"
                    " ('detect', 'readings', 1, 1, 0, 'x', '1', now() - interval '1 hour')"
                )
                connection.execute("UPDATE log_heads SET next_offset = 7 WHERE topic = 'readings' AND partition = 0")
                connection.execute(
                    "INSERT INTO credential_keeper (public_key, told_at, to_rotate)"
                    " VALUES ('key', now() - interval '1 h', '{G-1~2}')"
                )
            told = (await p.http.get("/operator", headers=JSON)).json()
            assert told["credentials"]["not_told_since"] is not None
            assert told["credentials"]["to_rotate"] == ["G-1~2"]
            assert [one["name"] for one in told["unknown"]["devices"]] == ["A84041"]
            assert [one["gateway"] for one in told["unknown"]["gateways"]] == ["GW-77"]
            assert [one["gateway"] for one in told["credentials"]["speaking_for_others"]] == ["G-1"]
            assert [one["login"] for one in told["credentials"]["ending"]] == ["G-1~3"]
            assert [(one["group"], one["behind"], one["stuck"]) for one in told["workers"]] == [
                ("detect", 0, False),
                ("store", 7, True),
            ]
            page = (await p.http.get("/operator", headers=EN)).text
            assert 'href="/operator/gateways?new=GW-77#add"' in page
            assert 'href="/operator/unknown/claim?name=A84041&amp;gateway=G-1"' in page
            assert "threw 500 messages away" in page
            assert "old:1883" not in page, "eight days ago"
            assert "back 60 seconds later" in page
            assert "G-1 speaks for devices of another gateway." in page
            assert "The credential G-1~3 of a gateway ends" in page
            assert "does not get on" in page
            assert "The broker has not been told of credentials since" in page
            assert "make new ones for G-1~2" in page
            assert "Nothing calls for you." not in page

    run(main())


@pytest.mark.usefixtures("data")
def test_a_gateway_that_nobody_registered_is_no_dead_end(portals: Open, city_url: str) -> None:
    async def main() -> None:
        put(city_url, "unknown-gateway", "GW-77")
        put(city_url, "not-json", "G-1")
        async with portals(operator_on_loopback=True) as p:
            for path in ("/operator/letters", "/operator/letters/unknown-gateway-GW-77-60000000", "/operator/unknown"):
                page = (await p.http.get(path, headers=EN)).text
                assert "/gateways/GW-77" not in page
                assert "/operator/gateways?new=GW-77#add" in page
            ledger = (await p.http.get("/ledger", headers=EN)).text
            assert 'href="/gateways/G-1"' in ledger
            assert "G-2" in ledger
            assert 'href="/gateways/G-2"' not in ledger
            assert (await p.http.get("/gateways/G-2", headers=EN)).status_code == 404

    run(main())
