"""What all routes share: engines, the installation, the viewer, and how a page is made."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from city.clock import to_datetime
from city.errors import EngineError
from incidents.categories import BUILT_IN, Catalogue
from incidents.evidence import DeskOptions
from incidents.store import Desk
from ingest.redeliver import Redelivery
from ingest.registrar import Registrar
from ingest.registry import RegistryFollower
from observatory.lives_read import CityLives
from portals_api import labels, reads
from portals_api.deps import PortalDeps
from portals_api.i18n import LANGUAGE_NAMES, Words, load_catalogues, negotiate
from portals_api.limits import RateLimiter
from portals_api.live.board import Board
from portals_api.navigation import OPERATOR, Door, doors_of, here_of
from portals_api.operator.gate import Gate
from portals_api.participa.streets import Streets
from portals_api.static_files import StaticAddresses
from portals_api.visibility import Viewer
from storage.pool import engine_errors
from stream.registry import load_categories

_HERE = Path(__file__).parent
THEMES = ("auto", "light", "dark")
"""Colours of the pages: as the reader's system has them, or as the reader chose."""
_YEAR_S = 365 * 86400
_INSTALLATION_S = 10.0
"""An installation read no longer ago is good enough: a new city pack shows within this time."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What the portals know of their city."""

    city: str
    timezone: str
    simulated: bool
    languages: tuple[str, ...]
    catalogue: Catalogue


_NOT_SET_UP = Installation("citynerve", "UTC", False, (), BUILT_IN)


