from typing import Any

import pytest

from tests.portals_api.conftest import Open
from tests.support.small_city import run

REPORT = {"category": "other", "place": "here"}


def check(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert set(body["error"]) == {"code", "message", "status"}
    assert body["error"]["status"] == status
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    return body


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/nothing", 404),
        ("/api/v1/lamps/NOBODY", 404),
        ("/api/v1/lamps/%00", 404),
        ("/api/v1/lamps/..%2f..", 404),
        ("/api/v1/facilities/%F0%9F%98%80", 404),
        ("/api/v1/tickets/99", 404),
        ("/api/v1/tickets/0", 422),
        ("/api/v1/tickets/abc", 422),
        ("/api/v1/tickets/99999999999999999999", 422),
        ("/api/v1/lamps?limit=0", 422),
        ("/api/v1/lamps?limit=1001", 422),
        ("/api/v1/lamps?limit=many", 422),
        ("/api/v1/lamps?next=%%%", 400),
        ("/api/v1/lamps?next=WzFd", 400),
        ("/api/v1/tickets?next=WyJ4Il0", 400),
        ("/api/v1/ledger?next=bm9wZQ", 400),
        ("/api/v1/readings?next=Wzk5OTk5OTk5OTk5OTk5OTk5OTksMV0", 400),
        ("/api/v1/ledger?next=WyJhIiw5MjIzMzcyMDM2ODU0Nzc1ODA3XQ", 400),
        ("/api/v1/ledger?next=WyJhIiwtOTIyMzM3MjAzNjg1NDc3NTgwOF0", 400),
        ("/api/v1/readings?metric=active_power_w", 422),
        ("/api/v1/readings?from=yesterday", 422),
        ("/api/v1/readings?from=2026-01-01T00:00:00", 422),
        ("/api/v1/readings?series=0", 422),
        ("/api/v1/tickets?state=broken", 422),
        ("/api/v1/ledger?gateway=a%20b", 422),
        ("/static/nothing.css", 404),
        ("/static/../factory.py", 404),
    ],
)
def test_every_refusal_has_the_one_shape(portals: Open, path: str, status: int) -> None:
    async def main() -> None:
        async with portals() as p:
            check(await p.http.get(path), status)

    run(main())


