"""What every parser of a format must stand: any bytes, any JSON, its own examples with something wrong in them."""

import json
import math
import random
import re
import time
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from city.integration import Origin
from ingest.formats import ParsedMessage, Unreadable
from ingest.formats.parsed import KEYS_MAX, NAME_CHARACTERS_MAX

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)

Parse = Callable[[Origin, bytes], ParsedMessage]


def assert_read_or_refused(parse: Parse, origin: Origin, payload: bytes) -> ParsedMessage | None:
    """Parse; whatever the bytes, what passes is clean, what does not is refused with a reason."""
    refused: Unreadable | None = None
    try:
        message = parse(origin, payload)
    except Unreadable as exc:
        refused = exc
    if refused is not None:
        assert re.fullmatch(r"[a-z-]+", refused.reason)
        assert refused.detail.isprintable()
        assert len(refused.detail) < 500
        return None
    for item in message.objects:
        assert item.readings
        assert len(item.readings) <= 2 * KEYS_MAX
        assert is_clean(item.device)
        assert item.at_us is None or abs(item.at_us) < 2**62
        assert abs(item.since_receipt_us) < 2**62
        for name, value in item.readings.items():
            assert is_clean(name)
            assert isinstance(value, str) or (type(value) in (int, float, bool) and math.isfinite(float(value)))
        assert item.units.keys() <= item.readings.keys()
    for reason, refusal in message.refused.items():
        assert re.fullmatch(r"[a-z-]+", reason)
        assert refusal.detail.isprintable()
        assert len(refusal.detail) < 700
        assert all(len(name) <= NAME_CHARACTERS_MAX for _, name in refusal.only)
    return message


def bodies(*keys: str) -> st.SearchStrategy[bytes]:
    """Return objects that hold a format's own keys at the right and the wrong places, with values of any kind."""
    names = st.sampled_from(keys) | st.text(max_size=8)
    plausible = st.sampled_from([2**63, 10**400, -1, 255, "AXU=", "2026-11-23T18:00:00Z", "x" * 300, "NaN"])
    values = st.recursive(
        SCALARS | plausible,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
        max_leaves=25,
    )
    return st.dictionaries(names, values, max_size=10).map(lambda body: json.dumps(body).encode())


def is_clean(name: str) -> bool:
    return 0 < len(name) <= NAME_CHARACTERS_MAX and name.isprintable()


def mutated(payload: bytes, seed: int) -> bytes:
    """Return a payload with a few bytes changed, cut out or repeated."""
    dice = random.Random(seed)
    data = bytearray(payload)
    for _ in range(dice.randint(1, 4)):
        if not data:
            break
        at = dice.randrange(len(data))
        match dice.randrange(4):
            case 0:
                data[at] = dice.randrange(256)
            case 1:
                del data[at : at + dice.randint(1, 8)]
            case 2:
                data[at:at] = data[at : at + dice.randint(1, 16)]
            case _:
                data[at:at] = dice.choice([b'"', b"{", b"[", b"null", b"1e999", b"-", b",", b"\\u0000", b"\xff"])
    return bytes(data)


def seconds(parse: Parse, origin: Origin, payload: bytes) -> float:
    """Return the CPU time that a parser takes over a payload that means ill."""
    started = time.process_time()
    assert_read_or_refused(parse, origin, payload)
    return time.process_time() - started


def heavy(item: Any) -> list[bytes]:
    """Return payloads of nearly 256 KiB that are dear to careless readers; `item` is an object of the format."""
    room = 250_000
    one = json.dumps(item)
    return [
        b"[" * room,
        b'{"a":' * (room // 5),
        b'[{"a":' * (room // 6),
        ("[" + ",".join([one] * (room // (len(one) + 1))) + "]").encode(),
        ("{" + ",".join(f'"k{n}":{n}' for n in range(room // 14)) + "}").encode(),
        b'{"' + b"n" * room + b'":1}',
        b'[{"n":"' + b"x" * room + b'","v":1}]',
        b'{"a":' + b"9" * room + b"}",
        b'{"a":"' + b"\\u0041" * (room // 6) + b'"}',
        b'{"a":[' + b"{}," * (room // 3) + b"1]}",
    ]
