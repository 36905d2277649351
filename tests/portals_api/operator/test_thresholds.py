"""What verdicts say of thresholds is shown to operators, and changes nothing."""

import json
from dataclasses import replace
from typing import Any

import pytest

from city.alarm import Evidence
from city.clock import MINUTE_US
from tests.incidents.world import FAILURE, RAISED, event, lamp
from tests.portals_api.conftest import Open, Portals
from tests.portals_api.test_pages import HTML
from tests.portals_api.test_verdicts import say
from tests.support.small_city import NOW, run

RULES = {"dark_below": 0.2, "unexpected_on_w": 3.0, "unexpected_on_share": 0.1, "guard_s": 900}


async def judged(p: Portals) -> None:
    for number in range(1, 13):
        observed = 1.0 if number <= 9 else 6.0
        raised = event(RAISED, FAILURE, lamp(number), raised_at=NOW - number * MINUTE_US)
        await p.alarm(replace(raised, evidence=Evidence("power-below-expected", observed, 36.0, "W")))
        await say(p, ticket=number, finding="true" if number <= 9 else "false")


@pytest.mark.usefixtures("data")
def test_a_proposal_is_shown_with_what_would_change_and_the_rules_stay_as_they_are(portals: Open, rows: Any) -> None:
    told = json.dumps({"rules": RULES})
    rows(f"UPDATE installation SET pack = pack || '{told}' RETURNING 1")
    before = rows("SELECT pack FROM installation")

    async def main() -> None:
        async with portals(operator_on_loopback=True) as p:
            await judged(p)
            found = {one["key"]: one for one in (await p.json("/api/v1/operator/thresholds"))["items"]}
            assert set(found) == {"dark_below", "unexpected_on_w", "unexpected_on_share"}
            dark = found["dark_below"]
            assert (dark["current"], dark["proposed"], dark["toml"]) == (0.2, 0.097, "dark_below = 0.097")
            assert (dark["true"], dark["false"], dark["false_dropped"], len(dark["dropped"])) == (9, 3, 3, 3)
            assert found["unexpected_on_w"]["why"] == "not-enough-verdicts"
            text = (await p.http.get("/operator/thresholds", headers={**HTML, "Accept-Language": "en"})).text
            assert "dark_below = 0.097" in text
            assert "All 9 right alarms stay; 3 of 3 false ones would not have been raised" in text
            for url in dark["dropped"]:
                await p.json(f"/api/v1{url}")

    run(main())
    assert rows("SELECT pack FROM installation") == before


@pytest.mark.usefixtures("data")
def test_without_rules_the_page_says_so(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_on_loopback=True) as p:
            assert (await p.json("/api/v1/operator/thresholds"))["items"] == []
            assert 'class="empty"' in (await p.http.get("/operator/thresholds", headers=HTML)).text

    run(main())
