"""Payloads that nobody can take: cut, twisted and random, each of them whole a dead letter."""

import random

from city.integration import Origin
from ingest.formats import Unreadable, native
from tests.ingest.world import reading

TOPIC = Origin("citynerve/v1/G-1/readings", "readings", "G-1", {})


def payloads(count: int, seed: int) -> list[bytes]:
    """Return `count` unreadable payloads, the same for the same seed."""
    chance = random.Random(seed)
    found: list[bytes] = []
    while len(found) < count:
        payload = _twist(chance, reading(chance.randrange(1000), chance.randrange(12)))
        try:
            native.parse(TOPIC, payload)
        except Unreadable:
            found.append(payload)
    return found


def _twist(chance: random.Random, payload: bytes) -> bytes:
    match chance.randrange(8):
        case 0:
            return payload[: chance.randrange(len(payload))]
        case 1:
            return chance.randbytes(chance.randrange(200))
        case 2:
            return payload.replace(b"{", b"[" * chance.randrange(1, 300), 1)
        case 3:
            return payload.replace(b'"n": ', b'"n": -', 1)
        case 4:
            return b"\xef\xbb\xbf" + payload
        case 5:
            return payload.replace(b"active_power_w", b"at")
        case 6:
            return payload.replace(b"}", b', "x": NaN}')
        case _:
            position = chance.randrange(len(payload))
            return payload[:position] + bytes([chance.randrange(256)]) + payload[position + 1 :]
