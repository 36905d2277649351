"""What a crew found: said through the API and on the ticket's page, and told with each alarm."""

import re
from typing import Any

import pytest

from tests.incidents.world import FAILURE, RAISED, SILENT, event, lamp
from tests.portals_api.conftest import Open, Portals
from tests.portals_api.test_pages import HTML
from tests.support.small_city import run

HEADERS = {**HTML, "Accept-Language": "en", "Origin": "http://localhost"}


async def say(p: Portals, status: int = 200, ticket: int = 1, **body: Any) -> Any:
    answer = await p.http.post(f"/api/v1/tickets/{ticket}/verdicts", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.mark.usefixtures("data")
def test_a_verdict_stands_with_the_ticket_and_its_alarm_until_another_is_said(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)))
            whole = await p.json("/api/v1/tickets/1")
            assert (whole["verdict"], whole["alarm_list"][0]["verdict"]) == (None, None)
            await say(p, finding="false")
            p.clock.advance(600)
            whole = await say(p, finding="other", fault="supplyVoltageTooLow", words="subestación")
            told = {"fault": "supplyVoltageTooLow", "actor": "crew", "at": "2026-11-23T22:30:00Z"}
            assert whole["verdict"] == {**told, "finding": "other", "words": "subestación"}
            assert whole["alarm_list"][0]["verdict"] == {**told, "finding": "other"}
            assert [(e["kind"], e["reason"]) for e in whole["timeline"]][1:] == [
                ("verdict", ""),
                ("verdict", "subestación"),
            ]
            lamp_told = await p.json("/api/v1/lamps/L-1")
            assert lamp_told["alarms"][0]["verdict"]["finding"] == "other"

    run(main())


@pytest.mark.usefixtures("data")
def test_a_repair_may_tell_what_was_found_and_what_makes_no_sense_is_refused_whole(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)))
            path = "/api/v1/tickets/1/transitions"
            for wrong, says in (
                ({"finding": "maybe"}, "verdict.finding"),
                ({"finding": "other"}, "a fault, or words"),
                ({"finding": "false", "fault": "lampFailure"}, "leave it out"),
                ({"finding": "true", "fault": "supplyLoss"}, "say one of lampFailure"),
            ):
                body = {"to": "resolved", "version": 1, "verdict": wrong}
                answer = await p.http.post(path, json=body)
                assert (answer.status_code, says in answer.text) == (422, True), answer.text
            assert (await p.json("/api/v1/tickets/1"))["state"] == "new"
            body = {"to": "resolved", "version": 1, "verdict": {"finding": "true"}}
            answer = (await p.http.post(path, json=body)).json()
            assert (answer["state"], answer["verdict"]["fault"]) == ("resolved", "lampFailure")

    run(main())


@pytest.mark.usefixtures("data")
def test_who_may_say_it_and_as_whom(portals: Open) -> None:
    async def main() -> None:
        async with portals(crew_without_account=False, operator_key="k" * 32) as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)))
            await say(p, 403, finding="false")
            answer = await p.http.post(
                "/api/v1/tickets/1/verdicts", json={"finding": "false"}, headers={"Authorization": "Bearer wrong"}
            )
            assert answer.status_code == 401
            answer = await p.http.post(
                "/api/v1/tickets/1/verdicts",
                json={"finding": "false"},
                headers={"Authorization": f"Bearer {'k' * 32}"},
            )
            assert answer.json()["verdict"]["actor"] == "operator"
            assert "What did you find?" not in (await p.http.get("/tickets/1", headers=HEADERS)).text

    run(main())


@pytest.mark.usefixtures("data")
def test_the_page_asks_what_was_found_shows_it_and_lets_one_say_otherwise(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)), event(RAISED, SILENT, lamp(1)))
            await p.http.post(
                "/tickets/1/transitions", data={"to": "in_progress", "version": "2", "found": ""}, headers=HEADERS
            )
            text = (await p.http.get("/tickets/1", headers=HEADERS)).text
            assert re.findall(r'name="found" value="(\w+)"', text) == [
                "lampFailure", "communicationFailure", "false", "other"
            ]  # fmt: skip
            form = {"to": "resolved", "version": "3", "found": "other", "fault": "", "words": ""}
            answer = await p.http.post("/tickets/1/transitions", data=form, headers=HEADERS)
            assert answer.status_code == 422
            assert "Say what the cause was" in answer.text
            answer = await p.http.post("/tickets/1/transitions", data={**form, "found": "lampFailure"}, headers=HEADERS)
            assert answer.status_code == 303
            text = (await p.http.get("/tickets/1", headers=HEADERS)).text
            assert "As the alarm said: The lamp does not burn when it should" in text
            answer = await p.http.post("/tickets/1/verdicts", data={"found": "false"}, headers=HEADERS)
            assert answer.status_code == 303
            text = (await p.http.get("/tickets/1", headers=HEADERS)).text
            assert "Nothing was wrong" in text
            answer = await p.http.post("/tickets/1/verdicts", data={"found": ""}, headers=HEADERS)
            assert answer.status_code == 422

    run(main())


@pytest.mark.usefixtures("data")
def test_a_ticket_that_no_sensor_spoke_of_asks_nothing(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.http.post("/api/v1/reports", json={"category": "lamp-out", "lamp": "L-3"})
            assert "What did you find?" not in (await p.http.get("/tickets/1", headers=HEADERS)).text
            await say(p, 409, finding="false")

    run(main())
