"""Which part of a feeder fell silent: whatever the inventory has wrong, and never because messages are lost."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.segments.columns import Feeder
from anomaly.segments.layout import HEARD, LAMP, NOW, SAID, SILENT
from anomaly.segments.parts import find
from anomaly.segments.shape import NOTHING, PHASE, SLACK_US, TAIL, WHOLE, Lamps, due_of, orders_of, shape_of
from city.alarm import Scope
from city.asset import AssetKind
from city.clock import MINUTE_US
from city.registry import FaultRules

T0 = 1_795_000_000_000_000
INTERVAL = 15 * MINUTE_US
N = 24


def feeder(gone: set[int], missed: int = 2, phases: str = "RST", n: int = N) -> Lamps:
    """A feeder whose lamps in `gone` were last heard at T0, the others just now."""
    silent = np.array([i in gone for i in range(n)])
    now = T0 + (missed + 1) * INTERVAL
    return Lamps(
        np.where(silent, SILENT, HEARD).astype(np.int32),
        np.array(["RST".find(phases[i % len(phases)]) if phases else -1 for i in range(n)], np.int32),
        np.where(silent, T0, 0).astype(np.int64),
        np.where(silent, T0, now).astype(np.int64),
        np.where(silent, missed * -np.log(0.1), 0.0),
        np.full(n, INTERVAL, np.int64),
        np.full(n, now, np.int64),
        np.full(n, T0 + INTERVAL - SLACK_US, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.bool_),
    )


def orders(n: int = N) -> list[np.ndarray]:
    nowhere = np.full(n, np.nan)
    return orders_of([f"L-{i}" for i in range(n)], nowhere, nowhere)


def kind(lamps: Lamps, n: int = N) -> int:
    return shape_of(lamps, orders(n), 3, 1e-6).kind


def test_all_a_phase_a_tail_are_told_apart() -> None:
    assert kind(feeder(set(range(N)))) == WHOLE
    assert [kind(feeder({i for i in range(N) if i % 3 == p})) for p in range(3)] == [PHASE] * 3
    assert [kind(feeder(set(range(cut, N)), missed=4)) for cut in (4, 12, 18, 20)] == [TAIL] * 4
    assert kind(feeder(set(range(9)))) == TAIL, "cables may run the other way"


@pytest.mark.parametrize("wrong", [5, 13, 22])
def test_a_lamp_that_hangs_elsewhere_changes_nothing(wrong: int) -> None:
    tail, phase = set(range(12, N)), {i for i in range(N) if i % 3 == 1}
    assert kind(feeder(set(range(N)) - {wrong})) == WHOLE
    assert kind(feeder(tail ^ {wrong})) == TAIL
    assert kind(feeder(phase ^ {wrong})) == PHASE


def test_a_tail_shows_by_places_where_numbers_are_in_no_order() -> None:
    chance = random.Random(3)
    place = list(range(N))
    chance.shuffle(place)
    lat, lon = np.array([43.5 + 2e-4 * p for p in place]), np.array([-5.7 + 1e-4 * p for p in place])
    lamps = feeder({i for i in range(N) if place[i] >= 15})
    found = shape_of(lamps, orders_of([f"L-{i}" for i in range(N)], lat, lon), 3, 1e-6)
    assert (found.kind, found.silent, found.heard, found.since) == (TAIL, 9, 15, T0)


def test_without_phases_every_third_lamp_is_a_phase() -> None:
    assert kind(feeder({i for i in range(N) if i % 3 == 1}, missed=4, phases="")) == PHASE


def test_what_a_silent_gateway_hides_is_not_judged() -> None:
    lamps = feeder(set(range(12, N)))
    lamps.gateway_heard_at[:] = T0
    assert kind(lamps) == NOTHING


def test_lamps_that_have_not_had_their_turn_yet_are_waited_for() -> None:
    """Reports are staggered along the street: those that spoke last before an outage are only not due yet."""
    lamps = feeder(set(range(12)))
    lamps.heard_at[12:] = T0 + 5 * MINUTE_US
    assert kind(lamps) == NOTHING


def test_a_controller_that_slept_is_due_at_its_own_beat() -> None:
    hour, four = 60 * MINUTE_US, 240 * MINUTE_US
    heard = np.array([T0 - 20 * hour, T0 - 19 * hour, T0, T0 - 24 * hour], np.int64)
    due = due_of(np.full(4, T0), heard, np.full(4, four))
    # Five hours of beats before, with an hour left, heard last; and one whose beat falls on the moment itself.
    assert (due - T0).tolist() == [four - MINUTE_US, hour - 8 * MINUTE_US, four - MINUTE_US, four - MINUTE_US]


def test_what_is_back_from_an_outage_says_nothing_of_what_is_not_back_yet() -> None:
    lamps = feeder(set(range(12, N)))
    lamps.missed_from[:12], lamps.missed_until[:12] = T0, T0 + 3 * INTERVAL
    assert kind(lamps) == NOTHING


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(3, 40), st.floats(0.02, 0.35))
def test_lost_messages_are_no_outage(seed: int, n: int, loss: float) -> None:
    """Each lamp loses what its share says, independently; a million such moments may show one outage."""
    chance = np.random.default_rng(seed)
    missed = chance.geometric(1 - loss, n) - 1
    lamps = feeder(set(np.flatnonzero(missed).tolist()), n=n)
    since = np.where(missed > 0, T0 - missed * INTERVAL, 0)
    seen = Lamps(
        lamps.state, lamps.phase, since, np.where(missed > 0, since, lamps.heard_at), missed * -np.log(loss),
        lamps.interval_us, lamps.gateway_heard_at, since + lamps.interval_us - SLACK_US,
        lamps.missed_from, lamps.missed_until, lamps.left,
    )  # fmt: skip
    assert kind(seen, n) == NOTHING


@pytest.mark.parametrize(("hours", "told"), [(5, False), (7, True)])
def test_lamps_that_slept_owe_their_beats_tonight_and_no_whole_intervals_before(hours: int, told: bool) -> None:
    """Nine of 21 lamps, here and there, missed one message after dusk: a burst; another one makes it a phase."""
    n, hour = 21, 60 * MINUTE_US
    silent = np.isin(np.arange(n), [2, 6, 7, 8, 9, 12, 14, 15, 17])
    lamps, said, now = np.zeros(n, LAMP), np.zeros(n, SAID), np.zeros(n, NOW)
    lamps["interval_us"], lamps["lost_share"], lamps["phase"], lamps["switched"] = 4 * hour, 0.1, -1, 1
    latest = T0 + (2 if hours < 6 else 6) * hour
    said["heard_at"] = np.where(silent, T0 - 18 * hour, latest)
    said["slept_at"], said["woke_at"] = T0 - 18 * hour, np.where(silent, 0, T0 + 2 * hour)
    now["state"], now["since"], now["missed"] = np.where(silent, SILENT, HEARD), np.where(silent, T0, 0), 2 * silent
    scope = Scope(AssetKind.FEEDER, "F", "C", "north", "F", "G")
    feeder = Feeder(scope, True, 0, FaultRules(), 0, np.arange(n), 4 * hour)
    feeder._names, feeder._place = tuple(f"L-{i}" for i in range(n)), np.full((n, 2), np.nan)
    found = find(feeder, lamps, said, now, np.full(n, 0.1), np.full(1, latest, np.int64), T0 + hours * hour)
    assert (found.kind != NOTHING) is told
