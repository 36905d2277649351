"""Operators' credentials, by API and page: given, rotated, revoked, the password in one answer and nowhere else."""

import re
from typing import Any

import psycopg
import pytest

from ingest.credentials.engines.embedded import EmbeddedAccess
from ingest.credentials.keeper import CredentialKeeper
from tests.portals_api.conftest import Open, Portals
from tests.portals_api.operator.test_gate import BEARER, HTML, KEY, OURS
from tests.support.small_city import run

LIST = "/api/v1/operator/credentials"
PAGE = "/operator/credentials"


async def post(p: Portals, path: str, status: int = 200, **body: Any) -> Any:
    answer = await p.http.post(f"{LIST}{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def page(p: Portals, path: str, status: int = 200) -> str:
    answer = await p.http.get(path, headers=HTML)
    assert answer.status_code == status, answer.text
    return str(answer.text)


async def send(p: Portals, path: str, status: int = 200, **fields: str) -> Any:
    answer = await p.http.post(path, data=fields, headers={**HTML, **OURS})
    assert answer.status_code == status, answer.text
    return answer


@pytest.mark.usefixtures("data")
def test_a_credential_from_creation_to_revocation(portals: Open, city_url: str) -> None:
    async def main() -> None:
        async with portals(operator_key=KEY) as p:
            p.http.headers.update(BEARER)
            assert (await p.json(LIST))["items"] == []
            made = await post(p, "", 201, gateway="G-1", days=30)
            assert (made["login"], made["publish"], made["state"]) == ("G-1", ["citynerve/v1/G-1/+"], "valid")
            assert re.fullmatch("[0-9a-f]{48}", made["password"])
            changed = await post(p, f"/{made['id']}/topics", publish=["vendor/+/up"], read=["vendor/+/down"])
            assert (changed["publish"], changed["read"]) == (["vendor/+/up"], ["vendor/+/down"])
            done = await post(p, f"/{made['id']}/rotate", together_h=1, days=60)
            assert done["new"]["expires_at"] > made["expires_at"]
            again = await post(p, f"/{made['id']}/rotate", 409)
            assert "is being replaced by G-1~2 already" in again["error"]["message"]
            assert (done["new"]["login"], done["new"]["publish"]) == ("G-1~2", ["vendor/+/up"])
            assert done["old"]["expires_at"] < made["expires_at"]
            new = done["new"]["id"]
            assert (await post(p, f"/{new}/revoke", reason="stolen"))["state"] == "revoked"
            assert (await p.json(f"{LIST}/{new}"))["events"][-1]["detail"] == {"reason": "stolen"}
            assert (await post(p, f"/{new}/revoke"))["state"] == "revoked"
            assert [one["login"] for one in (await p.json(LIST))["items"]] == ["G-1"]
            first = await p.json(LIST, past=True, limit=1)
            assert [one["login"] for one in first["items"]] == ["G-1~2"]
            rest = await p.json(LIST, past=True, next=first["next"])
            assert [one["login"] for one in rest["items"]] == ["G-1"]
            whole = await p.json(f"{LIST}/{made['id']}")
            assert [(e["kind"], e["actor"]) for e in whole["events"]] == [
                (kind, "operator") for kind in ("created", "topics", "replaced")
            ]
            told = str(whole) + str(rest) + await page(p, PAGE) + await page(p, f"{PAGE}/{made['id']}")
            assert made["password"] not in told
            with psycopg.connect(city_url) as connection:
                everything = connection.execute("SELECT string_agg(c::text, '') FROM credentials c").fetchone()
            assert everything is not None
            assert made["password"] not in everything[0]

    run(main())


@pytest.mark.usefixtures("data")
def test_what_makes_no_sense_is_refused_and_changes_nothing(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_on_loopback=True) as p:
            await post(p, "", 404, gateway="G-9")
            for wrong in (
                {},
                {"gateway": "G-1", "days": 0},
                {"gateway": "G-1", "publish": ["a"] * 33},
                {"gate": "G-1"},
                {"gateway": "G-1\0"},
            ):
                await post(p, "", 422, **wrong)
            for wrong in ({"publish": ["#"]}, {"publish": ["$SYS/#"]}, {"publish": ["a+"]}, {"publish": []}):
                answer = await p.http.post(LIST, json={"gateway": "G-1", **wrong})
                assert answer.status_code in (400, 422), answer.text
            assert (await p.json(LIST))["items"] == []
            made = await post(p, "", 201, gateway="G-1")
            for hours in (-1, 1e9, "x", None):
                await post(p, f"/{made['id']}/rotate", 422, together_h=hours)
            await post(p, f"/{made['id']}/rotate", 422, days=0)
            await post(p, f"/{made['id']}/revoke", 422, reason="a\0b")
            for path, fields in ((PAGE, {"gateway": "G-1\0"}), (f"{PAGE}/{made['id']}/revoke", {"reason": "\0"})):
                await send(p, path, 422, **fields)
            await post(p, f"/{made['id']}/revoke")
            await post(p, f"/{made['id']}/rotate", 409)
            await post(p, f"/{made['id']}/topics", 409, publish=["a/b"])
            await post(p, "/999/revoke", 404)
            await p.json(f"{LIST}/999", 404)
            assert (await p.http.post(LIST, data={"gateway": "G-1"})).status_code == 415
            assert (await p.http.post(f"{LIST}/{made['id']}/revoke")).status_code == 415

    run(main())


@pytest.mark.usefixtures("data")
def test_pages_show_the_password_once_and_ask_before_they_revoke(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_on_loopback=True, languages=("en",)) as p:
            assert "Nobody has a credential yet" in await page(p, PAGE)
            shown = await send(p, PAGE, gateway=" G-1 ", publish="a/+\r\n\r\nb/#", read="", days="")
            (password,) = re.findall(r'id="password">([0-9a-f]{48})<', shown.text)
            assert shown.headers["cache-control"] == "no-store"
            assert "only time that it is shown" in shown.text
            (one,) = (await p.json(LIST))["items"]
            assert one["publish"] == ["a/+", "b/#"]
            whole = await page(p, f"{PAGE}/{one['id']}")
            assert password not in whole
            rotated = await send(p, f"{PAGE}/{one['id']}/rotate", together_h="168")
            assert "The old login G-1 works until" in rotated.text
            await send(p, f"{PAGE}/{one['id']}/rotate", 422, together_h="7")
            replaced = await page(p, f"{PAGE}/{one['id']}")
            assert "It is being replaced by G-1~2" in replaced
            assert 'name="together_h"' not in replaced
            (newer, _) = (await p.json(LIST))["items"]
            assert 'name="days"' in await page(p, f"{PAGE}/{newer['id']}")
            asked = await page(p, f"{PAGE}/{newer['id']}/revoke")
            assert "Revoke G-1~2?" in asked
            assert (await p.json(f"{LIST}/{newer['id']}"))["state"] == "valid"
            done = await send(p, f"{PAGE}/{newer['id']}/revoke", 303, reason="lost <it>")
            assert done.headers["location"] == f"{PAGE}/{newer['id']}"
            assert "lost &lt;it&gt;" in await page(p, f"{PAGE}/{newer['id']}")
            assert "No credential fits." in await page(p, f"{PAGE}?gateway=G-9")
            assert (await send(p, f"{PAGE}/{one['id']}/topics", 303, publish="", read="")).text == ""
            assert (await p.json(f"{LIST}/{one['id']}"))["publish"] == ["citynerve/v1/G-1/+"]

    run(main())


@pytest.mark.usefixtures("data")
def test_a_change_is_on_its_way_until_the_broker_was_told(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_on_loopback=True, languages=("en",)) as p:
            keeper = CredentialKeeper(p.pool, EmbeddedAccess())
            made = await post(p, "", 201, gateway="G-1")
            assert made["in_force_at"] is None
            assert "on its way to the broker" in await page(p, PAGE)
            await keeper.start()
            assert (await p.json(f"{LIST}/{made['id']}"))["in_force_at"]
            assert "on its way" not in await page(p, PAGE)
            assert "in force since" in await page(p, f"{PAGE}/{made['id']}")
            ended = await post(p, f"/{made['id']}/revoke")
            assert (ended["state"], ended["in_force_at"]) == ("revoked", None)
            assert "on its way: until it is told" in await page(p, f"{PAGE}/{made['id']}")
            await keeper.start()
            assert (await p.json(f"{LIST}/{made['id']}"))["in_force_at"]

    run(main())


@pytest.mark.usefixtures("data")
def test_a_form_that_makes_no_credential_says_why_and_keeps_what_was_written(portals: Open) -> None:
    async def main() -> None:
        async with portals(operator_on_loopback=True) as p:
            headers = {**HTML, **OURS, "Accept-Language": "es"}
            form = {"gateway": "GW-77", "days": "30", "publish": "a/b"}
            refused = await p.http.post(PAGE, data=form, headers=headers)
            assert refused.status_code == 404
            assert "No hay ningún concentrador GW-77 en el registro" in refused.text
            assert "/operator/gateways?new=GW-77#add" in refused.text
            assert 'value="30"' in refused.text
            assert ">a/b</textarea>" in refused.text
            refused = await p.http.post(PAGE, data={"gateway": "G-1", "days": "never"}, headers=headers)
            assert refused.status_code == 422
            assert "No se creó ningún usuario" in refused.text
            assert (await p.json(LIST))["items"] == []

    run(main())
