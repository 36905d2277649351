"""The simulated city on a real Mosquitto: what is sent arrives, whatever dies on the way."""

import json
import multiprocessing
import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from city.alarm import FaultClass
from city.clock import HOUR_US, MINUTE_US, ScaledClock
from city.errors import SettingsError
from city.profile import parse_pack
from sim.city import generate_city
from sim.faults import PlantedFault
from sim.outbox import Outbox, readings_of, sent_readings
from sim.publish import FleetOptions
from sim.repairs import Repairs
from sim.run import RunOptions, run_simulation
from sim.world import World
from tests.sim.listener import Listener, listening, until
from tests.support.fix_mosquitto import Mosquitto

FILES = generate_city(11, lamps=150, facilities=3)
PACK = parse_pack(FILES)
MIDNIGHT = 1_795_478_400_000_000
"""2026-11-24T00:00:00Z: every lamp burns."""


def options(url: str, outbox: Path | None, **fleet: object) -> RunOptions:
    return RunOptions(FleetOptions(url, keep=True, **fleet), outbox=outbox)  # type: ignore[arg-type]


def clock_at(city_us: int, speed: float = 300.0) -> ScaledClock:
    return ScaledClock(city_us, time.time_ns() // 1000, speed)


@contextmanager
def running(
    clock: ScaledClock, how: RunOptions, faults: Sequence[PlantedFault] = (), repairs: Repairs | None = None
) -> Iterator[threading.Event]:
    """Run the city in a thread; leaving stops it and waits until it has drained."""
    stop, ready, results = threading.Event(), threading.Event(), []

    def main() -> None:
        results.append(run_simulation(PACK, clock, how, faults, stop, ready.set, repairs))

    thread = threading.Thread(target=main)
    thread.start()
    try:
        assert ready.wait(20)
        yield stop
    finally:
        stop.set()
        thread.join(30)
    assert results == [True], "it did not drain"


def assert_all_arrived(listener: Listener, outbox: Path) -> None:
    sent = list(sent_readings(outbox))
    assert sent
    until(lambda: set(sent) <= set(listener.readings()))
    assert set(listener.readings()) == set(sent)


def test_everything_sent_arrives_once_numbered_without_gaps(mosquitto: Mosquitto, tmp_path: Path) -> None:
    clock = clock_at(MIDNIGHT, speed=900)
    with listening(mosquitto.url) as listener:
        with running(clock, options(mosquitto.url, tmp_path / "o.sqlite")):
            until(lambda: clock.now_us() > MIDNIGHT + 40 * MINUTE_US)
        assert_all_arrived(listener, tmp_path / "o.sqlite")
        assert len(listener.readings()) == len(set(listener.readings()))
        numbers = defaultdict(list)
        for (gateway, payload), body in zip(listener.payloads, listener.bodies(), strict=True):
            numbers[gateway].append(body["n"])
            assert 0 < len(body["readings"]) <= 200
            assert len({reading["at"] for reading in body["readings"]}) == 1
            assert len(payload) < 256_000
        assert all(found == list(range(len(found))) for found in numbers.values())
        assert len({body["epoch"] for body in listener.bodies()}) == 1
        world = World(PACK, 1)
        assert set(world.gateways) - {"EST-CONSTITUCION"} <= set(numbers), "the air station speaks but hourly"
        sent = set(sent_readings(tmp_path / "o.sqlite"))
        moments = [at for _, _, at, _ in sent]  # The first depends on how long the machine took to start.
        assert sent == set(world.truth(min(moments) - 1, max(moments)))


def test_a_normal_stop_is_quiet(mosquitto: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="sim")
    with running(clock_at(MIDNIGHT), options(mosquitto.url, tmp_path / "o.sqlite")):
        pass
    assert [r.getMessage() for r in caplog.records if r.name.startswith("sim.")] == ["every gateway is connected"]


def test_gateways_say_when_they_are_online_and_when_not(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with listening(mosquitto.url) as listener:
        with running(clock_at(MIDNIGHT), options(mosquitto.url, tmp_path / "o.sqlite")):
            until(lambda: set(listener.states) == set(World(PACK, 1).gateways))
            assert {s["state"] for s in listener.states.values()} == {"online"}
        until(lambda: {s["state"] for s in listener.states.values()} == {"offline"})
        assert all(s["at"].endswith("Z") for s in listener.states.values())


def test_a_gateway_with_a_fault_says_nothing_until_a_crew_mends_it_and_then_all_in_order(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    gateway = "GW-01"
    onset = MIDNIGHT + 20 * MINUTE_US
    repairs = Repairs([PlantedFault(onset, gateway, FaultClass.COMMUNICATION_FAILURE)])
    clock = clock_at(MIDNIGHT)
    with listening(mosquitto.url) as listener:

        def times() -> list[int]:
            bodies = [payload for name, payload in listener.payloads if name == gateway]
            return [at for payload in bodies for _, _, at, _ in readings_of(payload)]

        with running(clock, options(mosquitto.url, tmp_path / "o.sqlite"), repairs.faults(), repairs):
            until(lambda: listener.states.get(gateway, {}).get("state") == "offline")
            assert listener.states["EST-CONSTITUCION"]["state"] == "online"
            until(lambda: clock.now_us() > onset + 20 * MINUTE_US)
            assert max(times(), default=0) < onset
            repairs.mend([gateway], clock.now_us())
            until(lambda: listener.states[gateway]["state"] == "online")
            until(lambda: max(times(), default=0) > onset + 20 * MINUTE_US)
        assert_all_arrived(listener, tmp_path / "o.sqlite")
        assert times() == sorted(times())
        sent = set(sent_readings(tmp_path / "o.sqlite"))
        first = max(onset, min(at for _, _, at, _ in sent))
        assert set(World(PACK, 1).truth(first, onset + 20 * MINUTE_US)) <= sent


def test_a_brokers_death_loses_nothing(mosquitto: Mosquitto, tmp_path: Path) -> None:
    outbox = tmp_path / "o.sqlite"
    clock = clock_at(MIDNIGHT)
    with listening(mosquitto.url) as listener:
        with running(clock, options(mosquitto.url, outbox)):
            for _ in range(2):
                before = len(listener.payloads)
                until(lambda before=before: len(listener.payloads) > before + 5)
                mosquitto.kill()
                time.sleep(1.0)
                mosquitto.start()
                until(lambda: set(sent_readings(outbox)) <= set(listener.readings()))
        assert_all_arrived(listener, outbox)
        # Sent again, under the same number.
        seen: dict[tuple[str, str, int], bytes] = {}
        for (gateway, payload), body in zip(listener.payloads, listener.bodies(), strict=True):
            assert seen.setdefault((gateway, body["epoch"], body["n"]), payload) == payload
        assert len(seen) < len(listener.payloads)


def epochs(listener: Listener) -> int:
    return len({body["epoch"] for body in listener.bodies()})


def simulate(url: str, outbox: Path, city_us: int, real_us: int) -> None:
    how = options(url, outbox)
    run_simulation(parse_pack(FILES), ScaledClock(city_us, real_us, 300.0), how, (), threading.Event())


def test_a_killed_simulator_goes_on_without_a_gap(mosquitto: Mosquitto, tmp_path: Path) -> None:
    outbox = tmp_path / "o.sqlite"
    clock = clock_at(MIDNIGHT)
    spawn = multiprocessing.get_context("spawn")
    with listening(mosquitto.url) as listener:
        for run in range(1, 4):
            process = spawn.Process(
                target=simulate, args=(mosquitto.url, outbox, clock.city_origin_us, clock.real_origin_us)
            )
            process.start()
            until(lambda run=run: epochs(listener) == run)
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join()
        with running(clock, options(mosquitto.url, outbox)):
            until(lambda: epochs(listener) == 4)
        assert_all_arrived(listener, outbox)
        world = World(PACK, 1)
        sent = set(sent_readings(outbox))
        # When the first began depends on how long the machine took to start it.
        first, last = min(at for _, _, at, _ in sent), max(at for _, _, at, _ in sent)
        # Whoever was killed, every device was read at every moment since the first start.
        assert set(world.truth(first, last)) <= sent


def test_a_gateway_that_had_not_spoken_before_the_kill_is_read_from_where_it_began(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    outbox = tmp_path / "o.sqlite"
    station, began, again = "EST-CONSTITUCION", MIDNIGHT + 35 * MINUTE_US, MIDNIGHT + 75 * MINUTE_US
    with running(clock_at(began, speed=1), options(mosquitto.url, outbox)):
        pass
    assert station not in {device for device, *_ in sent_readings(outbox)}, "it speaks once an hour"
    with running(clock_at(again, speed=1), options(mosquitto.url, outbox)):
        pass
    due = World(PACK, 1).moments(station, began, again)
    assert due
    assert {at for device, _, at, _ in sent_readings(outbox) if device == station} == set(due)


def test_a_backlog_is_kept_in_order_while_the_broker_is_away(mosquitto: Mosquitto, tmp_path: Path) -> None:
    outbox = tmp_path / "o.sqlite"
    mosquitto.kill()
    stop = threading.Event()
    clock = clock_at(MIDNIGHT, speed=3000)
    how = RunOptions(FleetOptions(mosquitto.url, keep=True), outbox=outbox, drain_s=0.1)
    thread = threading.Thread(target=run_simulation, args=(PACK, clock, how, (), stop))
    thread.start()
    until(lambda: clock.now_us() > MIDNIGHT + 50 * MINUTE_US)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    mosquitto.start()
    with listening(mosquitto.url) as listener:
        with running(clock_at(clock.now_us(), 300), options(mosquitto.url, outbox)):
            pass
        assert_all_arrived(listener, outbox)
        by_gateway = defaultdict(list)
        for gateway, payload in listener.payloads:
            by_gateway[gateway].append(json.loads(payload)["readings"][0]["at"])
        assert all(times == sorted(times) for times in by_gateway.values())
        assert max(len(times) for times in by_gateway.values()) >= 4


def test_a_full_memory_forgets_the_oldest_and_says_so(mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    from sim.publish import Fleet

    with Outbox() as outbox:
        mosquitto.kill()
        fleet = Fleet(["G"], outbox, clock_at(MIDNIGHT), FleetOptions(mosquitto.url, backlog_messages_max=3))
        for number in range(5):
            outbox.put([("G", f"{number}".encode())])
            fleet.told(["G"])
        assert [payload for _, payload in outbox.after("G", 0, 9)] == [b"2", b"3", b"4"]
        assert fleet.dropped == 2
        assert "memory is full" in caplog.text
        fleet.stop()


def test_a_stop_at_a_dead_broker_ends_soon(mosquitto: Mosquitto, tmp_path: Path) -> None:
    mosquitto.kill()
    stop = threading.Event()
    stop.set()
    started = time.monotonic()
    how = RunOptions(FleetOptions(mosquitto.url), outbox=tmp_path / "o.sqlite", drain_s=0.2)
    assert not run_simulation(PACK, clock_at(MIDNIGHT), how, (), stop)
    assert time.monotonic() - started < 15


def test_a_long_absence_is_not_made_up_for(mosquitto: Mosquitto, tmp_path: Path) -> None:
    outbox = tmp_path / "o.sqlite"
    with running(clock_at(MIDNIGHT), options(mosquitto.url, outbox)):
        pass
    first = max(at for _, _, at, _ in sent_readings(outbox))
    later = MIDNIGHT + 30 * 24 * HOUR_US
    how = RunOptions(FleetOptions(mosquitto.url, keep=True), outbox=outbox, catch_up_us=HOUR_US)
    with running(clock_at(later), how):
        until(lambda: max(at for _, _, at, _ in sent_readings(outbox)) > later - 15 * MINUTE_US)
    assert all(at <= first or at > later - HOUR_US for _, _, at, _ in sent_readings(outbox))


@pytest.mark.parametrize(
    "url", ["", "localhost", "http://localhost", "mqtt://", "mqtt://host:port", "mqtt://host:99999", "mqtt://h/path"]
)
def test_a_url_that_is_none_is_told(url: str) -> None:
    with pytest.raises(SettingsError, match="mqtt"):
        run_simulation(PACK, clock_at(MIDNIGHT), RunOptions(FleetOptions(url)), (), threading.Event())