def test_a_misspelt_filter_is_refused_with_those_that_there_are(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            body = check(await p.http.get("/api/v1/lamps?distrct=centre&limit=1"), 422)
            assert "'distrct' is no parameter" in body["error"]["message"]
            assert "did you mean 'district'?" in body["error"]["message"]
            assert "district, feeder, limit, next, state" in body["error"]["message"]
            assert (await p.http.get("/lamps?utm_source=letter")).status_code == 200

    run(main())


def test_every_address_of_the_api_refuses_a_parameter_that_it_does_not_know(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_on_loopback=True) as p:
            described = (await p.http.get("/api/v1/openapi.json")).json()["paths"]
            assert len(described) > 40
            for path, operations in described.items():
                for method in operations:
                    if not path.startswith("/api/"):
                        continue
                    plain = path.replace("{", "").replace("}", "")
                    answer = await p.http.request(method, plain, params={"nonsense": 1})
                    assert answer.status_code == 422, (method, path, answer.text)
                    assert "'nonsense' is no parameter" in answer.json()["error"]["message"], (method, path)

    run(main())


def test_methods_bodies_and_sizes_are_refused_in_the_one_shape(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            check(await p.http.delete("/api/v1/lamps"), 405)
            check(await p.http.get("/api/v1/reports"), 405)
            json_type = {"Content-Type": "application/json"}
            for body in (b"{", b"[]", b"[" * 60_000, b"\xff", b'{"lat": NaN}'):
                check(await p.http.post("/api/v1/reports", content=body, headers=json_type), 400)
            check(await p.http.post("/api/v1/reports", content=b"x", headers={"Content-Type": "text/plain"}), 415)
            check(await p.http.post("/api/v1/reports", files={"photo": b"x"}, data=REPORT), 400)
            check(await p.http.post("/api/v1/reports", json={**REPORT, "description": "x" * 70_000}), 413)

            async def endless() -> Any:
                for _ in range(100):
                    yield b"x" * 10_000

            check(
                await p.http.post("/api/v1/reports", content=endless(), headers={"Content-Type": "application/json"}),
                413,
            )
            check(await p.http.post("/api/v1/tickets/1/transitions", json={"to": "flying", "version": 1}), 422)

    run(main())


def test_a_crash_answers_in_the_one_shape_and_tells_nothing(portals: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret detail")

    async def main() -> None:
        async with portals() as p:
            monkeypatch.setattr("portals_api.reads.lamps", crash)
            assert "secret" not in str(check(await p.http.get("/api/v1/lamps"), 500))

    run(main())


def test_a_database_that_is_gone_is_503(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            await p.pool.close()
            check(await p.http.get("/api/v1/lamps"), 503)
            page = await p.http.get("/lamps", headers={"Accept": "text/html"})
            assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")

    run(main())


def test_posts_from_other_sites_are_refused(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            for path in ("/api/v1/reports", "/report"):
                check(await p.http.post(path, data=REPORT, headers={"Sec-Fetch-Site": "cross-site"}), 403)
                check(await p.http.post(path, data=REPORT, headers={"Sec-Fetch-Site": "same-site"}), 403)
                check(await p.http.post(path, data=REPORT, headers={"Origin": "https://evil.example"}), 403)
                check(await p.http.post(path, data=REPORT, headers={"Origin": "null"}), 403)
            ours = {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}
            assert (await p.http.post("/report", data=REPORT, headers=ours)).status_code == 303
            check(await p.http.get("/", headers={"Host": "evil.example"}), 400)
            assert (await p.http.get("/", headers={"Host": "127.0.0.1:8000"})).status_code == 200
            assert (await p.http.get("/", headers={"Host": "[::1]:8000"})).status_code == 200

    run(main())


def test_one_address_cannot_flood_the_desk(portals: Open) -> None:
    async def main() -> None:
        async with portals(reports_per_minute=2) as p:
            for _ in range(2):
                assert (await p.http.post("/api/v1/reports", json=REPORT)).status_code == 201
            answer = await p.http.post("/api/v1/reports", json=REPORT)
            check(answer, 429)
            assert int(answer.headers["retry-after"]) <= 61

    run(main())


def test_the_api_describes_itself(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            paths = (await p.json("/api/v1/openapi.json"))["paths"]
            assert {"/api/v1/reports", "/api/v1/lamps", "/api/v1/readings", "/health/ready"} <= set(paths)

    run(main())


def test_a_transition_is_refused_in_words_that_help(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            path = "/api/v1/tickets/1/transitions"
            check(await p.http.post(path, data={"to": "closed"}), 415)
            check(await p.http.post(path, content=b"", headers={"Content-Type": "application/json"}), 400)
            said = check(await p.http.post(path, json={"to": "burnt", "version": 1}), 422)["error"]["message"]
            assert "in_progress" in said
            deep = await p.http.post(path, content=b"[" * 50_000, headers={"Content-Type": "application/json"})
            check(deep, 400)

    run(main())


def test_a_point_is_two_numbers_within_the_city(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            for lat, lon in ((True, False), (1.0, 0.0), (43.54, "east"), (None, -5.66)):
                report = {"category": "other", "lat": lat, "lon": lon}
                check(await p.http.post("/api/v1/reports", json=report), 422)
            said = (await p.http.post("/api/v1/reports", json={"category": "other", "lat": 40.4, "lon": -3.7})).json()
            assert "outside" in said["error"]["message"]

    run(main())


def test_a_host_name_is_the_same_in_capitals(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            assert (await p.http.get("/health/live", headers={"Host": "LocalHost:8000"})).status_code == 200
            check(await p.http.get("/health/live", headers={"Host": "localhost.evil.example"}), 400)

    run(main())


def test_head_answers_as_get_does_without_a_body(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            for path in ("/", "/tickets", "/api/v1/lamps", "/health/ready", "/static/base.css", "/nothing"):
                got, head = await p.http.get(path), await p.http.head(path)
                assert (head.status_code, head.content) == (got.status_code, b""), path
                assert head.headers["content-type"] == got.headers["content-type"]

    run(main())
