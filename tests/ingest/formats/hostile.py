"""Payloads that mean harm, for every parser: whatever comes, it is read, refused or set aside with a reason."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from city.integration import Origin
from ingest.formats import ParsedMessage, Unreadable
from ingest.formats.parsed import KEYS_MAX, NAME_CHARACTERS_MAX, OBJECTS_MAX

Parse = Callable[[Origin, bytes], ParsedMessage]

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([2**63, 10**400, -1, 255, "AXU=", "2026-11-23T18:00:00Z", "", "x" * 300, "NaN", "\ud800", "\x00"])
    | st.text(max_size=20)
)


def values(keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Return JSON values whose objects have some of these keys."""
    return st.recursive(
        _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6), max_leaves=25
    )


def bodies(keys: tuple[str, ...]) -> st.SearchStrategy[bytes]:
    """Return bodies that hold a format's own keys at the right and the wrong places, and bytes of any kind."""
    names = st.sampled_from(keys) | st.text(max_size=10)
    told = st.dictionaries(names, values(names), max_size=10).map(lambda body: json.dumps(body).encode())
    return told | st.binary(max_size=200)


def mutated(payload: bytes) -> st.SearchStrategy[bytes]:
    """Return a message with some of its bytes changed, lost or doubled."""

    def change(cuts: list[tuple[int, int, bytes]]) -> bytes:
        changed = payload
        for start, length, more in cuts:
            place = start % (len(changed) + 1)
            changed = changed[:place] + more + changed[place + length :]
        return changed

    cut = st.tuples(st.integers(0, len(payload)), st.integers(0, 12), st.binary(max_size=6))
    return st.lists(cut, min_size=1, max_size=6).map(change)


def assert_sound(parse: Parse, origin: Origin, payload: bytes) -> None:
    """Read a message twice: the same comes out, within bounds, or a reason."""
    try:
        message = parse(origin, payload)
    except Unreadable as exc:
        why = f"{exc.reason}: {exc.detail}"
        assert why.encode("utf-8", "strict")
        return
    assert repr(parse(origin, payload)) == repr(message)
    assert len(message.objects) <= OBJECTS_MAX
    for item in message.objects:
        assert 0 < len(item.device) <= 2 * NAME_CHARACTERS_MAX + 1
        assert item.readings
        assert len(item.readings) <= max(KEYS_MAX, 1)
        for name, value in item.readings.items():
            assert 0 < len(name) <= NAME_CHARACTERS_MAX
            assert isinstance(value, str) or -1.8e308 < value < 1.8e308
        assert item.at_us is None or isinstance(item.at_us, int)
    assert message.number is None or 0 <= message.number < 2**63
    assert len(message.epoch) <= 64
    for refusal in message.refused.values():
        assert refusal.only
        assert json.dumps(refusal.only).encode("utf-8", "strict")
