"""What every format's test asks beside its own: reasons that are documented, and replay after a cause is mended."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from city.integration import Integration, Routes
from city.registry import IngestRegistry, KnownDevice, SeriesTarget
from ingest.meta import FlushOptions
from ingest.records import Flush
from ingest.replay import resolve_letter
from stream import codec
from stream.codec import DeadLetter

DOCS = Path(__file__).parents[3] / "docs" / "formats"
RECEIVED_AT = 1_795_456_800_000_000


def undocumented(page: str, *modules: ModuleType) -> set[str]:
    """Return reasons for which something is set aside and that neither the format's page nor the native one names."""
    text = (DOCS / f"{page}.md").read_text() + (DOCS / "native.md").read_text()
    reasons: set[str] = set()
    for module in modules:
        source = Path(str(module.__file__)).read_text()
        reasons |= set(re.findall(r'(?:Unreadable|refuse|refuse_all)\(\s*(?:message,\s*)?"([a-z-]+)"', source))
    assert reasons
    return {reason for reason in reasons if f"`{reason}`" not in text}


def replayed(
    name: str,
    payload: bytes,
    address: str,
    units: dict[str, str],
    topic: str = "",
    integrations: tuple[Integration, ...] = (),
) -> list[tuple[int, float]]:
    """Send a message of a device that nobody knows, then replay its letter once it is known.

    Parameters
    ----------
    units : dict
        Name of each value on the wire → unit of its metric.

    Returns
    -------
    list of (int, float)
        When observed, µs UTC, and value of what comes of it.
    """
    before = IngestRegistry({"G-1": 1}, {}, 1, Routes(integrations))
    flush = Flush(before, RECEIVED_AT, FlushOptions(12, 2, 1 << 20))
    flush.add(topic or f"citynerve/v1/G-1/{name}", payload)
    assert flush.quarantined == {"unknown-device": pytest.approx(len(flush.aside.letters), abs=1000)}
    assert flush.rows == {}
    targets = {
        value: SeriesTarget(number, 0, -1e12, 1e12, unit=unit) for number, (value, unit) in enumerate(units.items())
    }
    after = IngestRegistry({"G-1": 1}, {address: KnownDevice("D-1", "G-1", targets)}, 2, Routes(integrations))
    found: list[tuple[int, float]] = []
    for letter in flush.aside.letters:
        resolution = resolve_letter(codec.decode(DeadLetter, letter.value), after)
        assert resolution.still_bad == ()
        for batch in resolution.readings.values():
            found += zip(batch.observed_at.tolist(), batch.value.tolist(), strict=True)
    return found