class Portal:
    """One set of portals over one set of engines."""

    def __init__(self, deps: PortalDeps) -> None:
        self.deps = deps
        self.pool = deps.pool
        self.options = deps.options
        self.limiter = RateLimiter(deps.options.reports_per_minute)
        self.board = Board(deps.pool, deps.log, deps.clock, deps.options.board)
        self.streets = Streets(deps.pool)
        self.static = StaticAddresses()
        self.routes: tuple[APIRoute, ...] = ()
        self.addresses: frozenset[str] = frozenset()
        self.doors: tuple[Door, ...] = ()
        self.operator_doors: tuple[Door, ...] = ()
        self.gate = Gate(deps.options)
        self.redelivery = Redelivery(deps.pool, deps.log, deps.clock, RegistryFollower(deps.pool))
        self.registrar = Registrar(deps.pool, deps.log, deps.clock, self.redelivery)
        self.letters_counted: tuple[float, dict[str, tuple[int, int]]] | None = None
        self.lives: tuple[float, CityLives] | None = None
        self.lives_lock = asyncio.Lock()
        self._translations = load_catalogues(deps.options.languages)
        self._installation: tuple[float, Installation] | None = None
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def serves(self, routes: Iterable[APIRoute]) -> None:
        """Take note of what is served, so that pages link to nothing else."""
        self.routes += tuple(routes)
        self.addresses = frozenset(route.path for route in self.routes)
        self.doors = doors_of(self.addresses)
        self.operator_doors = doors_of(self.addresses, (OPERATOR,))

    # ------------------------------------------------------------ the city

    async def installation(self) -> Installation:
        """Return the installation, at most a few seconds old.

        Raises
        ------
        EngineError
            The database did not answer.
        """
        if self._installation is not None and time.monotonic() - self._installation[0] < _INSTALLATION_S:
            return self._installation[1]
        row = await reads.installation(self.pool)
        if row is None:
            return _NOT_SET_UP
        with engine_errors():
            async with self.pool.connection() as connection:
                services = await load_categories(connection)
        languages = tuple(name for name in row["languages"] or () if name in self.options.languages)
        found = Installation(row["city"], row["timezone"], row["simulated"], languages, Catalogue.of(services))
        self._installation = (time.monotonic(), found)
        return found

    async def viewer(self) -> Viewer:
        """Return who asks; accounts will tell more."""
        return Viewer(self.options.crew_without_account, (await self.installation()).simulated)

    async def desk(self) -> Desk:
        """Return the desk with the city's categories."""
        options = DeskOptions(catalogue=(await self.installation()).catalogue)
        return Desk(self.deps.clock, options, ticket_partitions=self.options.ticket_partitions)

    def now(self) -> datetime:
        """Return city time."""
        return to_datetime(self.deps.clock.now_us())

    # ------------------------------------------------------------ pages

    async def labels(self, words: Words) -> labels.Labels:
        """Return the words for codes in one language."""
        return labels.Labels(words, (await self.installation()).catalogue)

    def wants_page(self, request: Request) -> bool:
        """Tell whether an answer should be a page: outside the API, for who prefers HTML."""
        path = request.url.path
        if path.startswith(("/api/", "/health/", "/static/")):
            return False
        accept = request.headers.get("accept", "")
        json_at, html_at = accept.find("application/json"), accept.find("text/html")
        return json_at < 0 or 0 <= html_at < json_at

    async def words(self, request: Request) -> Words:
        """Return the language of a request."""
        try:
            city = await self.installation()
        except EngineError:
            city = _NOT_SET_UP
        languages = city.languages or self.options.languages
        language = negotiate(
            languages,
            request.query_params.get("lang"),
            request.cookies.get("lang"),
            request.headers.get("accept-language"),
        )
        return Words(language, self._translations[language], city.timezone)

    async def english(self) -> Words:
        """Return the language in which the API says sentences."""
        city = await self.installation()
        return Words("en", self._translations["en"], city.timezone)

    async def page(
        self,
        request: Request,
        template: str,
        status: int = 200,
        *,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """Render a template."""
        words = await self.words(request)
        try:
            city = await self.installation()
        except EngineError:
            city = _NOT_SET_UP
        doors = self.doors + (self.operator_doors if self.gate.admits(request) else ())
        context = {
            "_": words.text,
            "words": words,
            "label": labels.Labels(words, city.catalogue),
            "city": city,
            "languages": city.languages or self.options.languages,
            "language_names": LANGUAGE_NAMES,
            "now": self.now(),
            "path": request.url.path,
            "here": _here(request),
            "doors": doors,
            "door": here_of(doors, request.url.path),
            "addresses": self.addresses,
            "static_url": self.static.url,
            "theme": _theme(request),
            "json_url": None,
            **values,
        }
        body = self._templates.get_template(template).render(context)
        response = HTMLResponse(body, status, headers=dict(headers or {}))
        response.headers["Content-Language"] = words.language
        response.headers["Vary"] = "Accept, Accept-Language, Cookie"
        if request.query_params.get("lang") == words.language:
            _remember(response, "lang", words.language)
        if request.query_params.get("theme") in THEMES:
            _remember(response, "theme", request.query_params["theme"])
        return response

    async def error_page(
        self, request: Request, status: int, message: str, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Render an error for people."""
        title = HTTPStatus(status).phrase
        return await self.page(
            request, "error.html", status, headers=headers, status_code=status, title=title, message=message
        )


def address(path: str, **filters: str | None) -> str:
    """Return a path with the filters that are set."""
    query = urlencode({name: value for name, value in filters.items() if value})
    return f"{path}?{query}" if query else path


def _remember(response: Response, name: str, choice: str) -> None:
    response.set_cookie(name, choice, max_age=_YEAR_S, samesite="lax", httponly=True)


def _theme(request: Request) -> str:
    """Return the colours that the reader asks for now, else those chosen before, else the system's."""
    for choice in (request.query_params.get("theme"), request.cookies.get("theme")):
        if choice in THEMES:
            return str(choice)
    return THEMES[0]


def _here(request: Request) -> str:
    """Return the path with its query, without language and colours, ready for one more parameter."""
    rest = [(k, v) for k, v in request.query_params.multi_items() if k not in ("lang", "theme")]
    return request.url.path + "?" + (urlencode(rest) + "&" if rest else "")
