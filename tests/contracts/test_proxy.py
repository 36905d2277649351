"""The proxy that other tests lean on does what it says."""

import asyncio

import pytest

from tests.support.proxy import proxy_to


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
    writer.close()


async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: bytes) -> bytes:
    writer.write(what)
    return await asyncio.wait_for(reader.read(100), 5)


def test_proxy_passes_pauses_cuts_and_refuses() -> None:
    async def main() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with proxy_to(server.sockets[0].getsockname()[1]) as proxy:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            assert await say(reader, writer, b"one") == b"one"
            proxy.pause()
            writer.write(b"two")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(100), 0.1)
            proxy.resume()
            assert await asyncio.wait_for(reader.read(100), 5) == b"two"
            await proxy.cut()
            assert await reader.read(100) == b""
            writer.close()
            proxy.delay_s = 0.05
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            began = asyncio.get_running_loop().time()
            assert await say(reader, writer, b"three") == b"three"
            assert asyncio.get_running_loop().time() - began >= 0.1
            writer.close()
            proxy.refusing = True
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            assert await reader.read(100) == b""
            writer.close()
        server.close()
        await server.wait_closed()

    asyncio.run(main())
