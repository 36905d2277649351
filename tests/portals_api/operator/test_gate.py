"""The operators' gate: who comes in, by what, and that no operator's route stands beside it."""

import re
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from portals_api.operator import session
from portals_api.operator.gate import SIGN_IN, Gate, inside, way_in
from tests.portals_api.conftest import Open, Portals
from tests.support.small_city import run

KEY = "correct-horse-battery-staple"
HTML = {"Accept": "text/html,*/*;q=0.8"}
OURS = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
BEARER = {"Authorization": f"Bearer {KEY}"}
BELOW = ("/operator", "/api/v1/operator")


def routes_below(app: FastAPI) -> list[tuple[str, str]]:
    """Return method and path of every operator's route, with something in each place of a path."""
    found = []
    for route in app.state.portal.routes:
        assert isinstance(route, APIRoute)
        if route.path.startswith(BELOW):
            found += [(method, re.sub(r"{.*?}", "1", route.path)) for method in sorted(route.methods)]
    return found


def app_of(p: Portals) -> Any:
    return p.http._transport.app  # type: ignore[attr-defined]


async def sign_in(p: Portals, key: str = KEY, **fields: str) -> httpx2.Response:
    return await p.http.post(SIGN_IN, data={"key": key, **fields}, headers={**HTML, **OURS})


def test_every_operators_route_refuses_a_stranger(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_key=KEY, operator_on_loopback=True) as p:
            routes = [one for one in routes_below(app_of(p)) if one[1] != SIGN_IN]
            assert ("GET", "/operator") in routes
            for method, path in routes:
                answer = await p.http.request(method, path, headers={"Accept": "application/json"})
                assert answer.status_code == 401, (method, path, answer.text)
                assert answer.json()["error"]["code"] == "unauthorized"
                assert answer.headers["www-authenticate"].startswith("Bearer")
                page = await p.http.request(method, path, headers={**HTML, **OURS})
                if path.startswith("/api/"):
                    assert page.status_code == 401, (method, path)
                else:
                    assert page.status_code == 303, (method, path)
                    assert page.headers["location"].startswith(SIGN_IN)

    run(main())


def test_without_a_key_operators_routes_are_there_for_this_machine_alone(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_on_loopback=True) as p:
            assert (await p.http.get("/operator", headers=HTML)).status_code == 200
            for name, value in (
                ("X-Forwarded-For", "127.0.0.1"),
                ("X-Forwarded-Proto", "https"),
                ("Forwarded", "for=127.0.0.1"),
                ("Via", "1.1 proxy"),
                ("X-Real-IP", "127.0.0.1"),
            ):
                for method, path in routes_below(app_of(p)):
                    answer = await p.http.request(method, path, headers={name: value, **OURS})
                    assert answer.status_code == 404, (name, method, path)
        async with portals(operator_on_loopback=True, allowed_hosts=("*",)) as p:
            assert (await p.http.get("/operator", headers={"Host": "luz.city.example"})).status_code == 404
            assert (await p.http.get("/operator", headers={"Host": "LocalHost:8000"})).status_code == 200
            for client in (("192.0.2.7", 5), ("2001:db8::7", 5), ("testclient", 5)):
                transport = httpx2.ASGITransport(app=app_of(p), client=client)
                async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as elsewhere:
                    assert (await elsewhere.get("/operator")).status_code == 404, client
        async with portals() as p:
            for method, path in routes_below(app_of(p)):
                assert (await p.http.request(method, path, headers=OURS)).status_code == 404, (method, path)

    run(main())


def test_the_key_opens_the_api_and_a_wrong_one_does_not(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_key=KEY) as p:
            assert (await p.http.get("/operator", headers=BEARER)).status_code == 200
            assert (await p.http.get("/operator", headers={"Authorization": f"bearer {KEY}"})).status_code == 200
            for wrong in (KEY[:-1], KEY + "x", "", KEY.upper()):
                told = {"Authorization": f"Bearer {wrong}", "Accept": "application/json"}
                assert (await p.http.get("/operator", headers=told)).status_code == 401, wrong

    run(main())


def test_the_form_gives_a_cookie_that_is_not_the_key_and_signing_out_takes_it_back(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_key=KEY) as p:
            form = await p.http.get(f"{SIGN_IN}?next=/operator", headers=HTML)
            assert (form.status_code, form.headers["cache-control"]) == (200, "no-store")
            assert 'type="password"' in form.text
            wrong = await sign_in(p, "not the key, not at all")
            assert wrong.status_code == 401
            assert "set-cookie" not in wrong.headers
            assert "not the key" not in wrong.text
            done = await sign_in(p)
            assert (done.status_code, done.headers["location"]) == (303, "/operator")
            cookie = done.headers["set-cookie"]
            assert {"HttpOnly", "SameSite=strict", f"Max-Age={session.LIFE_S}"} <= set(cookie.split("; "))
            assert "Secure" not in cookie
            assert KEY not in cookie
            front = await p.http.get("/operator", headers=HTML)
            assert (front.status_code, "sign-out" in front.text) == (200, True)
            # Signed in, the form leads on.
            assert (await p.http.get(SIGN_IN, headers=HTML)).headers["location"] == "/operator"
            # A form of another site is refused, and so is one that does not say where it comes from.
            for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}, {}):
                assert (await p.http.post("/operator/sign-out", headers=headers)).status_code == 403
            out = await p.http.post("/operator/sign-out", headers={**HTML, **OURS})
            assert out.status_code == 303
            assert (await p.http.get("/operator", headers=HTML)).status_code == 303

    run(main())


