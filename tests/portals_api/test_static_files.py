import re

from portals_api.static_files import FOLDER
from tests.portals_api.conftest import Open
from tests.support.small_city import run

FOR_GOOD = "public, max-age=31536000, immutable"


def test_a_page_names_its_files_by_their_content_and_browsers_keep_those_for_good(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            page = (await p.http.get("/report", headers={"Accept": "text/html"})).text
            found = re.findall(r'"(/static/[^"]+)"', page)
            assert len(found) >= 4
            for address in found:
                assert re.search(r"\?v=[0-9a-f]{12}$", address), address
                answer = await p.http.get(address)
                assert (answer.status_code, answer.headers["cache-control"]) == (200, FOR_GOOD), address

    run(main())


def test_a_file_without_its_hash_or_with_an_old_one_is_asked_for_each_time(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            for address in ("/static/base.css", "/static/base.css?v=000000000000", "/static/base.css?v=&v=1"):
                assert (await p.http.get(address)).headers["cache-control"] == "no-cache"
            assert (await p.http.get("/static/nothing.css?v=1")).status_code == 404
            assert (await p.http.get("/static/../factory.py?v=1")).status_code == 404

    run(main())


def test_a_vendored_file_comes_as_small_as_the_browser_takes_it_and_is_kept_for_good(portals: Open) -> None:
    async def main() -> None:
        async with portals() as p:
            address = "/static/maplibre-gl-6.17.0.mjs"
            sizes = {}
            for encodings in ("br, gzip", "gzip", "identity"):
                answer = await p.http.head(address, headers={"Accept-Encoding": encodings})
                assert answer.headers["cache-control"] == FOR_GOOD
                assert answer.headers["content-type"].startswith("text/javascript")
                sizes[answer.headers.get("content-encoding", "")] = int(answer.headers["content-length"])
            assert sizes["br"] < sizes["gzip"] < sizes[""]
            assert (await p.http.get(address + ".br")).status_code == 404
            tag = {"If-None-Match": answer.headers["etag"]}
            assert (await p.http.get(address, headers=tag)).status_code == 304

    run(main())


def test_both_ways_to_the_dark_colours_name_the_same() -> None:
    text = (FOLDER / "tokens.css").read_text(encoding="utf-8")
    blocks = re.findall(r"(?::root:not\(\[data-theme\]\)|:root\[data-theme=\"dark\"\]) \{([^}]*)\}", text)
    by_system, by_choice = ([line.strip() for line in block.splitlines() if line.strip()] for block in blocks)
    assert by_system == by_choice
    light = set(re.findall(r"(--[a-z0-9-]+):", text.split("}")[0]))
    assert set(re.findall(r"(--[a-z0-9-]+):", blocks[0])) <= light


def test_every_colour_of_the_style_sheets_is_a_token() -> None:
    names = set(re.findall(r"(--[a-z0-9-]+):", (FOLDER / "tokens.css").read_text(encoding="utf-8")))
    for path in FOLDER.glob("*.css"):
        text = path.read_text(encoding="utf-8")
        own = set(re.findall(r"(--[a-z0-9-]+):", text))
        assert set(re.findall(r"var\((--[a-z0-9-]+)", text)) <= names | own, path.name
