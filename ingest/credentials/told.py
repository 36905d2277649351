"""A credential as command line and API tell of it: stable names, nothing secret."""

from typing import Any

from city.clock import isoformat
from ingest.credentials.model import Credential
from ingest.credentials.store import Issued


def told(credential: Credential, now_us: int) -> dict[str, Any]:
    """Return a credential for programs; times in RFC 3339, None where there is none."""
    return {
        "id": credential.credential_id,
        "gateway": credential.gateway_id,
        "login": credential.login,
        "kind": credential.kind,
        "state": str(credential.state(now_us)),
        "publish": list(credential.publish),
        "read": list(credential.read),
        "serial": credential.serial or None,
        "created_at": _at(credential.created_at),
        "created_by": credential.created_by,
        "expires_at": _at(credential.expires_at),
        "revoked_at": _at(credential.revoked_at),
        "in_force_at": _at(credential.in_force_at(now_us)),
    }


def told_once(issued: Issued, now_us: int) -> dict[str, Any]:
    """Return a new credential with its password: the only time that it is told."""
    return told(issued.credential, now_us) | {"password": issued.password}


def _at(at_us: int | None) -> str | None:
    return None if at_us is None else isoformat(at_us - at_us % 1_000_000)
