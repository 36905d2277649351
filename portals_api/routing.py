"""What plain routers share: the portal behind a request, and how an operation is documented."""

from difflib import get_close_matches
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from city.errors import DataError
from city.topics import is_name
from portals_api import reads
from portals_api.answers.shape import SAID, ErrorOut, example_of
from portals_api.portal import Portal

API = "/api/"
_ALWAYS = (422, 503)


async def portal_of(request: Request) -> Portal:
    """Return the portal that the application was built over."""
    found: Portal = request.app.state.portal
    return found


PortalDep = Annotated[Portal, Depends(portal_of)]


def parameters_of(dependant: Dependant) -> set[str]:
    """Return the names of the query parameters that a route takes, by itself and by what it depends on."""
    found = {field.alias for field in dependant.query_params}
    return found.union(*(parameters_of(one) for one in dependant.dependencies))


async def known_parameters(request: Request) -> None:
    """Refuse a query that the API does not know: a filter misspelt would answer with everything.

    Raises
    ------
    DataError
        A parameter that the route does not take.
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not route.path.startswith(API):
        return
    known = parameters_of(route.dependant)
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        name = unknown[0][:64]
        near = get_close_matches(name.lower(), known, 1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
        raise DataError(f"{name!r} is no parameter of {route.path}: {meant}{takes}")


async def known_district(request: Request, portal: PortalDep) -> None:
    """Refuse a district that the city does not have, wherever one may be asked for.

    Raises
    ------
    NotFoundError
        There is none of that name.
    """
    route, district = request.scope.get("route"), request.query_params.get("district", "")
    takes_one = isinstance(route, APIRoute) and "district" in parameters_of(route.dependant)
    if takes_one and is_name(district):  # What is no name at all, the parameter itself refuses.
        await reads.demand_district(portal.pool, district)


def documented(model: type[BaseModel], *errors: int, status: int = 200) -> dict[str, Any]:
    """Return what a route says of its answers: their shape with an example, and the errors with theirs.

    Answers are rows of ours and are not checked again on their way out; a test holds them against the models.
    """
    responses: dict[int | str, dict[str, Any]] = {status: _answer(model, "As asked")}
    for error in sorted({*errors, *_ALWAYS}):
        responses[error] = _answer(ErrorOut, SAID[error])
    return {"response_model": None, "responses": responses, "status_code": status}


def _answer(model: type[BaseModel], description: str) -> dict[str, Any]:
    content = {"application/json": {"example": example_of(model)}}
    return {"model": model, "description": description, "content": content}
