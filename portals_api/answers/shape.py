"""The shape of errors, and how an answer carries its example."""

from typing import Any

from pydantic import BaseModel, ConfigDict

SAID = {
    400: "`next` is no cursor of this list, or the body cannot be read",
    401: "For operators: the key as `Authorization: Bearer`, or a sign-in",
    403: "Not for you, or sent from another site",
    404: "There is none of that name, or not for this viewer",
    409: "It has changed meanwhile",
    413: "The body is too large",
    415: "This kind of body is not taken",
    422: "A parameter or a field makes no sense",
    429: "Too many from one address; see Retry-After",
    503: "The database does not answer; see Retry-After",
}
"""What each error means, for the description."""


def shown_by(example: dict[str, Any]) -> ConfigDict:
    """Return what a model says of itself: no field but its own, and this example."""
    return ConfigDict(extra="forbid", json_schema_extra={"example": example})


def example_of(model: type[BaseModel]) -> Any:
    """Return the example of a model; None if it has none."""
    told = model.model_config.get("json_schema_extra")
    return told.get("example") if isinstance(told, dict) else None


AT = "2026-11-24T18:15:00Z"
ERROR = {"error": {"code": "not-found", "message": "there is no lamp 'L-9'", "status": 404}}


class ErrorDetail(BaseModel):
    """What went wrong, for programs (`code`) and for people (`message`)."""

    model_config = shown_by(ERROR["error"])

    code: str
    message: str
    status: int


class ErrorOut(BaseModel):
    """The one shape of every error."""

    model_config = shown_by(ERROR)

    error: ErrorDetail
