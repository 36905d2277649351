"""What plain routers share: the portal behind a request, and how an operation is documented."""

from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel

from portals_api.answers import SAID, ErrorOut
from portals_api.portal import Portal

_ALWAYS = (422, 503)


async def portal_of(request: Request) -> Portal:
    """Return the portal that the application was built over."""
    found: Portal = request.app.state.portal
    return found


PortalDep = Annotated[Portal, Depends(portal_of)]


def documented(model: type[BaseModel], *errors: int, status: int = 200) -> dict[str, Any]:
    """Return what a route says of its answers: their shape with an example, and the errors with theirs.

    Answers are rows of ours and are not checked again on their way out; a test holds them against the models.
    """
    responses: dict[int | str, dict[str, Any]] = {status: _answer(model, "As asked")}
    for error in sorted({*errors, *_ALWAYS}):
        responses[error] = _answer(ErrorOut, SAID[error])
    return {"response_model": None, "responses": responses, "status_code": status}


def _answer(model: type[BaseModel], description: str) -> dict[str, Any]:
    example = (model.model_config.get("json_schema_extra") or {})["example"]  # type: ignore[index]
    return {"model": model, "description": description, "content": {"application/json": {"example": example}}}
