"""Credentials at the broker, as operators see them: nothing secret but in the one answer that makes a password."""

from typing import Any

from pydantic import BaseModel

from portals_api.answers.shape import AT, shown_by

CREDENTIAL: dict[str, Any] = {
    "id": 7,
    "gateway": "GW-01",
    "login": "GW-01~2",
    "kind": "password",
    "state": "valid",
    "publish": ["citynerve/v1/GW-01/+"],
    "read": [],
    "serial": None,
    "created_at": AT,
    "created_by": "operator",
    "expires_at": None,
    "revoked_at": None,
    "in_force_at": AT,
}
EVENT = {"kind": "created", "actor": "operator", "at": AT, "detail": {"kind": "password"}}
PASSWORD = "0f" * 24


class CredentialOut(BaseModel):
    """A login (`kind` password) or a certificate; `state` is valid, ended or revoked; times are the machine's.

    `in_force_at` is when the broker was told of its last change or end; null while that is on its way there. Mosquitto
    is told of certificates by lists (`citynerve ca list`), never so.
    """

    model_config = shown_by(CREDENTIAL)

    id: int
    gateway: str
    login: str
    kind: str
    state: str
    publish: list[str]
    read: list[str]
    serial: str | None
    created_at: str
    created_by: str
    expires_at: str | None
    revoked_at: str | None
    in_force_at: str | None


class CredentialPageOut(BaseModel):
    """One page, the newest first."""

    model_config = shown_by({"items": [CREDENTIAL], "next": None})

    items: list[CredentialOut]
    next: str | None


class CredentialEventOut(BaseModel):
    """What happened to a credential: created, replaced, topics, revoked."""

    model_config = shown_by(EVENT)

    kind: str
    actor: str
    at: str
    detail: dict[str, Any]


class CredentialWhole(CredentialOut):
    """A credential with its history."""

    model_config = shown_by({**CREDENTIAL, "events": [EVENT]})

    events: list[CredentialEventOut]


class CredentialNew(CredentialOut):
    """A new login with its password, which no other answer ever holds."""

    model_config = shown_by({**CREDENTIAL, "in_force_at": None, "password": PASSWORD})

    password: str


class RotatedOut(BaseModel):
    """The new login with its password, and the old one with the moment at which it ends."""

    model_config = shown_by(
        {
            "new": {**CREDENTIAL, "in_force_at": None, "password": PASSWORD},
            "old": {**CREDENTIAL, "in_force_at": None, "id": 3, "login": "GW-01", "expires_at": AT},
        }
    )

    new: CredentialNew
    old: CredentialOut
