"""Which readings of a message a replay takes: of newcomers one after the other, nothing twice and nothing lost."""

import base64
import json
from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from city.registry import KnownDevice
from city.topics import readings_topic
from ingest.bundle import Bundled, bundle_topic, pack
from ingest.chosen import asked_of, leave_others
from ingest.formats import ParsedMessage
from ingest.formats.parsed import ParsedObject, RawObject
from ingest.replay import resolve_letter
from stream.codec import DeadLetter
from stream.redelivery import Resolution
from tests.ingest.world import registry

NOW = 1_795_456_800_000_000
REGISTRY = registry()
DEVICES = ["D-0", "D-3", "D-6", "D-9"]
"""All of G-1's."""
NAMES = st.sampled_from([*DEVICES, "D-1", "nobody"])
MESSAGES = st.lists(st.lists(st.tuples(NAMES, st.booleans()), max_size=4), min_size=1, max_size=5)


def letter_of(messages: list[list[tuple[str, bool]]]) -> DeadLetter:
    """Return a bundle; each of its readings has a value of its own, or none that is a number."""
    bundled, value = [], 0
    for message in messages:
        objects: list[dict[str, Any]] = []
        for device, sound in message:
            value += 1
            power = value if sound else float("nan")
            objects.append(
                {"device": device, "at": NOW // 1000 + value, "active_power_w": power, "dimming_level_pct": 1}
            )
        bundled.append(Bundled(readings_topic("G-1"), json.dumps({"readings": objects}).encode(), False))
    bundled.append(Bundled(readings_topic("G-1"), b"{", False))
    ((packed, count),) = pack(bundled, 1_000_000)
    return DeadLetter("isolated", "why", bundle_topic("G-1"), base64.b64encode(packed).decode(), "G-1", NOW, count)


def readings_of(found: Resolution) -> Counter[tuple[int, int, float]]:
    return Counter(
        (series, at, value)
        for batch in found.readings.values()
        for series, at, value in zip(
            batch.series_id.tolist(), batch.observed_at.tolist(), batch.value.tolist(), strict=True
        )
    )


@given(MESSAGES, st.lists(st.sets(st.sampled_from(DEVICES)), max_size=4))
def test_newcomers_one_after_the_other_and_the_rest_at_last_are_all_of_a_bundle(
    messages: list[list[tuple[str, bool]]], waves: list[set[str]]
) -> None:
    letter = letter_of(messages)
    whole = resolve_letter(letter, REGISTRY)
    came: Counter[tuple[int, int, float]] = Counter()
    known: set[str] = set()
    for wave in waves:
        known |= wave
        found = resolve_letter(letter, REGISTRY, newcomers=known)
        assert (found.reason, found.devices) == ("isolated", None), "the broken message stays in any case"
        fresh = readings_of(found)
        series = {target.series_id for device in known for target in REGISTRY.devices[device].targets.values()}
        assert {one[0] for one in fresh} <= series
        came += fresh
        letter = replace(letter, only=found.still_bad or letter.only, detail=found.detail)
    rest = resolve_letter(letter, REGISTRY)
    assert came + readings_of(rest) == readings_of(whole)
    assert max((came + readings_of(rest)).values(), default=1) == 1


def test_a_part_and_bytes_are_of_the_device_that_they_are_registered_as() -> None:
    def message() -> ParsedMessage:
        parts = [ParsedObject(0, "D-0", NOW, {"p": 1.0}, part=part) for part in ("1", "2")]
        return ParsedMessage(parts, raw=[RawObject(1, "D-0", NOW, 1, b"a"), RawObject(2, "D-3", NOW, 1, b"b")])

    part = KnownDevice("part", "G-1", {})
    known = replace(REGISTRY, devices={**REGISTRY.devices, "D-0/1": part})
    taken = message()
    assert leave_others(taken, known, {"part"}) == ((0, "p"), (1, ""), (2, ""))
    assert ([one.part for one in taken.objects], taken.raw) == (["1"], [])
    taken = message()
    assert leave_others(taken, known, {"D-0"}) == ((0, "p"), (2, ""))
    assert ([one.part for one in taken.objects], [one.position for one in taken.raw]) == (["2"], [1])
    others = ((0, "p"), (3, "q"), (4, "r"))
    assert asked_of(others, ((0, "p"), (3, ""), (4, "s"))) == ((0, "p"), (3, "")), "as a letter names them"
