"""`citynerve thresholds`: what verdicts say of the city's thresholds. Nothing is changed."""

from typing import Any

from app import wiring
from app.settings import Settings
from observatory.verdict_read import threshold_proposals
from portals_api.operator.threshold_rows import proposal_row


async def list_proposals(settings: Settings) -> list[dict[str, Any]]:
    """Return a row for each threshold that verdicts can speak of."""
    async with wiring.pool(wiring.database_url(settings)) as pool:
        return [proposal_row(one) for one in await threshold_proposals(pool)]
