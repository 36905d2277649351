"""Reads bodies: JSON or a form, nothing else, nothing deep."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

B = TypeVar("B", bound=BaseModel)

FORM = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_FIELDS_MAX = 20


def content_type(request: Request) -> str:
    """Return the media type without its parameters."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


async def read_form(request: Request, *, fields_max: int = _FIELDS_MAX) -> dict[str, str]:
    """Return the text fields of a form, `fields_max` at most.

    Raises
    ------
    HTTPException
        415 not a form; 400 a field twice, or a file.
    """
    if content_type(request) not in FORM:
        raise HTTPException(415, "send a form, or application/json to the address under /api/v1/")
    async with request.form(max_files=0, max_fields=fields_max) as form:
        fields: dict[str, str] = {}
        for name, value in form.multi_items():
            if not isinstance(value, str) or name in fields:
                raise HTTPException(400, f"the field {name[:40]!r} must come once, as text")
            fields[name] = value
        return fields


async def read_json(request: Request) -> dict[str, Any]:
    """Return a JSON object.

    Raises
    ------
    HTTPException
        400 not JSON, or not an object.
    """
    try:
        body = json.loads(await request.body(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise HTTPException(400, "the body is not JSON") from exc
    if not isinstance(body, dict):
        raise HTTPException(400, "the body must be one JSON object")
    return body


def checked(kind: type[B], fields: Mapping[str, Any]) -> B:
    """Return what a body says, by its model.

    Raises
    ------
    RequestValidationError
        It does not fit: 422.
    """
    try:
        return kind.model_validate(fields)
    except ValidationError as exc:
        raise RequestValidationError(exc.errors(include_url=False, include_input=False)) from exc


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
