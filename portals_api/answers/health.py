"""Whether the process lives and is ready."""

from pydantic import BaseModel

from portals_api.answers.shape import shown_by


class LiveOut(BaseModel):
    """The process runs."""

    model_config = shown_by({"status": "live"})

    status: str


class ReadyOut(BaseModel):
    """Every engine answers."""

    model_config = shown_by({"status": "ready", "checks": {"database": "ok", "log": "ok"}})

    status: str
    checks: dict[str, str]
