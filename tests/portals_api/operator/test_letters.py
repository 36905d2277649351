"""Operators' dead letters, by API and page: found, inspected, replayed one by one or all, marked, never deleted."""

import base64
import re
import threading
from typing import Any

import psycopg
import pytest

from city.clock import MINUTE_US, hour_of, to_datetime
from city.reasons import REASONS
from ingest import decode
from tests.portals_api.conftest import Open, Portals
from tests.portals_api.operator.test_gate import BEARER, HTML, KEY, OURS
from tests.support.small_city import NOW, run

GOOD = b'{"device": "N-L-1", "at": "2026-11-23T21:00:00Z", "active_power_w": 36}'
STRANGE = b'{"device": "NOBODY", "at": "2026-11-23T21:00:00Z", "active_power_w": 36}'
LIST = "/api/v1/operator/letters"


def put(url: str, count: int, payload: bytes = GOOD, reason: str = "unknown-device", first: int = 0) -> list[str]:
    """Set messages of one reading aside, one a minute, as the sink does; return their ids, the oldest first."""
    ids = [f"log-0-{first + n}" for n in range(count)]
    with psycopg.connect(url, autocommit=True) as connection:
        for n, letter_id in enumerate(ids):
            at = NOW - (count - n) * MINUTE_US
            connection.execute(
                "INSERT INTO dead_letters (letter_id, reason, detail, topic, payload, gateway_id, received_at, hour,"
                " units) VALUES (%s, %s, 'claim <it>', 'citynerve/v1/G-1/readings', %s, 'G-1', %s, %s, 1)",
                (letter_id, reason, payload, to_datetime(at), to_datetime(hour_of(at))),
            )
    return ids


