"""Builds the application: a fresh one for every call, no globals."""

from fastapi import FastAPI
from fastapi.routing import APIRoute

from portals_api import errors, health, home, static_files
from portals_api.compress import Compress
from portals_api.cuida import crew, lamps, network, overview, reports, search, stream, tickets
from portals_api.cuida import map as live_map
from portals_api.deps import PortalDeps
from portals_api.description import Described
from portals_api.guard import Guard
from portals_api.meter import Meter, RouteNote
from portals_api.observa import districts, facilities, figures, ledger, readings, series
from portals_api.participa import developers, feeds, status
from portals_api.portal import Portal

_ROUTES = (
    *(health, home),
    *(figures, crew, overview, reports),
    *(live_map, search, stream),
    *(developers, feeds, status),
)
"""Modules whose routes are made for one portal."""
_ROUTERS = tuple(module.router for module in (facilities, districts, series, ledger, readings, lamps, network, tickets))
"""Plain routers: they find the portal through the request."""


def create_app(deps: PortalDeps) -> FastAPI:
    """Return the portals over `deps`, whose engines stay the caller's to open and close."""
    portal = Portal(deps)
    app = Described(
        title="citynerve",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        redirect_slashes=False,
    )
    errors.install(app, portal)
    app.state.portal = portal
    for router in (*(module.routes(portal) for module in _ROUTES), *_ROUTERS):
        portal.serves(route.path for route in router.routes if isinstance(route, APIRoute))
        app.include_router(router)
    app.include_router(static_files.routes(portal.static))
    app.state.board = portal.board
    # The last one added is the outermost.
    app.add_middleware(RouteNote)
    app.add_middleware(Compress)
    app.add_middleware(Guard, options=deps.options)
    app.add_middleware(Meter, metrics=deps.metrics)
    return app
