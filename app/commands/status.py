"""`citynerve status`: what a person wants to know at a glance."""

from pathlib import Path
from typing import Any

from app import wiring
from app.settings import Settings
from city.clock import isoformat
from storage import queries
from storage.pool import fetch_all
from stream.standing import read_standings

_SQL = queries.load(Path(__file__).with_suffix(".sql"))


async def read_status(settings: Settings) -> dict[str, Any]:
    """Return city time, how far each worker is behind the log, the ledger's sums, and what waits.

    Raises
    ------
    EngineError
        Database or log do not answer.
    """
    async with wiring.pool(wiring.database_url(settings)) as pool, wiring.log(settings, pool) as log:
        clock = await wiring.clock(pool)
        workers = await read_standings(pool, log)
        ((appended, stored, duplicate, conflicting, quarantined),) = await fetch_all(pool, _SQL.ledger)
        ((tickets_open,),) = await fetch_all(pool, _SQL.tickets_open)
        ((dead_letters,),) = await fetch_all(pool, _SQL.dead_letters)
    return {
        "city_time": isoformat(clock.now_us())[:19],
        "workers": [one._asdict() for one in workers],
        "ledger": {
            "appended": appended,
            "stored": stored,
            "duplicate": duplicate,
            "conflicting": conflicting,
            "quarantined": quarantined,
            "in_flight": appended - stored - duplicate - conflicting - quarantined,
        },
        "tickets_open": tickets_open,
        "dead_letters": dead_letters,
    }
