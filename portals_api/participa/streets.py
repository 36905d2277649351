"""Streets by the name that stands in an address: `Calle de la Playa` is `calle-de-la-playa`."""

import re
import time
import zlib
from pathlib import Path

from portals_api.i18n import plain_text
from portals_api.rows import rows
from storage import queries
from storage.pool import Pool

_SQL = queries.load(Path(__file__).with_suffix(".sql"))

_KEEP_S = 60.0


def slug(street: str) -> str:
    """Return a street's name for an address: letters, digits, hyphens; a checksum where it has no Latin letter."""
    text = re.sub(r"[^a-z0-9]+", "-", plain_text(street)).strip("-")[:60].strip("-")
    return text or f"street-{zlib.crc32(street.encode()):08x}"


class Streets:
    """The streets that have lamps, read at most once a minute."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._read_at = -_KEEP_S
        self._names: dict[str, list[str]] = {}

    async def by_slug(self) -> dict[str, list[str]]:
        """Return the names behind each slug: several where only accents tell them apart.

        Raises
        ------
        EngineError
            The database did not answer.
        """
        if time.monotonic() - self._read_at >= _KEEP_S or not self._names:
            names: dict[str, list[str]] = {}
            for row in await rows(self._pool, _SQL.streets):
                names.setdefault(slug(row["street"]), []).append(row["street"])
            self._names = {key: sorted(found) for key, found in sorted(names.items())}
            self._read_at = time.monotonic()
        return self._names

    async def like(self, text: str, limit: int) -> list[tuple[str, str]]:
        """Return (slug, name) of streets whose name holds all words of `text`, without regard to accents."""
        words = plain_text(text).split()
        found = []
        for key, names in (await self.by_slug()).items():
            if all(word in plain_text(names[0]) for word in words):
                found.append((key, names[0]))
            if len(found) == limit:
                break
        return found
