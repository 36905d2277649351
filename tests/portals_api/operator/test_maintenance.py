"""Maintenance windows: announced, shown, ended, withdrawn and brought back by API and page; detection hears of each."""

from typing import Any

import pytest

from city.clock import HOUR_US, MINUTE_US, isoformat
from city.registry import RootDefinition
from city.topics import READINGS
from stream import codec
from stream.log import TopicPartition
from tests.incidents.world import CLEARED, FAILURE, HELD, RAISED, event, lamp
from tests.portals_api.conftest import Open, Portals
from tests.portals_api.test_pages import HTML
from tests.support.small_city import NOW, run

AT = "/api/v1/operator/maintenance"


@pytest.fixture(autouse=True)
def publishable(data: None, rows: Any) -> None:
    """What the small city lacks to be put on the log."""
    rows("INSERT INTO shards SELECT n, n % 12 FROM generate_series(1, 1023) AS n RETURNING 1")
    switching = """'{"switching": "permanent"}'"""
    rows(f"UPDATE assets SET attributes = attributes || {switching} WHERE kind = 'feeder' RETURNING 1")


def works(kind: str = "cabinet", target: str = "C-1", begin_h: int = -1, hours: int = 4, **said: Any) -> dict[str, Any]:
    start = NOW + begin_h * HOUR_US
    times = {"from": isoformat(start), "to": isoformat(start + hours * HOUR_US)}
    return {"kind": kind, "target": target, **times, "reason": "new contactor", **said}


async def announce(p: Portals, **said: Any) -> int:
    answer = await p.http.post(AT, json=works(**said))
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


async def on_the_log(p: Portals) -> dict[str, RootDefinition]:
    """The last word of each root on the log."""
    found: dict[str, RootDefinition] = {}
    for partition, (begin, end) in sorted((await p.log.bounds(READINGS)).items()):
        source = TopicPartition(READINGS, partition)
        for record in await p.log.read(source, begin, max_records=1000) if end > begin else []:
            if record.kind == codec.REGISTRY:
                root = codec.decode(RootDefinition, record.value)
                found[root.root_id] = root
    return found


@pytest.mark.parametrize(
    ("kind", "target", "meant"),
    [
        ("lamp", "L-1", {"C-1": ("L-1",)}),
        ("feeder", "C-1.F1", {"C-1": ("C-1.F1",)}),
        ("cabinet", "C-1", {"C-1": ("C-1",)}),
        ("gateway", "G-1", {"C-1": ("G-1",), "SCHOOL": ("G-1",)}),
    ],
)
def test_a_window_is_on_the_log_with_what_it_means(
    portals: Open, kind: str, target: str, meant: dict[str, tuple[str, ...]]
) -> None:
    async def main() -> None:
        async with portals(operator_on_loopback=True) as p:
            number = await announce(p, kind=kind, target=target)
            roots = await on_the_log(p)
            told = {name: one.windows for name, one in roots.items() if one.windows}
            assert {name: windows[0].assets for name, windows in told.items()} == meant
            (window,) = told["C-1"]
            assert (window.window_id, window.starts_at, window.ends_at) == (
                number,
                NOW - HOUR_US,
                NOW + 3 * HOUR_US,
            )
            await p.http.post(f"{AT}/{number}/withdraw")
            assert not any(one.windows for one in (await on_the_log(p)).values())

    run(main())


def test_a_district_means_its_cabinets_facilities_and_gateways(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_on_loopback=True) as p:
            await announce(p, kind="district", target="centre")
            told = {name: one.windows[0].assets for name, one in (await on_the_log(p)).items() if one.windows}
            assert told["C-1"] == ("C-1", "G-1")
            assert all(set(assets) <= {name, "G-1"} for name, assets in told.items()), told

    run(main())


