"""Builds the application: a fresh one for every call, no globals."""

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute

from portals_api import errors, health, home, static_files, webhook
from portals_api.compress import Compress
from portals_api.cuida import alarms, crew, lamps, network, overview, reports, search, stream, tickets
from portals_api.cuida import map as live_map
from portals_api.deps import PortalDeps
from portals_api.description import Described
from portals_api.guard import Guard
from portals_api.meter import Meter, RouteNote
from portals_api.observa import districts, energy, facilities, figures, ledger, lives, precision, readings, series
from portals_api.operator import (
    credential_pages,
    entry,
    gateway_pages,
    letter_pages,
    maintenance,
    registry,
    registry_pages,
)
from portals_api.operator import credentials as operator_credentials
from portals_api.operator import letters as operator_letters
from portals_api.operator import thresholds as operator_thresholds
from portals_api.participa import developers, feeds, status
from portals_api.portal import Portal
from portals_api.routing import known_district, known_parameters

_OBSERVA = (figures, precision, energy, lives, districts, facilities, series, readings, ledger)
_CUIDA = (overview, reports, tickets, alarms, crew, lamps, network, live_map, search, stream)
_PARTICIPA = (status, feeds, developers)
_OPERATOR = (
    entry,
    operator_letters,
    letter_pages,
    operator_credentials,
    credential_pages,
    registry_pages,
    gateway_pages,
    registry,
    maintenance,
    operator_thresholds,
)
_ROUTERS = tuple(module.router for module in (health, home, *_OBSERVA, *_CUIDA, *_PARTICIPA, *_OPERATOR))


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
    for router in _ROUTERS:
        portal.serves(route for route in router.routes if isinstance(route, APIRoute))
        app.include_router(router, dependencies=[Depends(known_parameters), Depends(known_district)])
    if deps.webhook is not None:
        app.include_router(webhook.routes(deps.webhook))
    app.include_router(static_files.routes(portal.static))
    app.state.board = portal.board
    # The last one added is the outermost.
    app.add_middleware(RouteNote)
    app.add_middleware(Compress)
    app.add_middleware(Guard, options=deps.options)
    app.add_middleware(Meter, metrics=deps.metrics)
    return app
