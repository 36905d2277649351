"""The loop of what looks at an installation every few seconds, beside the work, to set gauges."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from city.errors import CityNerveError

logger = logging.getLogger(__name__)


async def look_until(stop: asyncio.Event, look: Callable[[], Awaitable[None]], every_s: float, what: str) -> None:
    """Look every few seconds until `stop` is set; what does not answer is looked at again."""
    while not stop.is_set():
        try:
            await look()
        except CityNerveError as exc:
            logger.debug("cannot look", extra={"what": what, "reason": str(exc)})
        try:
            await asyncio.wait_for(stop.wait(), every_s)
        except TimeoutError:
            continue