def test_a_window_lives_from_announced_to_over_and_back(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_on_loopback=True) as p:
            assert (await p.json(AT)) == {"items": [], "next": None}
            number = await announce(p)
            planned = await announce(p, kind="lamp", target="L-1", begin_h=2)
            states = {one["id"]: one["state"] for one in (await p.json(AT))["items"]}
            assert states == {number: "running", planned: "planned"}
            answer = await p.http.post(f"{AT}/{planned}/end")
            assert (answer.status_code, answer.json()["error"]["message"]) == (
                409,
                f"window {planned} has not begun: withdraw it",
            )
            ended = (await p.http.post(f"{AT}/{number}/end")).json()
            assert (ended["state"], ended["may_reinstate"], ended["ended_at"]) == ("over", True, isoformat(NOW))
            assert (await p.http.post(f"{AT}/{number}/end")).status_code == 409
            back = (await p.http.post(f"{AT}/{number}/reinstate")).json()
            assert (back["state"], back["ended_at"], back["may_reinstate"]) == ("running", None, False)
            withdrawn = (await p.http.post(f"{AT}/{planned}/withdraw")).json()
            assert (withdrawn["state"], withdrawn["withdrawn"]) == ("withdrawn", True)
            past = (await p.json(AT, past="true"))["items"]
            assert [one["id"] for one in past] == [planned]
            assert (await p.http.post(f"{AT}/{planned}/reinstate")).json()["state"] == "planned"
            changes = (await p.json("/api/v1/operator/registry/changes", subject="maintenance"))["items"]
            assert [one["kind"] for one in reversed(changes)] == [
                "announced",
                "announced",
                "ended",
                "reinstated",
                "withdrawn",
                "reinstated",
            ]
            assert changes[-1]["detail"]["target"] == "C-1"
            assert "new contactor" not in str(changes), "an operator's words stay where they can be erased"

    run(main())