async def post(p: Portals, action: str, status: int = 200, **body: Any) -> Any:
    answer = await p.http.post(f"{LIST}/{action}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.mark.usefixtures("data")
def test_letters_are_listed_searched_and_inspected(portals: Open, city_url: str) -> None:
    async def main() -> None:
        ids = put(city_url, 3) + put(city_url, 1, b"\xff\x00", "not-json", 3)
        async with portals(operator_key=KEY) as p:
            p.http.headers.update(BEARER)
            page = await p.json(LIST, limit=2)
            assert [one["id"] for one in page["items"]] == [ids[3], ids[2]]
            assert [one["id"] for one in (await p.json(LIST, next=page["next"]))["items"]] == [ids[1], ids[0]]
            assert [one["id"] for one in (await p.json(LIST, reason="not-json"))["items"]] == [ids[3]]
            assert len((await p.json(LIST, text="n-l-1"))["items"]) == 3
            assert (await p.json(LIST, text="N-L-2"))["items"] == []
            assert (await p.json(LIST, state="done"))["items"] == []
            assert len((await p.json(LIST, **{"from": "2026-11-23T22:18:30Z"}))["items"]) == 2
            reasons = (await p.json(f"{LIST}/reasons"))["items"]
            assert [(one["reason"], one["letters"], one["units"]) for one in reasons] == [
                ("unknown-device", 3, 3),
                ("not-json", 1, 1),
            ]
            known = REASONS["unknown-device"]
            assert (reasons[0]["happened"], reasons[0]["advice"]) == (known.happened, known.todo)
            assert reasons[0]["mender"] == "an operator"
            one = await p.json(f"{LIST}/{ids[0]}")
            assert base64.b64decode(one["payload"]) == GOOD
            assert one["hex"].startswith("00000000  7b 22 64 65")
            assert one["decoded"]["text"].startswith('{\n  "device": "N-L-1",')
            assert (await p.json(f"{LIST}/{ids[3]}"))["decoded"] is None
            saved = await p.http.get(f"{LIST}/{ids[3]}/payload")
            assert (saved.content, saved.headers["content-type"]) == (b"\xff\x00", "application/octet-stream")
            assert "attachment" in saved.headers["content-disposition"]
            await p.json(f"{LIST}/nothing", 404)
            await p.json(LIST, 400, next="x")
            await p.json(LIST, 422, state="lost")
            await p.json(LIST, 422, txt="x")

    run(main())


@pytest.mark.usefixtures("data")
def test_what_a_letter_says_is_read_beside_the_loop(
    portals: Open, city_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_in: list[threading.Thread] = []

    def watching(topic: str, payload: bytes) -> None:
        read_in.append(threading.current_thread())

    async def main() -> None:
        (letter,) = put(city_url, 1)
        monkeypatch.setattr(decode, "DECODERS", [("watching", watching), *decode.DECODERS])
        async with portals(operator_on_loopback=True) as p:
            await p.json(f"{LIST}/{letter}")
        assert len(read_in) == 1
        assert read_in[0] is not threading.main_thread()

    run(main())


@pytest.mark.usefixtures("data")
def test_replay_by_ids_tells_of_each_and_again_has_no_effect(portals: Open, city_url: str) -> None:
    async def main() -> None:
        ids = put(city_url, 2) + put(city_url, 1, STRANGE, first=2)
        async with portals(operator_on_loopback=True) as p:
            done = await post(p, "replay", ids=[ids[0], ids[2], "none"])
            assert [(one["id"], one["outcome"], one["readings"]) for one in done["results"]] == [
                (ids[0], "sent-back", 1),
                (ids[2], "stays", 0),
                ("none", "unknown", 0),
            ]
            assert (done["letters"], done["readings"], done["still_bad"], done["next"]) == (2, 1, 1, None)
            assert "NOBODY" in done["results"][1]["detail"]
            again = await post(p, "replay", ids=[ids[0]])
            assert [one["outcome"] for one in again["results"]] == ["done"]
            history = (await p.json(f"{LIST}/{ids[0]}"))["history"]
            assert [(e["kind"], e["actor"], e["readings"]) for e in history] == [("sent-back", "operator", 1)]
            assert (await p.log.bounds("readings"))[0].end == 1
            for wrong in ({}, {"ids": ["x"], "search": {}}, {"ids": ["x"] * 501}, {"search": {"txt": "x"}}):
                await post(p, "replay", 422, **wrong)
            assert (await p.http.post(f"{LIST}/replay", data={"ids": "x"})).status_code == 415

    run(main())


@pytest.mark.usefixtures("data")
def test_a_reading_that_is_called_otherwise_now_waits_until_its_object_is_read_anew(
    portals: Open, city_url: str
) -> None:
    async def main() -> None:
        ids = put(city_url, 2)
        with psycopg.connect(city_url, autocommit=True) as connection:
            connection.execute("""UPDATE dead_letters SET only_readings = '[[0, "active_pwr_w"]]'""")
        async with portals(operator_on_loopback=True) as p:
            (stays,) = (await post(p, "replay", ids=ids[:1]))["results"]
            assert (stays["outcome"], stays["readings"]) == ("stays", 0)
            assert "active_pwr_w" in stays["detail"]
            (came,) = (await post(p, "replay", ids=ids[:1], anew=True))["results"]
            assert (came["outcome"], came["readings"]) == ("sent-back", 1)
            page = await p.http.post(
                "/operator/letters", data={"what": "anew", f"letter:{ids[1]}": "1", "state": "open"}
            )
            assert page.status_code == 200
            assert (await p.json(LIST))["items"] == []

    run(main())


@pytest.mark.usefixtures("data")
def test_a_long_replay_goes_page_by_page_to_its_end(portals: Open, city_url: str) -> None:
    async def main() -> None:
        put(city_url, 25)
        put(city_url, 2, STRANGE, first=25)
        async with portals(operator_on_loopback=True) as p:
            letters = readings = turns = 0
            following = None
            while True:
                body = {"search": {"text": "active_power"}, "limit": 10}
                done = await post(p, "replay", **body, **({"next": following} if following else {}))
                letters, readings, turns = letters + done["letters"], readings + done["readings"], turns + 1
                following = done["next"]
                if following is None:
                    break
            assert (letters, readings, turns) == (27, 25, 3)
            assert [one["detail"][:13] for one in (await p.json(LIST))["items"]] == ["device NOBODY"] * 2

    run(main())


@pytest.mark.usefixtures("data")
def test_letters_that_nobody_wants_leave_the_list_and_come_back(portals: Open, city_url: str) -> None:
    async def main() -> None:
        ids = put(city_url, 5)
        async with portals(operator_on_loopback=True) as p:
            assert await post(p, "mark", ids=[ids[0]], reason="a test") == {"letters": 1, "ids": [ids[0]], "next": None}
            assert (await post(p, "mark", ids=[ids[0]], reason="again"))["letters"] == 0
            said = await post(p, "mark", 422, ids=[ids[1]], reason="  ")
            assert "say why" in said["error"]["message"]
            assert len((await p.json(LIST))["items"]) == 4
            assert (await p.json(f"{LIST}/reasons"))["items"][0]["letters"] == 4
            done = await post(p, "mark", search={"gateway": "G-1"}, reason="all a test", limit=3)
            assert (done["letters"], done["next"] is None) == (3, False)
            done = await post(p, "mark", search={"gateway": "G-1"}, reason="all a test", limit=3, next=done["next"])
            assert (done["letters"], done["next"]) == (1, None)
            assert (await p.json(LIST))["items"] == []
            assert len((await p.json(LIST, state="not-wanted"))["items"]) == 5
            assert (await post(p, "unmark", search={}))["letters"] == 5
            assert len((await p.json(LIST))["items"]) == 5
            assert (await p.http.delete(f"{LIST}/{ids[0]}")).status_code == 405, "nothing is deleted"

    run(main())


@pytest.mark.usefixtures("data")
def test_the_pages_do_the_same_without_scripts(portals: Open, city_url: str) -> None:
    async def main() -> None:
        ids = put(city_url, 3) + put(city_url, 1, b"<script>alert(1)</script>", "not-json", 3)
        async with portals(operator_on_loopback=True) as p:
            p.http.headers.update({**HTML, **OURS, "Accept-Language": "en"})
            page = (await p.http.get("/operator/letters")).text
            assert all(f'name="letter:{one}"' in page for one in ids)
            assert "Claim the device" in page
            assert "looks into what isolated gateways sent" in page
            assert "claim &lt;it&gt;" in page
            narrowed = (await p.http.get("/operator/letters?text=N-L-1&from=2026-11-23&to=2026-11-23")).text
            assert ids[0] in narrowed
            assert ids[3] not in narrowed
            assert 'href="/api/v1/operator/letters?state=open&amp;text=N-L-1&amp;from=2026-11-23T00' in narrowed
            assert ids[0] not in (await p.http.get("/operator/letters?to=2026-11-22")).text
            assert (await p.http.get("/operator/letters?from=yesterday")).status_code == 422
            one = (await p.http.get(f"/operator/letters/{ids[3]}")).text
            assert "&lt;script&gt;alert(1)" in one
            assert "<script>" not in one
            form = {"what": "replay-chosen", f"letter:{ids[0]}": "1", f"letter:{ids[3]}": "1", "state": "open"}
            done = (await p.http.post("/operator/letters", data=form)).text
            assert "sent back" in done
            assert "stays" in done
            nothing = await p.http.post("/operator/letters", data={"what": "replay-chosen", "reason": "not-json"})
            assert (nothing.status_code, nothing.headers["location"]) == (303, "/operator/letters?reason=not-json")
            marked = await p.http.post(
                "/operator/letters", data={"what": "mark-found", "why": "a test", "reason": "unknown-device"}
            )
            assert "Marked as not wanted" in marked.text
            assert [one["id"] for one in (await p.json(LIST, state="not-wanted"))["items"]] == [ids[2], ids[1]]
            assert (await p.http.post("/operator/letters", data={"what": "delete"})).status_code == 422
            back = await p.http.post("/operator/letters", data={"what": "unmark", f"letter:{ids[1]}": "1"})
            assert back.status_code == 200
            assert len((await p.json(LIST))["items"]) == 2

    run(main())


@pytest.mark.usefixtures("data")
def test_marking_without_saying_why_asks_for_it_where_it_is_missing(portals: Open, city_url: str) -> None:
    async def main() -> None:
        ids = put(city_url, 1)
        async with portals(operator_on_loopback=True) as p:
            headers = {**HTML, **OURS, "Accept-Language": "es"}
            form = {f"letter:{ids[0]}": "1", "letter": ids[0], "state": "open", "what": "mark", "why": " "}
            asked = await p.http.post("/operator/letters", data=form, headers=headers, follow_redirects=True)
            assert str(asked.url).endswith(f"/operator/letters/{ids[0]}?ask=why")
            assert "Di por qué nadie lo quiere" in asked.text
            del form["letter"]
            asked = await p.http.post("/operator/letters", data=form, headers=headers, follow_redirects=True)
            assert "/operator/letters?state=open&ask=why" in str(asked.url)
            assert "Di por qué nadie lo quiere" in asked.text
            assert len((await p.json(LIST))["items"]) == 1
            for page in (f"/operator/letters/{ids[0]}", "/operator/letters"):
                assert re.search(r'name="why"[^>]* required', (await p.http.get(page, headers=headers)).text)

    run(main())
