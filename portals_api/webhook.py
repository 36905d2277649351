"""Messages of gateways and platforms over HTTPS: ``POST /ingest/v1/{gateway}/{format}``."""

import base64
import binascii
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from city.topics import ROOT
from ingest.formats.parsed import PAYLOAD_BYTES_MAX
from ingest.web.door import Receipt

PREFIX = "/ingest/v1/"
_REALM = {"WWW-Authenticate": 'Basic realm="citynerve", charset="UTF-8"'}
_REFUSED = "send the gateway's own login and password by HTTP Basic: they may publish under its name alone"


class Access(Protocol):
    """Whom the door lets in."""

    async def may_publish(self, login: str, password: str, address: str, topic: str) -> bool:
        """Tell whether this is the login's password, and the login may publish on the topic."""


class Door(Protocol):
    """Where messages go."""

    def room(self, gateway: str, size: int) -> AbstractContextManager[None]:
        """Keep room for a message of `size` bytes at most while it is read and taken.

        Raises
        ------
        OverShareError, EngineError
            There is none: for this gateway, or for anybody.
        """

    async def take(self, gateway: str, topic: str, payload: bytes) -> Receipt:
        """Wait until a message for which there is room has been appended.

        Raises
        ------
        EngineError
            It has to be sent again.
        """


class Webhook(NamedTuple):
    """The door and who may use it."""

    access: Access
    door: Door


def routes(webhook: Webhook) -> APIRouter:
    """Return the routes of the door."""
    router = APIRouter()

    @router.post(PREFIX + "{gateway}/{format}", include_in_schema=False)
    async def take_message(request: Request, gateway: str, format: str) -> JSONResponse:  # noqa: A002 - of the path
        """Take one message; answer once it is on the log."""
        return await _take(webhook, request, gateway, format)

    @router.post(PREFIX + "{gateway}/talq/log-reports", include_in_schema=False)
    async def take_log_reports(request: Request, gateway: str) -> JSONResponse:
        """Take log reports where TALQ gateways send them, below the address of their central management."""
        return await _take(webhook, request, gateway, "talq", status=201)

    return router


async def _take(webhook: Webhook, request: Request, gateway: str, kind: str, status: int = 200) -> JSONResponse:
    topic = f"{ROOT}/{gateway}/{kind}"
    login, password = _credentials(request)
    address = request.client.host if request.client is not None else ""
    if not login or not await webhook.access.may_publish(login, password, address, topic):
        raise HTTPException(401, _REFUSED, _REALM)
    with webhook.door.room(gateway, _size_at_most(request)):
        receipt = await webhook.door.take(gateway, topic, await request.body())
    return JSONResponse({"readings": receipt.readings, "set_aside": receipt.set_aside}, status)


def _size_at_most(request: Request) -> int:
    """Return how large the body may become, before any of it is read; `Guard` has refused what is too much."""
    told = request.headers.get("content-length", "")
    if told.isdigit():
        return int(told)
    return PAYLOAD_BYTES_MAX if "transfer-encoding" in request.headers else 0


def _credentials(request: Request) -> tuple[str, str]:
    """Return login and password of HTTP Basic; empty where there are none."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        login, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return login, password
