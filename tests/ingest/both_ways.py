"""Messages of every shape, and the fast door held against the slow way that is its oracle."""

import json
import random
from collections.abc import Sequence

from city.registry import IngestRegistry, KnownDevice, SeriesTarget
from city.topics import readings_topic
from ingest.door import Door
from ingest.intake import Intake
from ingest.message import Message
from ingest.meta import FlushOptions
from ingest.records import Flush
from tests.ingest.world import METRICS, registry

NOW = 1_795_456_800_001_234
OPTIONS = FlushOptions(12, 2, 1 << 20)
SMALL = FlushOptions(12, 2, 20_000)
"""A log of small records: what goes into one must be divided."""

_WHOLE = ["0", "7", "42", "100", "4999"]
_ODD_NUMBERS = [
    *("-0", "-0.0", "0.0", "1e2", "1.5E+1", "2e-3", "1e22", "1e-22", "1e23", "1e-23", "0.1e1", "12345.6789e-3"),
    *("9007199254740992", "9007199254740993", "0.1000000000000000055", "123456789012345678901", "1e400", "1e-400"),
    *("01", "1.", "-", ".5", "1e", "1e+", "+1", "--1", "0x1", "null", "true", '"1"', "NaN", "Infinity", "[1]", "{}"),
]
_ODD_TIMES = [
    *("0", "-1", "1.5", "5.0", "1e3", "null", "253402300799999", "253402300800000", "9007199254740993"),
    *("978307199", "978307200", "1795456800", "7258118399", "7258118400"),
    *('"1969-12-31T23:59:59Z"', '"2000-02-29T00:00:00Z"', '"2100-02-29T00:00:00Z"', '"1970-01-01T00:30:00+01:00"'),
    *('"2026-11-23T23:59:60Z"', '"2026-11-23 18:00:00Z"', '"2026-11-23T18:00:00z"', '"2026-11-23T18:00:00"', '""'),
]


def known() -> IngestRegistry:
    """Return the registry of `world`, and devices whose values come in another unit, or as words that are numbers."""
    plain = registry()
    targets = {name: SeriesTarget(900, 3, low, high, 0.1, 0.5) for name, (low, high) in METRICS.items()}
    targets["n"] = SeriesTarget(901, 4, 0.0, 1e6, scale=1000.0)
    targets["Power, W"] = SeriesTarget(902, 3, 0.0, 1e6)
    words = {
        name: SeriesTarget(905, 3, low, high, values={"0": 5.0, "42": high}) for name, (low, high) in METRICS.items()
    }
    far = {name: SeriesTarget(910, 11, low, high) for name, (low, high) in METRICS.items()}
    devices = {
        **plain.devices,
        "S-1": KnownDevice("S-1", "G-1", targets),
        "S 1": KnownDevice("S-2", "G-1", targets),
        "W-1": KnownDevice("W-1", "G-1", words),
        # Only the slow way knows such a name, and nothing else goes to its partition.
        "Far away": KnownDevice("F-1", "G-1", far),
    }
    return IngestRegistry(plain.gateways, devices, 1)


DOOR = Door(known())


def agree(messages: Sequence[Message], options: FlushOptions = OPTIONS, door: Door = DOOR) -> int:
    """Assert that both ways make the same of a flush, to the last byte; return how many messages went the fast way."""
    oracle = Flush(door.registry, NOW, options)
    for message in messages:
        oracle.add(message.topic, message.payload, retained=message.retained)
    intake = Intake.of(messages)
    flush = door.read(intake, NOW, options)
    for index in flush.left:
        flush.add(index, intake.topic(index), intake.payload(index), retained=intake.retained(index))
    assert flush.records() == oracle.records()
    assert flush.readings == oracle.readings
    assert flush.times_of_receipt == oracle.times_of_receipt
    assert flush.quarantined == oracle.quarantined
    return len(messages) - len(flush.left)


def message(payload: bytes, gateway: str = "G-1", *, retained: bool = False) -> Message:
    """Return a message on a gateway's topic of readings."""
    return Message(readings_topic(gateway), payload, 1, 1, 1, retained)