def test_behind_https_the_cookie_is_secure(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_key=KEY) as p:
            p.http.base_url = httpx2.URL("https://localhost")
            done = await p.http.post(SIGN_IN, data={"key": KEY}, headers={"Origin": "https://localhost"})
            assert "Secure" in done.headers["set-cookie"].split("; ")

    run(main())


def test_a_sign_in_ends_with_its_time_and_with_its_key() -> None:
    cookie = session.sign_in(KEY, 1_000.0)
    assert session.is_signed_in(KEY, cookie, 1_000.0 + session.LIFE_S - 1)
    assert not session.is_signed_in(KEY, cookie, 1_000.0 + session.LIFE_S)
    assert not session.is_signed_in(KEY + "2", cookie, 1_001.0)
    ends, nonce, signature = cookie.split(".")
    assert session.sign_in(KEY, 1_000.0) != cookie
    forged = (
        "",
        "..",
        f"{int(ends) + 1}.{nonce}.{signature}",
        f"{ends}.{nonce}.{'A' * 43}",
        f"{ends}.{'B' * 22}.{signature}",
        cookie + "x",
        cookie.replace(ends, "١٢٣", 1),
    )
    for one in forged:
        assert not session.is_signed_in(KEY, one, 1_001.0), one


def test_an_operator_stays_signed_in_for_eight_hours(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_key=KEY) as p:
            gate: Gate = app_of(p).state.portal.gate
            now = [1_800_000_000.0]
            gate.now_s = lambda: now[0]
            await sign_in(p)
            now[0] += session.LIFE_S - 1
            assert (await p.http.get("/operator", headers=HTML)).status_code == 200
            now[0] += 1
            assert (await p.http.get("/operator", headers=HTML)).status_code == 303

    run(main())


def test_wrong_keys_are_counted_by_where_they_come_from(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_key=KEY, operator_tries_per_minute=3) as p:
            wrong = {"Authorization": "Bearer nothing-of-the-kind", "Accept": "application/json"}
            for _ in range(5):
                assert (await p.http.get("/operator", headers=BEARER)).status_code == 200
            assert [(await p.http.get("/operator", headers=wrong)).status_code for _ in range(4)] == [401] * 3 + [429]
            # Whoever guesses learns nothing more, not even by the right one.
            refused = await sign_in(p)
            assert refused.status_code == 429
            assert 0 < int(refused.headers["retry-after"]) <= 61
            assert (await p.http.get("/operator", headers=BEARER)).status_code == 429
            transport = httpx2.ASGITransport(app=app_of(p), client=("192.0.2.7", 5))
            async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as elsewhere:
                assert (await elsewhere.get("/operator", headers=BEARER)).status_code == 200
            for n in range(3):
                transport = httpx2.ASGITransport(app=app_of(p), client=(f"2001:db8::{n}", 5))
                async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as house:
                    assert (await house.get("/operator", headers=wrong)).status_code == 401
            transport = httpx2.ASGITransport(app=app_of(p), client=("2001:db8::ffff", 5))
            async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as house:
                assert (await house.get("/operator", headers=wrong)).status_code == 429

    run(main())


def test_the_menu_names_operators_pages_to_operators_alone(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_key=KEY) as p:
            assert 'href="/operator"' not in (await p.http.get("/report", headers=HTML)).text
            await sign_in(p)
            assert 'href="/operator"' in (await p.http.get("/report", headers=HTML)).text
        async with portals(operator_on_loopback=True) as p:
            assert 'href="/operator"' in (await p.http.get("/report", headers=HTML)).text
            proxied = {**HTML, "X-Forwarded-For": "192.0.2.7"}
            assert 'href="/operator"' not in (await p.http.get("/report", headers=proxied)).text

    run(main())


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example",
        "//evil.example",
        "/operatorx",
        "/operator/\\evil",
        "/lamps",
        "",
        "/operator/\n",
        "/operator/á",
    ],
)
def test_signing_in_leads_to_operators_pages_alone(path: str) -> None:
    assert inside(path) == "/operator"
    assert way_in("/operator/letters") == "/operator/sign-in?next=/operator/letters"


def test_operators_answers_are_not_for_other_sites_pages(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_key=KEY, crew_without_account=False) as p:
            assert (await p.http.get("/api/v1/lamps")).headers["access-control-allow-origin"] == "*"
            for method, path in routes_below(app_of(p)):
                answer = await p.http.request(method, path, headers={**BEARER, **OURS})
                assert "access-control-allow-origin" not in answer.headers, path

    run(main())
