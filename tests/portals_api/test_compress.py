import gzip
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from portals_api.compress import Compress, accepted
from tests.support.small_city import run

LONG = "a street light " * 500


async def _long(_: object) -> Response:
    return PlainTextResponse(LONG)


async def _short(_: object) -> Response:
    return PlainTextResponse("short")


async def _packed(_: object) -> Response:
    return Response(gzip.compress(LONG.encode()), media_type="text/plain", headers={"Content-Encoding": "gzip"})


async def _picture(_: object) -> Response:
    return Response(LONG.encode(), media_type="image/png")


async def _pieces(_: object) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        yield b"data: 2\n\n"

    return StreamingResponse(body(), media_type="text/event-stream")


async def ask(path: str, **headers: str) -> httpx2.Response:
    routes = [Route(f"/{f.__name__[1:]}", f) for f in (_long, _short, _packed, _picture, _pieces)]
    transport = httpx2.ASGITransport(app=Compress(Starlette(routes=routes)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        return await http.get(path, headers={"Accept-Encoding": "gzip", **headers})


def test_text_is_compressed_and_says_so() -> None:
    async def main() -> None:
        answer = await ask("/long")
        assert answer.text == LONG
        assert answer.headers["content-encoding"] == "gzip"
        assert int(answer.headers["content-length"]) < 500
        assert "Accept-Encoding" in answer.headers["vary"]

    run(main())


@pytest.mark.parametrize("path", ["/short", "/picture", "/pieces"])
def test_what_is_short_no_text_or_a_stream_passes_as_it_is(path: str) -> None:
    async def main() -> None:
        answer = await ask(path)
        assert answer.status_code == 200
        assert "content-encoding" not in answer.headers

    run(main())


def test_what_is_compressed_already_is_not_compressed_again() -> None:
    async def main() -> None:
        assert (await ask("/packed")).text == LONG

    run(main())


@pytest.mark.parametrize("encodings", ["identity", "gzip;q=0", "br", ""])
def test_who_does_not_take_it_gets_plain_text(encodings: str) -> None:
    async def main() -> None:
        answer = await ask("/long", **{"Accept-Encoding": encodings})
        assert answer.text == LONG
        assert "content-encoding" not in answer.headers

    run(main())


def test_encodings_are_read_as_browsers_write_them() -> None:
    assert accepted("gzip, deflate, br;q=0.9, zstd") == {"gzip", "deflate", "br", "zstd"}
    assert accepted("br; q=0, gzip") == {"gzip"}
    assert accepted(None) == {""}