class Writer:
    """Writes messages by chance, the same for the same seed; with `oddness` 0 all are of forms that gateways send."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def flush(self) -> list[Message]:
        """Return messages that are received together, of one mixture of good and bad."""
        share = self._chance.choice([0.0, 0.05, 0.5, 1.0])
        return [self.message(share) for _ in range(self._chance.randint(1, 60))]

    def message(self, share: float) -> Message:
        """Return a message that is odd with a probability of `share`."""
        chance = self._chance
        odd = chance.random() < share
        gateway = chance.choice(["G-1", "G-2", "G-9"]) if odd else "G-1"
        payload = self._payload(odd).encode()
        if odd and chance.random() < 0.4:
            payload = self._twisted(payload)
        return message(payload, gateway, retained=odd and chance.random() < 0.05)

    def _payload(self, odd: bool) -> str:
        members = self._header(odd)
        if self._chance.random() < 0.6:
            members += self._members(odd)
        else:
            count = self._chance.randint(0 if odd else 1, 4)
            objects = (self._space() + ",").join(self._written(self._members(odd)) for _ in range(count))
            members.append(f'"readings":{self._space()}[{self._space()}{objects}{self._space()}]')
        return self._space() + self._written(members) + self._space()

    def _header(self, odd: bool) -> list[str]:
        chance = self._chance
        members = []
        if chance.random() < 0.7:
            members.append(f'"n":{chance.choice([chance.randint(0, 40), chance.randint(0, 2**53 - 1)])}')
        if chance.random() < 0.3:
            members.append(f'"epoch":"{chance.choice(["a", "b.c:1_-", ""] + ["x y", "ñ"] * odd)}"')
        if chance.random() < 0.3:
            members.append(f'"sent_at":{self._time(odd)}')
        return members

    def _members(self, odd: bool) -> list[str]:
        chance = self._chance
        device = chance.choice(
            ["D-0", "D-3", "S-1"] + ["W-1", "D-1", "D-99", "S 1", "Far away", "", "D-0\\u0020"] * odd
        )
        members = [f'"device":{self._space()}"{device}"'] if not odd or chance.random() < 0.9 else []
        if chance.random() < 0.8:
            members.append(f'"at":{self._space()}{self._time(odd)}')
        names = [*METRICS, *(["n", "Power, W", "unknown_w", "é", "at"] * odd)]
        for name in chance.sample(names, chance.randint(1, 3)):
            members.append(f'"{name}"{self._space()}:{self._space()}{self._number(odd)}')
        if odd and chance.random() < 0.1:
            members.append(chance.choice(members))
        return members

    def _number(self, odd: bool) -> str:
        chance = self._chance
        if odd and chance.random() < 0.3:
            return chance.choice(_ODD_NUMBERS)
        return chance.choice([chance.choice(_WHOLE[:4]), f"{chance.uniform(0, 100):.{chance.randint(1, 12)}f}"])

    def _time(self, odd: bool) -> str:
        chance = self._chance
        if odd and chance.random() < 0.3:
            return chance.choice(_ODD_TIMES)
        if chance.random() < 0.5:
            return str(NOW // 1000 + chance.randint(-(10**9), 600_000))
        limits = (13, 32, 24, 60, 61) if odd else (12, 28, 23, 59, 59)
        month, day, hour, minute, second = (chance.randint(0 if odd else 1, limit) for limit in limits)
        fraction = chance.choice(["", ".1", ".123456", ".123456789", *([".", ".1234567890"] * odd)])
        zone = chance.choice(["Z", "+01:00", "-23:59", "-00:00", *(["+24:00", "z", "", "+0100"] * odd)])
        return json.dumps(f"2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}")

    def _written(self, members: list[str]) -> str:
        if self._chance.random() < 0.5:
            self._chance.shuffle(members)
        between = self._space() + "," + self._space()
        return "{" + self._space() + between.join(members) + self._space() + "}"

    def _space(self) -> str:
        return self._chance.choice(["", "", "", " ", "\n", "\t ", "\r"])

    def _twisted(self, payload: bytes) -> bytes:
        chance = self._chance
        twisted = bytearray(payload)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(twisted) or 1)
            match chance.randrange(3):
                case 0 if twisted:
                    twisted[place] = chance.randrange(256)
                case 1 if twisted:
                    del twisted[place]
                case _:
                    twisted.insert(place, chance.choice(b'{}[]",:\\ 0123456789.eE-+'))
        return bytes(twisted)


def run(seed: int, flushes: int) -> tuple[int, int]:
    """Hold both ways together for so many flushes; return messages, and how many went the fast way."""
    writer = Writer(seed)
    count = fast = 0
    for number in range(flushes):
        messages = writer.flush()
        count += len(messages)
        fast += agree(messages, SMALL if number % 3 == 0 else OPTIONS)
    return count, fast
