"""Whatever gateways send and whenever the world is stopped, the ledger balances, and each message is accounted for."""

import asyncio
import json
import random
from typing import Any

import pytest

from city.clock import DAY_US, MINUTE_US
from city.integration import Origin
from city.registry import IngestRegistry, KnownDevice, SeriesTarget
from city.topics import readings_topic, state_topic
from ingest.door import Door
from ingest.fairness import UNKNOWN
from ingest.formats import Unreadable, native
from ingest.intake import Intake
from ingest.isolation import divide
from ingest.message import Message
from ingest.meta import FlushOptions
from ingest.replay import resolve_letter
from stream.accounts import Balance
from tests.stream.harness import NOON, opened, rows
from tests.stream.test_deadletter import World, build

OPTIONS = FlushOptions(3, 1, 100_000)
LIMITS = {"active_power_w": (-5.0, 5_000.0), "supply_voltage_v": (0.0, 500.0)}
GATEWAYS = {f"G-{number}": number for number in (1, 2, 3)}
AT = NOON + 30 * MINUTE_US
"""Of every receipt, µs UTC."""


def registry(gateways: dict[str, int], *more: str) -> IngestRegistry:
    """Two devices on each gateway, D-0 to D-5, each with two series; `more` are devices of G-1."""
    names = [(f"D-{number}", f"G-{number // 2 + 1}") for number in range(6)] + [(name, "G-1") for name in more]
    devices = {
        name: KnownDevice(
            name,
            gateway,
            {
                metric: SeriesTarget(number * 2 + place + 1, number % 3, *limits)
                for place, (metric, limits) in enumerate(LIMITS.items())
            },
        )
        for number, (name, gateway) in enumerate(names)
    }
    return IngestRegistry(gateways, devices, 1)


TODAY = registry(GATEWAYS)
LATER = registry({**GATEWAYS, "Z-1": 4}, "later")


def readable(body: bytes) -> bool:
    """Tell whether anything of a message can be read."""
    try:
        native.parse(Origin("", "readings", "", {}), body)
    except Unreadable:
        return False
    return True


class Sender:
    """Gateways with every vice, and how many numbered messages each has sent."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.numbers = dict.fromkeys(GATEWAYS, 0)
        self.sent: list[Message] = []

    def message(self) -> Message:
        """Return one message: good, late, early, repeated, contradicting, spoofed, broken, retained or unknown."""
        rng = self.rng
        if self.sent and rng.random() < 0.15:
            return rng.choice(self.sent)  # Again, days later and out of order.
        gateway = rng.choice([*GATEWAYS, "Z-1"])
        match rng.randrange(12):
            case 0:
                return Message(state_topic(gateway), rng.choice((b"online", b"nonsense", b"")), 1, 1, 1)
            case 1:
                topic = rng.choice(("citynerve/v1/a b/readings", "elsewhere", f"citynerve/v1/{gateway}/morse"))
                return Message(topic, b"{}", 1, 1, 1)
        body = json.dumps({"readings": [self.reading(gateway) for _ in range(rng.choice((1, 1, 1, 4)))]}).encode()
        if rng.random() < 0.1:
            body = rng.choice((body[:-3], body.replace(b"1", b"NaN", 1), body.replace(b"1", b"1e999", 1), b"\xff" * 40))
        if gateway in self.numbers and readable(body):
            # Nobody knows the number of what cannot be read.
            body = b'{"n":%d,"epoch":"e",' % self.numbers[gateway] + body[1:]
            self.numbers[gateway] += 1
        message = Message(readings_topic(gateway), body, 1, 1, 1, rng.random() < 0.05)
        self.sent.append(message)
        return message

    def reading(self, gateway: str) -> dict[str, Any]:
        rng = self.rng
        own = [f"D-{number}" for number in range(6) if f"G-{number // 2 + 1}" == gateway] or ["D-0"]
        item: dict[str, Any] = {"device": rng.choice([*own, *own, *own, "later", "never", "D-5"])}
        # By clocks that are right, days behind, years behind, years ahead, or not there at all.
        years = rng.choice((0, 0, 0, 3, 4_000, -4_000))
        if rng.random() < 0.9:
            item["at"] = (AT - years * DAY_US) // 1_000 - rng.randrange(40) * 1_000
        values = (rng.randrange(3), 1e30, -1e30, 0.1, "on", None, float("inf") if rng.random() < 0.1 else 1)
        for metric in rng.sample([*LIMITS, "unknown_metric"], rng.randrange(1, 4)):
            item[metric] = values[min(rng.randrange(12), 6)] if rng.random() < 0.4 else rng.randrange(3)
        return item


def received(door: Door, messages: list[Message], isolated: frozenset[str]) -> tuple[list[Any], int]:
    """Return the records of a flush, and the units that they account for."""
    intake, apart = divide(Intake.of(messages), door, isolated)
    flush = door.read(intake, AT, OPTIONS)
    flush.add_all(flush.left)
    for gateway, bundled in apart.items():
        flush.isolate(gateway, bundled)
    return flush.records(), flush.readings + sum(flush.quarantined.values())


async def settled(world: World) -> Balance:
    """Let every stage read what is there; nothing is in flight then."""
    for _ in range(20):
        if (balance := await world.settle()).in_flight == 0:
            return balance
    raise AssertionError(balance)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_gateways_send_the_ledger_balances_whenever_the_world_is_stopped(store_url: str, seed: int) -> None:
    rng = random.Random(seed)
    sender, door = Sender(rng), Door(TODAY)

    async def step(world: World) -> int:
        match rng.randrange(7):
            case 0 | 1:
                messages = [sender.message() for _ in range(rng.randrange(1, 40))]
                isolated = frozenset(rng.sample([*GATEWAYS, UNKNOWN], rng.choice((0, 0, 1, 2))))
                records, units = received(door, messages, isolated)
                # A flush that was appended and not acknowledged comes again.
                times = rng.choice((1, 1, 1, 2))
                for _ in range(times):
                    await world.log.append(records)
                return units * times
            case 2:
                known = rng.choice((TODAY, LATER))
                await world.replay(lambda letter: resolve_letter(letter, known))
            case other:
                stage = (world.letters, world.follower, world.store, world.store)[other - 3]
                await world.move(stage, limit=rng.randrange(1, 6))
        return 0

    async def main() -> None:
        async with opened(store_url) as pool:
            world = await build(pool)
            units = 0
            for _ in range(70):
                units += await step(world)
                await world.balance()
            balance = await settled(world)
            assert balance.appended >= units, "an isolated message counts one, and each of its readings once it is read"
            await world.replay(lambda letter: resolve_letter(letter, LATER))
            balance = await settled(world)
            stored = await rows(pool, "SELECT count(*), count(DISTINCT (series_id, observed_at)) FROM readings")
            assert stored == [(balance.stored, balance.stored)]
            odd = "SELECT count(*) FROM readings WHERE NOT (value BETWEEN -5 AND 5000) OR observed_at > %s::timestamptz"
            latest = f"{(AT + 5 * MINUTE_US) / 1e6}"
            assert await rows(pool, odd.replace("%s::timestamptz", f"to_timestamp({latest})")) == [(0,)]
            gaps = await rows(pool, "SELECT count(*) FROM ledger_gaps g JOIN gateways w USING (gateway_id)")
            assert gaps == [(0,)], "what was set aside is not missing"

    asyncio.run(main())