@pytest.mark.parametrize(
    ("said", "status", "why"),
    [
        ({"target": "C-9"}, 404, "there is no cabinet"),
        ({"kind": "lamp"}, 404, "there is no lamp"),
        ({"hours": -2}, 422, "end before they begin"),
        ({"begin_h": -9}, 422, "over already"),
        ({"hours": 24 * 100}, 422, "92 days at most"),
        ({"reason": "  "}, 422, "say why"),
        ({"kind": "street"}, 422, "kind"),
        ({"to": "2026-11-24T15:00:00"}, 422, "timezone"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(
    portals: Open, rows: Any, said: dict[str, Any], status: int, why: str
) -> None:
    async def main() -> None:
        async with portals(operator_on_loopback=True) as p:
            body = works(**said)
            answer = await p.http.post(AT, json=body)
            assert (answer.status_code, why in answer.json()["error"]["message"]) == (status, True), answer.text

    run(main())
    assert rows("SELECT count(*) FROM maintenance_windows") == [(0,)]


def test_an_alarm_during_works_is_shown_and_has_a_ticket_only_afterwards(portals: Open, rows: Any) -> None:
    async def main() -> None:
        async with portals(operator_on_loopback=True) as p:
            number = await announce(p)
            held = event(HELD, FAILURE, lamp(1), NOW, held_by=number)
            await p.alarm(held)
            assert rows("SELECT count(*) FROM tickets") == [(0,)]
            shown = await p.json(f"/api/v1/alarms/{held.alarm_id}")
            assert (shown["held_by"], shown["ticket"]) == (number, None)
            whole = await p.json(f"{AT}/{number}")
            assert ([one["id"] for one in whole["alarms"]], whole["held"]) == ([held.alarm_id], 1)
            page = await p.http.get(f"/alarms/{held.alarm_id}", headers={**HTML, "Accept-Language": "en"})
            assert "In maintenance" in page.text
            await p.alarm(event(RAISED, FAILURE, lamp(1), NOW + HOUR_US))
            assert rows("SELECT scope_id, state FROM tickets") == [("L-1", "new")]
            after = await p.json(f"/api/v1/alarms/{held.alarm_id}")
            assert (after["held_by"], after["ticket"]) == (None, 1)

    run(main())


def test_an_alarm_that_came_to_rest_during_works_never_had_a_ticket(portals: Open, rows: Any) -> None:
    async def main() -> None:
        async with portals(operator_on_loopback=True) as p:
            number = await announce(p)
            await p.alarm(event(HELD, FAILURE, lamp(1), NOW, held_by=number))
            await p.alarm(event(CLEARED, FAILURE, lamp(1), NOW + MINUTE_US, cleared_at=NOW + MINUTE_US))
            whole = await p.json(f"{AT}/{number}")
            assert (whole["held"], len(whole["alarms"])) == (0, 1)

    run(main())
    assert rows("SELECT count(*) FROM tickets") == [(0,)]


def test_the_page_announces_ends_and_says_what_is_wrong(portals: Open) -> None:
    page = "/operator/maintenance"

    async def main() -> None:
        async with portals(operator_on_loopback=True) as p:
            headers = {**HTML, "Accept-Language": "es"}
            assert "Nadie ha anunciado trabajos." in (await p.http.get(page, headers=headers)).text
            form = {"kind": "cabinet", "target": "C-1", "from": "2026-11-23T00:00", "to": "2026-12-01T00:00"}
            wrong = await p.http.post(page, data={**form, "reason": " "}, headers=headers)
            assert (wrong.status_code, "di por qué" in wrong.text) == (422, True)
            assert 'value="C-1"' in wrong.text, "what was written is not lost"
            unknown = await p.http.post(page, data={**form, "target": "C-9", "reason": "x"}, headers=headers)
            assert (unknown.status_code, "no existe cabinet" in unknown.text) == (404, True)
            done = await p.http.post(page, data={**form, "reason": "<b>cables</b>"}, headers=headers)
            assert (done.status_code, done.headers["location"]) == (303, f"{page}#window-1")
            text = (await p.http.get(page, headers=headers)).text
            assert "&lt;b&gt;cables&lt;/b&gt;" in text
            found = await p.json(f"{AT}/1")
            assert found["from"] == "2026-11-22T23:00:00Z", "the form speaks the city's time"
            assert (await p.http.post(f"{page}/1/end", headers=headers)).status_code == 303
            assert "Deshacer" in (await p.http.get(page, headers=headers)).text
            again = await p.http.post(f"{page}/1/end", headers=headers)
            assert (again.status_code, "no hay nada que terminar" in again.text) == (409, True)
            assert (
                await p.http.post(page, data={"district": "centre", **form, "target": "", "reason": "x"})
            ).status_code
            assert (await p.json(f"{AT}/2"))["kind"] == "district"

    run(main())


@pytest.mark.parametrize(
    ("kind", "target", "told"),
    [
        ("lamp", "L-1", {"lamps/L-1"}),
        ("feeder", "C-1.F1", {"lamps/L-1", "feeders/C-1.F1"}),
        ("cabinet", "C-1", {"lamps/L-1", "feeders/C-1.F1", "cabinets/C-1"}),
        ("gateway", "G-1", {"lamps/L-1", "feeders/C-1.F1", "cabinets/C-1", "gateways/G-1", "facilities/SCHOOL"}),
    ],
)
def test_everyone_reads_of_works_at_an_asset_or_at_what_it_hangs_on(
    portals: Open, kind: str, target: str, told: set[str]
) -> None:
    pages = ("lamps/L-1", "feeders/C-1.F1", "cabinets/C-1", "gateways/G-1", "facilities/SCHOOL")
    english = {**HTML, "Accept-Language": "en"}

    async def main() -> None:
        async with portals(operator_on_loopback=True) as p:
            number = await announce(p, kind=kind, target=target)
            later = await announce(p, kind=kind, target=target, begin_h=48)
            await announce(p, kind=kind, target=target, begin_h=24 * 9)
            running = {"from": isoformat(NOW - HOUR_US), "to": isoformat(NOW + 3 * HOUR_US), "running": True}
            planned = {"from": isoformat(NOW + 48 * HOUR_US), "to": isoformat(NOW + 52 * HOUR_US), "running": False}
            for one in pages:
                works = (await p.json(f"/api/v1/{one}"))["works"]
                assert works == ([running, planned] if one in told else []), one
                text = (await p.http.get(f"/{one}", headers=english)).text
                assert ("Works go on here until" in text, "Works are announced here" in text) == (one in told,) * 2
                assert "contactor" not in text, "why is for staff"
            await p.http.post(f"{AT}/{number}/end")
            await p.http.post(f"{AT}/{later}/withdraw")
            assert [(await p.json(f"/api/v1/{one}"))["works"] for one in pages] == [[]] * len(pages)

    run(main())
