"""The description of the API: whole, with examples that are true, and answers that are as it says."""

from typing import Any

import jsonschema
import pytest

from tests.incidents.world import FAILURE, FEEDER, RAISED, SUPPLY, event, lamp
from tests.portals_api.conftest import Open
from tests.support.small_city import run

ERROR = "#/components/schemas/ErrorOut"
PATHS = {
    "/api/v1/lamps": {},
    "/api/v1/lamps/{lamp_id}": {"lamp_id": "L-1"},
    "/api/v1/facilities": {},
    "/api/v1/facilities/{facility_id}": {"facility_id": "SCHOOL"},
    "/api/v1/tickets": {},
    "/api/v1/tickets/{ticket_id}": {"ticket_id": "1"},
    "/api/v1/alarms/{alarm_id}": {"alarm_id": event(RAISED, FAILURE, lamp(1)).alarm_id},
    "/api/v1/ledger": {},
    "/api/v1/readings": {},
    "/api/v1/feeders": {},
    "/api/v1/cabinets": {},
    "/api/v1/gateways": {},
    "/api/v1/feeders/{feeder_id}": {"feeder_id": "C-1.F1"},
    "/api/v1/cabinets/{cabinet_id}": {"cabinet_id": "C-1"},
    "/api/v1/gateways/{gateway_id}": {"gateway_id": "G-1"},
    "/api/v1/districts": {},
    "/api/v1/districts/{district_id}": {"district_id": "centre"},
    "/api/v1/figures": {},
    "/api/v1/figures/{figure_id}": {"figure_id": "lamps-lit"},
    "/api/v1/precision": {},
    "/api/v1/energy": {},
    "/api/v1/status": {},
    "/api/v1/series/{series_id}": {"series_id": "1"},
    "/api/v1/series/{series_id}/points": {"series_id": "1"},
}


async def _described(p: Any) -> dict[str, Any]:
    found: dict[str, Any] = await p.json("/api/v1/openapi.json")
    return found


def _operations(api: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation) for path, methods in api["paths"].items() for method, operation in methods.items()
    ]


def _schema(api: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "components": api["components"]}


def test_every_operation_has_a_summary_a_tag_a_true_example_and_our_error_shape(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            api = await _described(p)
            assert len(_operations(api)) >= 20
            for path, method, operation in _operations(api):
                name = f"{method} {path}"
                assert operation["summary"], name
                assert operation["description"], name
                assert operation["tags"], name
                good = [c for c in operation["responses"] if c.startswith("2")]
                assert good, name
                for code in good:
                    for kind, content in operation["responses"][code]["content"].items():
                        assert content.get("example") or content.get("examples"), f"{name} has no example"
                        if kind == "application/json" and "example" in content:
                            jsonschema.validate(content["example"], _schema(api, content["schema"]))
                errors = [c for c in operation["responses"] if c.startswith(("4", "5"))]
                demanded = {"422", "503"} | ({"404"} if "{" in path else set())
                if any(q["name"] == "district" for q in operation.get("parameters", ())):
                    demanded.add("404")
                assert demanded <= set(errors), f"{name} does not say {demanded - set(errors)}"
                for code in errors:
                    content = operation["responses"][code]["content"]["application/json"]
                    assert content["schema"] == {"$ref": ERROR}, f"{name}: {code} has another shape"

    run(main())


def test_every_body_and_parameter_has_an_example_that_fits(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            api = await _described(p)
            bodies = 0
            for path, method, operation in _operations(api):
                for parameter in operation.get("parameters", ()):
                    name = f"{method} {path}: {parameter['name']}"
                    schema = _schema(api, parameter["schema"])
                    assert "example" in parameter or _lists_its_values(api, parameter["schema"]), name
                    if "example" in parameter:
                        jsonschema.validate(parameter["example"], schema, format_checker=jsonschema.FormatChecker())
                for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                    bodies += 1
                    assert content.get("example"), f"{method} {path} takes {kind} and shows none"
                    jsonschema.validate(content["example"], _schema(api, content["schema"]))
            assert bodies >= 3

    run(main())


def _lists_its_values(api: dict[str, Any], schema: dict[str, Any]) -> bool:
    if "$ref" in schema:
        schema = api["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return "enum" in schema or any(_lists_its_values(api, part) for part in schema.get("anyOf", ()))


@pytest.mark.usefixtures("data")
def test_the_examples_of_bodies_do_what_they_say(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            api = await _described(p)
            example = api["paths"]["/api/v1/reports"]["post"]["requestBody"]["content"]["application/json"]["example"]
            answer = await p.http.post("/api/v1/reports", json={**example, "lamp": "L-1"})
            assert answer.status_code == 201, answer.text
            move = api["paths"]["/api/v1/tickets/{ticket_id}/transitions"]["post"]["requestBody"]["content"]
            answer = await p.http.post(
                f"/api/v1/tickets/{answer.json()['ticket']}/transitions", json=move["application/json"]["example"]
            )
            assert answer.status_code == 200, answer.text

    run(main())


@pytest.mark.usefixtures("data")
def test_answers_are_as_they_are_described(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.alarm(event(RAISED, FAILURE, lamp(1)), event(RAISED, SUPPLY, FEEDER))
            await p.http.post("/api/v1/reports", json={"category": "lamp-out", "lamp": "L-1", "description": "dark"})
            await p.http.post("/api/v1/tickets/1/verdicts", json={"finding": "true"})
            api = await _described(p)
            for path, names in PATHS.items():
                answer = await p.json(path.format(**names))
                content = api["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
                jsonschema.validate(answer, _schema(api, content["schema"]))
                assert answer.get("items") != [], f"{path}: nothing there to hold against its description"

    run(main())


ENDLESS = "/api/v1/stream"
"""Does not end by itself; its own tests ask it."""
HOSTILE = ("", "%00", "%F0%9F%92%A1", "..%2F..", "'; DROP TABLE assets; --", "a" * 300, "-1", "9" * 30, "NaN")


@pytest.mark.usefixtures("data")
def test_whatever_is_asked_the_answer_is_documented(portals: Open) -> None:
    """Each parameter of each operation is asked with what does not belong there; no answer is a surprise."""

    async def main() -> None:
        async with portals() as p:
            api = await _described(p)
            for path, method, operation in _operations(api):
                if method != "get" or path == ENDLESS or not path.startswith(("/api/v1/", "/feeds/")):
                    continue
                parameters = operation.get("parameters", [])
                usual = {q["name"]: PATHS.get(path, {}).get(q["name"], "1") for q in parameters if q["in"] == "path"}
                for parameter in parameters:
                    for value in HOSTILE:
                        inner = {**usual, **({parameter["name"]: value} if parameter["in"] == "path" else {})}
                        if "" in inner.values():
                            continue
                        url = path.format(**inner)
                        if parameter["in"] == "query":
                            url += f"?{parameter['name']}={value.replace('&', '%26').replace(';', '%3B')}"
                        answer = await p.http.get(url)
                        known = {int(code) for code in operation["responses"]} | {404}
                        assert answer.status_code in known, f"{url}: {answer.status_code} {answer.text[:200]}"
                        assert answer.status_code < 500, url
                        if answer.status_code >= 400:
                            assert set(answer.json()) == {"error"}, url

    run(main())
