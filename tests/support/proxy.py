"""A small TCP proxy for tests of bad networks: cut what runs, hold it up, slow it down, refuse new connections."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Proxy:
    """Passes bytes between clients and one server; `port` is where it listens.

    Attributes
    ----------
    delay_s : float
        Each piece of data waits so long, in either direction.
    refusing : bool
        New connections are closed at once.
    """

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.delay_s = 0.0
        self.refusing = False
        self._target_port = target_port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._connections: set[asyncio.Task[None]] = set()

    def pause(self) -> None:
        """Hold everything up, connections stay open: as a network that swallows packets."""
        self._flowing.clear()

    def resume(self) -> None:
        """Let go on what was held up."""
        self._flowing.set()

    async def cut(self) -> None:
        """Break all connections, what was under way is lost; new ones may come."""
        doomed = list(self._connections)
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client, as the callback of `asyncio.start_server`."""
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        writers = [writer]
        try:
            if self.refusing:
                return
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            writers.append(up_writer)
            flows = [
                asyncio.create_task(self._pump(reader, up_writer)),
                asyncio.create_task(self._pump(up_reader, writer)),
            ]
            try:
                await asyncio.wait(flows, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for flow in flows:
                    flow.cancel()
                await asyncio.gather(*flows, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # the server is gone, or `cut`; either way the client sees its connection end
        finally:
            self._connections.discard(task)
            for one in writers:
                one.transport.abort()
                with contextlib.suppress(OSError):
                    await one.wait_closed()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def proxy_to(target: int | str) -> AsyncIterator[Proxy]:
    """Stand before a loopback server, given by port or URL."""
    port = target if isinstance(target, int) else urlsplit(target).port
    assert port is not None
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.resume()
        await proxy.cut()
        await server.wait_closed()
