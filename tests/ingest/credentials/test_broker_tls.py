"""The embedded broker over TLS: passwords in secret, and gateways that show a certificate instead."""

import asyncio
import ssl
from pathlib import Path

from ingest.broker import BrokerOptions, EmbeddedBroker
from ingest.credentials.engines.embedded import EmbeddedAccess
from ingest.credentials.model import Grant, default_topics
from tests.ingest.credentials.certificates import Made, OtherAuthority
from tests.ingest.credentials.conftest import Client, grant
from tests.ingest.world import eventually


def client_of(port: int, authority: OtherAuthority, shows: Made | None, user: str | None, password: str) -> Client:
    client = Client(port, user, password)
    context = ssl.create_default_context(cafile=str(authority.path))
    if shows is not None:
        context.load_cert_chain(shows.certificate, shows.key)
    client.client.tls_set_context(context)
    return client


def test_a_certificate_in_the_table_lets_in_and_no_other_does(tmp_path: Path) -> None:
    city, other = OtherAuthority(tmp_path), OtherAuthority(tmp_path, "other")
    server = city.issue("localhost")
    mine, revoked, foreign = city.issue("GW-1"), city.issue("GW-2"), other.issue("GW-1")

    async def main() -> None:
        access = EmbeddedAccess(anonymous=False)
        options = BrokerOptions(
            port=0,
            settle_s=0.0,
            certificate=str(server.certificate),
            key=str(server.key),
            authority=str(city.path),
        )
        broker = EmbeddedBroker(options, access=access)
        await broker.start()
        stop = asyncio.Event()
        running = asyncio.create_task(broker.run(stop))
        certified = Grant("GW-1", "GW-1", default_topics("GW-1"), serial=mine.serial)
        with_password = grant("GW-3", "three")
        await access.apply([certified, with_password])

        async def enters(shows: Made | None, user: str | None = None, password: str = "") -> Client | None:
            client = client_of(broker.port, city, shows, user, password)
            entered = await asyncio.to_thread(client.enter)
            if not entered:
                await asyncio.to_thread(client.leave)
            return client if entered else None

        assert await enters(revoked) is None
        assert await enters(foreign) is None
        assert await enters(None) is None
        # Whoever shows a certificate is judged by it, whatever password it gives.
        assert await enters(revoked, "GW-3", "three") is None
        in_secret = await enters(None, "GW-3", "three")
        assert in_secret is not None
        gateway = await enters(mine, "GW-3", "")
        assert gateway is not None
        gateway.client.publish("citynerve/v1/GW-3/readings", b"forged", 0)
        gateway.client.publish("citynerve/v1/GW-1/readings", b"mine", 0)
        taken = (await broker.take(max_messages=10, wait_s=10, gather_s=0.2)).single()
        assert [message.payload for message in taken] == [b"mine"]
        await access.apply([with_password])
        await eventually(lambda: gateway.ended, 2)
        assert await enters(mine) is None
        for client in (in_secret, gateway):
            await asyncio.to_thread(client.leave)
        stop.set()
        await running
        await access.close()

    asyncio.run(main())
