"""The registry is changed, imported and published by one at a time, over all processes."""

from storage.pool import Connection

_REGISTRY = 7_201_001
"""Any number that nobody else uses."""


async def hold_registry(connection: Connection) -> None:
    """Wait until nobody else changes the registry, and hold it until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_REGISTRY,))
