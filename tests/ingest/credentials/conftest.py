"""Both brokers for the contract of `AccessEngine`: a real Mosquitto with dynamic security, and the embedded one."""

import asyncio
import base64
import hashlib
import json
import os
import queue
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from ingest.broker import BrokerOptions, EmbeddedBroker
from ingest.credentials.engine import AccessEngine
from ingest.credentials.engines.embedded import EmbeddedAccess
from ingest.credentials.engines.mosquitto import MosquittoAccess, MosquittoOptions
from ingest.credentials.hashing import hash_password
from ingest.credentials.model import Grant, default_topics
from ingest.credentials.sealed import Opener, seal
from tests.support.servers import Server, free_port, unavailable, wait_for_port

ADMIN = "citynerve-admin"
ADMIN_PASSWORD = "a password for the administration"
PLUGINS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/local/lib")


def grant(login: str, password: str, **more: Any) -> Grant:
    """What the table would tell of a login."""
    gateway = login.partition("~")[0]
    topics = {"publish": default_topics(gateway)} | more
    sealed = seal(password, Opener(ADMIN_PASSWORD).public_key)
    return Grant(login, gateway, password_hash=hash_password(password), sealed=sealed, **topics)


class Client:
    """A gateway's client, or one that listens."""

    def __init__(self, port: int, user: str | None, password: str | None, client_id: str = "") -> None:
        self.answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.granted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.heard: list[tuple[str, bytes]] = []
        self.acknowledged: list[int] = []
        self.ended = False
        self._port = port
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id or f"client-{user}", reconnect_on_failure=False
        )
        self.client.max_inflight_messages_set(65535)
        if user is not None:
            self.client.username_pw_set(user, password)
        self.client.on_connect = lambda *event: self.answers.put(not event[3].is_failure)
        self.client.on_subscribe = lambda *event: self.granted.put(not event[3][0].is_failure)
        self.client.on_message = lambda *event: self.heard.append((event[2].topic, event[2].payload))
        self.client.on_publish = lambda *event: self.acknowledged.append(event[2])
        self.client.on_disconnect = lambda *_: setattr(self, "ended", True)

    def enter(self) -> bool:
        """Return whether the broker lets it in."""
        with suppress(OSError):
            self.client.connect("127.0.0.1", self._port)
            self.client.loop_start()
            with suppress(queue.Empty):
                return self.answers.get(timeout=15)
        return False

    def subscribe(self, topic: str) -> bool:
        self.client.subscribe(topic, 1)
        return self.granted.get(timeout=15)

    def leave(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@dataclass
class World:
    """A broker under an engine."""

    engine: AccessEngine
    port: int
    observer: Client
    forget: Callable[[], Awaitable[None]]
    """Let the broker lose all that it knew of logins, as a new machine would."""
    clients: list[Client]

    async def enters(self, user: str | None, password: str | None, client_id: str = "") -> bool:
        client = await self.client(user, password, client_id)
        if client is None:
            return False
        await asyncio.to_thread(client.leave)
        return True

    async def client(
        self, user: str | None, password: str | None, client_id: str = "", will: tuple[str, str] | None = None
    ) -> Client | None:
        """A client that stays, or None where it is not let in."""
        client = Client(self.port, user, password, client_id)
        if will is not None:
            client.client.will_set(*will, qos=1)
        self.clients.append(client)
        return client if await asyncio.to_thread(client.enter) else None

    async def member(
        self, user: str, password: str, client_id: str = "", will: tuple[str, str] | None = None
    ) -> Client:
        client = await self.client(user, password, client_id, will)
        assert client is not None, f"{user} was not let in"
        return client

    async def heard(self, payload: bytes, timeout_s: float = 10.0) -> bool:
        """Tell whether somebody who may read everything hears a payload."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not any(found == payload for _, found in self.observer.heard):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                return True
        return False


OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


class Dynsec(Server):
    """Mosquitto with dynamic security on one listener, and another where everybody may read."""

    def __init__(self, folder: Path, program: str, plugin: str) -> None:
        self.open_port = free_port()
        self.state = folder / "dynamic-security.json"
        port = free_port()
        configuration = folder / "mosquitto.conf"
        configuration.write_text(
            f"user root\nper_listener_settings true\nlog_dest stderr\nmax_packet_size 1048576\n"
            f"listener {port} 127.0.0.1\nallow_anonymous false\nuse_username_as_clientid true\n"
            f"plugin {plugin}\nplugin_opt_config_file {self.state}\n"
            f"listener {self.open_port} 127.0.0.1\nallow_anonymous true\n"
        )
        super().__init__(folder, port, lambda: [program, "-c", str(configuration)])

    def start(self) -> None:
        super().start()
        assert self._process is not None
        wait_for_port(self.open_port, self._process, self.log)

    def begin_anew(self) -> None:
        """Write the file that a new installation has: the administration, and nobody else."""
        salt = os.urandom(12)
        hashed = hashlib.pbkdf2_hmac("sha512", ADMIN_PASSWORD.encode(), salt, 101, 64)
        kinds = ("publishClientSend", "publishClientReceive", "subscribePattern")
        acls = [{"acltype": kind, "topic": "$CONTROL/dynamic-security/#", "allow": True} for kind in kinds]
        admin = {
            "username": ADMIN,
            "password": base64.b64encode(hashed).decode(),
            "salt": base64.b64encode(salt).decode(),
            "iterations": 101,
            "roles": [{"rolename": "admin"}],
        }
        self.state.write_text(json.dumps({"clients": [admin], "roles": [{"rolename": "admin", "acls": acls}]}))


def dynsec(folder: Path) -> Dynsec:
    """Return a Mosquitto with the plugin, not started; skip where there is none."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    plugin = next((p for f in PLUGINS if (p := Path(f) / "mosquitto_dynamic_security.so").exists()), None)
    if program is None or plugin is None:
        unavailable("no mosquitto with dynamic security: run tests/support/engines.sh")
    server = Dynsec(folder, program, str(plugin))
    server.begin_anew()
    return server


def mosquitto_world(request: pytest.FixtureRequest, tmp_path: Path) -> OpenWorld:
    server = dynsec(tmp_path)
    request.addfinalizer(server.stop)
    server.start()

    async def forget() -> None:
        await asyncio.to_thread(server.stop)
        server.begin_anew()
        await asyncio.to_thread(server.start)

    @asynccontextmanager
    async def open_world() -> AsyncIterator[World]:
        engine = MosquittoAccess(
            MosquittoOptions(f"mqtt://{ADMIN}:{ADMIN_PASSWORD.replace(' ', '%20')}@127.0.0.1:{server.port}")
        )
        observer = Client(server.open_port, None, None, "observer")
        async with _opened(World(engine, server.port, observer, forget, [])) as world:
            yield world

    return open_world


def embedded_world(_request: pytest.FixtureRequest, _tmp_path: Path) -> OpenWorld:
    @asynccontextmanager
    async def open_world() -> AsyncIterator[World]:
        access = EmbeddedAccess(anonymous=False, house_password="house")
        broker = EmbeddedBroker(BrokerOptions(port=0, settle_s=0.0), access=access)
        await broker.start()
        stop = asyncio.Event()

        async def serve() -> None:
            while not stop.is_set():
                broker.acknowledge(await broker.take(max_messages=1000, wait_s=0.1, gather_s=0.0))

        async def forget() -> None:
            await access.apply([])

        tasks = [asyncio.create_task(broker.run(stop)), asyncio.create_task(serve())]
        observer = Client(broker.port, "citynerve-local", "house", "observer")
        async with _opened(World(access, broker.port, observer, forget, [])) as world:
            yield world
        stop.set()
        await asyncio.gather(*tasks)

    return open_world


@asynccontextmanager
async def _opened(world: World) -> AsyncIterator[World]:
    assert await asyncio.to_thread(world.observer.enter)
    assert await asyncio.to_thread(world.observer.subscribe, "#")
    try:
        yield world
    finally:
        for client in (*world.clients, world.observer):
            await asyncio.to_thread(client.leave)
        await world.engine.close()


ENGINES = {"mosquitto": mosquitto_world, "embedded": embedded_world}


@pytest.fixture(params=ENGINES)
def open_world(request: pytest.FixtureRequest, tmp_path: Path) -> OpenWorld:
    return ENGINES[request.param](request, tmp_path)
