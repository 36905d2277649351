"""What calls for an operator, at one glance: who is isolated or unknown, what waits, what was lost, who lags."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from city.clock import HOUR_US, from_datetime, isoformat
from ingest.bundle import ISOLATED
from ingest.drops import read_drops
from portals_api.observa.ledger_rows import death_of, query_of
from portals_api.operator import letters, registry_writes
from portals_api.portal import Portal
from portals_api.rows import Row, rows
from storage import queries
from storage.pool import engine_errors
from stream.accounts import read_deaths
from stream.standing import read_standings

_SQL = queries.load(Path(__file__).with_suffix(".sql"))
_SHOWN = 10
_LOOKED_AT = 10_000
_STILL = timedelta(minutes=10)
"""Of city time: whose last message came within it is taken for isolated still."""
_LOSSES_FOR = timedelta(days=7)
_ENDS_WITHIN_DAYS = 14


async def attention(portal: Portal) -> dict[str, Any]:
    """Return all of it, each part empty where nothing calls.

    Raises
    ------
    EngineError
        Database or log do not answer.
    """
    now = portal.now()
    since = isoformat(from_datetime(now - _STILL))
    isolated = await _waiting(portal, ISOLATED)
    for one in isolated:
        one["still"] = one["last_at"] >= since
    unknown = await registry_writes.unknown_of(portal)
    with engine_errors():
        async with portal.pool.connection() as connection:
            lost = await read_drops(connection, from_datetime(now - _LOSSES_FOR))
            died = await read_deaths(connection, query_of(None, now - _LOSSES_FOR, None, None, _SHOWN))
    kept = await rows(portal.pool, _SQL.keeper)
    return {
        "isolated": isolated,
        "unknown": {
            "devices": unknown["devices"][:_SHOWN],
            "gateways": unknown["gateways"][:_SHOWN],
            "device_count": len(unknown["devices"]),
            "gateway_count": len(unknown["gateways"]),
        },
        "letters": await letters.reasons(portal),
        "broker_drops": [{**one._asdict(), "grew_at": isoformat(one.grew_at)} for one in lost],
        "broker_deaths": [{**death_of(d), "hours": (d.back_at - d.last_heard_at) / HOUR_US} for d in died],
        "credentials": {
            "speaking_for_others": await _waiting(portal, "wrong-gateway"),
            "not_told_since": next((one["told_at"] for one in kept if one["late"]), None),
            "to_rotate": [login for one in kept for login in one["to_rotate"]],
            "ending": await rows(portal.pool, _SQL.ending_credentials, days=_ENDS_WITHIN_DAYS, limit=_SHOWN),
        },
        "workers": [one._asdict() for one in await read_standings(portal.pool, portal.deps.log)],
    }


async def _waiting(portal: Portal, reason: str) -> list[Row]:
    return await rows(portal.pool, _SQL.waiting_of_gateways, reason=reason, looked_at=_LOOKED_AT, limit=_SHOWN)
