"""From parsed messages to rows: registry, times, limits, and what is set aside."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.clock import HOUR_US, MINUTE_US, SECOND_US
from city.reading import Quality
from city.registry import KnownDevice, SeriesTarget, WireProfile
from ingest.formats import ParsedMessage, ParsedObject
from ingest.formats.parsed import Value
from ingest.resolve import PartitionRows, Rows, resolve
from tests.ingest.world import registry

NOW = 1_795_456_800 * SECOND_US
REGISTRY = registry()


def placed(
    *objects: ParsedObject, gateway: str = "G-1", sent_at_us: int | None = None, retained: bool = False
) -> tuple[Rows, dict[str, list[tuple[int, str]]]]:
    rows: Rows = {}
    message = ParsedMessage(list(objects), sent_at_us=sent_at_us)
    resolve(message, gateway, REGISTRY, NOW, rows, retained=retained)
    return rows, {reason: refusal.only for reason, refusal in message.refused.items()}


def one(at_us: int | None, **readings: float) -> ParsedObject:
    return ParsedObject(0, "D-0", at_us, readings or {"active_power_w": 36.1})


def test_readings_land_in_the_partition_of_their_series() -> None:
    rows, refused = placed(one(NOW, active_power_w=36.1, supply_voltage_v=230))
    assert refused == {}
    assert list(rows) == [3]
    batch = rows[3].batch(NOW)
    assert batch.series_id.tolist() == [0, 1]
    assert batch.gateway_id.tolist() == [1, 1]
    assert batch.value.tolist() == [36.1, 230.0]
    assert batch.received_at.tolist() == [NOW, NOW]
    assert rows[3].counts == {"G-1": 2}


@pytest.mark.parametrize(
    ("at_us", "sent_at_us", "quality"),
    [
        (NOW, None, Quality.GOOD),
        (NOW - 3650 * 24 * HOUR_US, None, Quality.GOOD),
        (NOW + 5 * MINUTE_US, None, Quality.GOOD),
        (NOW + 5 * MINUTE_US + 1, None, Quality.TIME_AHEAD),
        (None, None, Quality.TIME_OF_RECEIPT),
        (0, None, Quality.TIME_UNSET),
        (3 * HOUR_US, None, Quality.TIME_UNSET),
        (946_684_800 * SECOND_US, None, Quality.TIME_UNSET),
        (946_771_200 * SECOND_US, None, Quality.TIME_UNSET),
        (978_307_200 * SECOND_US - 1, None, Quality.TIME_UNSET),
        (978_307_200 * SECOND_US, None, Quality.GOOD),
        (NOW, NOW - 5 * MINUTE_US, Quality.GOOD),
        (NOW, NOW - 5 * MINUTE_US - 1, Quality.TIME_OUT_OF_STEP),
        (NOW + 6 * MINUTE_US, NOW - 5 * MINUTE_US, Quality.TIME_AHEAD),
        (NOW - 24 * HOUR_US, NOW, Quality.GOOD),
    ],
)
def test_the_devices_time_is_kept_unless_it_cannot_be_true(
    at_us: int | None, sent_at_us: int | None, quality: Quality
) -> None:
    rows, _ = placed(one(at_us), sent_at_us=sent_at_us)
    batch = rows[3].batch(NOW)
    assert batch.observed_at.tolist() == [NOW if quality else at_us]
    assert batch.quality.tolist() == [quality]


@pytest.mark.parametrize(
    ("since_receipt_us", "observed_at"),
    [
        (0, NOW),
        (-30 * SECOND_US, NOW - 30 * SECOND_US),
        (5 * MINUTE_US, NOW + 5 * MINUTE_US),
        (5 * MINUTE_US + 1, NOW),
        (-NOW, NOW),
    ],
)
def test_a_time_told_relative_to_receipt_is_counted_from_it(since_receipt_us: int, observed_at: int) -> None:
    rows, _ = placed(one(None)._replace(since_receipt_us=since_receipt_us))
    batch = rows[3].batch(NOW)
    assert batch.observed_at.tolist() == [observed_at]
    assert batch.quality.tolist() == [Quality.TIME_OF_RECEIPT]


@pytest.mark.parametrize("gateway", ["G-1", "G-9"])
@pytest.mark.parametrize("at_us", [None, 0, NOW + HOUR_US])
def test_the_time_of_receipt_says_nothing_of_what_a_broker_had_kept(at_us: int | None, gateway: str) -> None:
    rows, refused = placed(one(at_us), gateway=gateway, retained=True)
    assert rows == {}
    assert refused == {"retained-without-time": [(0, "active_power_w")]}
    rows, refused = placed(one(at_us), one(NOW - HOUR_US), retained=True)
    assert rows[3].batch(NOW).observed_at.tolist() == [NOW - HOUR_US]


def test_nobody_speaks_for_anothers_device() -> None:
    rows, refused = placed(ParsedObject(4, "D-1", NOW, {"active_power_w": 1}), one(NOW))
    assert refused == {"wrong-gateway": [(4, "active_power_w")]}
    assert sum(len(part) for part in rows.values()) == 1


def test_what_the_registry_does_not_know_is_set_aside_by_reason() -> None:
    rows, refused = placed(
        ParsedObject(0, "D-99", NOW, {"active_power_w": 1, "x_w": 2}),
        ParsedObject(1, "D-0", NOW, {"x_w": 2, "active_power_w": 3}),
    )
    assert refused == {"unknown-device": [(0, "active_power_w"), (0, "x_w")], "unknown-metric": [(1, "x_w")]}
    assert rows[3].value.tolist() == [3.0]
    assert placed(one(NOW), gateway="G-9")[1] == {"unknown-gateway": [(0, "active_power_w")]}


@pytest.mark.parametrize(
    ("value", "good"), [(-5, True), (5000, True), (-5.01, False), (5000.01, False), (10**300, False)]
)
def test_values_that_no_sensor_reports_are_set_aside(value: float, good: bool) -> None:
    rows, refused = placed(one(NOW, active_power_w=value))
    assert bool(rows) is good
    assert refused == ({} if good else {"value-out-of-range": [(0, "active_power_w")]})


def test_values_that_contradict_each_other_go_to_the_log_in_their_order() -> None:
    rows, refused = placed(one(NOW, active_power_w=1), one(NOW, active_power_w=2))
    assert refused == {}
    assert rows[3].value.tolist() == [1.0, 2.0]


@given(
    st.lists(
        st.builds(
            ParsedObject,
            st.integers(0, 1999),
            st.sampled_from(["D-0", "D-1", "D-3", "D-99"]),
            st.none() | st.integers(-(10**17), 10**18),
            st.dictionaries(
                st.sampled_from(["active_power_w", "supply_voltage_v", "x_w"]),
                st.floats(-1e4, 1e4) | st.integers(-10, 10),
                min_size=1,
            ),
        ),
        max_size=12,
    )
)
def test_every_reading_is_placed_or_set_aside_and_counted_once(objects: list[ParsedObject]) -> None:
    rows, refused = placed(*objects)
    placed_count = sum(len(part) for part in rows.values())
    assert placed_count + sum(len(only) for only in refused.values()) == sum(len(o.readings) for o in objects)
    assert placed_count == sum(sum(part.counts.values()) for part in rows.values())


def test_successive_numbers_are_one_range() -> None:
    part = PartitionRows()
    for number in (1, 2, 3, 7, 8, 4):
        part.note_number("G-1", "a", number)
    assert part.numbers == {("G-1", "a"): [[1, 3], [7, 8], [4, 4]]}


KILOWATTS = SeriesTarget(1, 3, -5.0, 5000.0, 1000.0, 0.0, "W", {"off": 0.0}, "kW")
WATTS = SeriesTarget(1, 3, -5.0, 5000.0, unit="W")
LORA = replace(
    REGISTRY,
    devices={
        "A84041": KnownDevice("L-1", "G-1", {"P": KILOWATTS, "own": WATTS}, WireProfile("lora", frozenset({"rssi"}))),
        "A84042": KnownDevice("L-2", "G-1", {"P": KILOWATTS}, WireProfile("lora", frozenset({"*"}))),
    },
)


def on_the_wire(device: str, readings: dict[str, Value], units: dict[str, str] | None = None) -> Any:
    rows: Rows = {}
    message = ParsedMessage([ParsedObject(0, device, NOW, readings, units or {})])
    resolve(message, "G-1", LORA, NOW, rows)
    values = [value for part in rows.values() for value in part.value]
    return values, {reason: refusal.only for reason, refusal in message.refused.items()}


@pytest.mark.parametrize(
    ("readings", "units", "values", "refused"),
    [
        ({"P": 0.036}, {}, [36.0], {}),
        ({"P": 36000}, {"P": "mW"}, [36.0], {}),
        ({"P": 36}, {"other": "mW"}, [], {"value-out-of-range": [(0, "P")]}),
        ({"P": "off"}, {}, [0.0], {}),
        ({"P": "broken"}, {}, [], {"unknown-word": [(0, "P")]}),
        ({"P": 1}, {"P": "Cel"}, [], {"unknown-unit": [(0, "P")]}),
        ({"P": 0.036}, {"P": "Kilo-Watts"}, [36.0], {}),
        ({"P": 0.036}, {"P": "N/A"}, [36.0], {}),
        ({"own": 36}, {"own": "Kilo-Watts"}, [], {"unknown-unit": [(0, "own")]}),
        ({"own": 36}, {"own": "None"}, [36.0], {}),
        ({"own": 36}, {"own": "Watts"}, [36.0], {}),
        ({"P": 0.036, "rssi": -110}, {}, [36.0], {}),
        ({"P": 0.036, "snr": 7}, {}, [36.0], {"unknown-metric": [(0, "snr")]}),
    ],
)
def test_a_profile_says_what_a_value_is(
    readings: dict[str, Value], units: dict[str, str], values: list[float], refused: dict[str, Any]
) -> None:
    assert on_the_wire("A84041", readings, units) == (values, refused)


@pytest.mark.parametrize(
    ("raw", "text", "value"),
    [
        ("on", None, 100.0),
        (True, None, 90.0),
        (False, None, 10.0),
        (1, None, 80.0),
        (1.0, None, 80.0),
        (1.0, "1", 80.0),
        (1.0, "01", 70.0),
        (0, None, 0.0),
        (0.5, None, 60.0),
        (2, None, 2000.0),
    ],
)
def test_the_words_of_a_profile_come_first_also_where_they_look_like_numbers(
    raw: Value, text: str | None, value: float
) -> None:
    words = {"on": 100.0, "true": 90.0, "false": 10.0, "1": 80.0, "01": 70.0, "0.5": 60.0}
    rows: Rows = {}
    known = KnownDevice("L-1", "G-1", {"P": replace(KILOWATTS, values=words)})
    item = ParsedObject(0, "W", NOW, {"P": raw}, texts={} if text is None else {"P": text})
    resolve(ParsedMessage([item]), "G-1", replace(REGISTRY, devices={"W": known}), NOW, rows)
    assert [one for part in rows.values() for one in part.value] == [value]


def test_true_and_false_are_1_and_0_where_the_profile_knows_those_alone() -> None:
    rows: Rows = {}
    known = KnownDevice("L-1", "G-1", {"P": replace(KILOWATTS, values={"1": 100.0, "0": 5.0})})
    items = [ParsedObject(0, "W", NOW, {"P": raw}) for raw in (True, False)]
    resolve(ParsedMessage(items), "G-1", replace(REGISTRY, devices={"W": known}), NOW, rows)
    assert [one for part in rows.values() for one in part.value] == [100.0, 5.0]


def test_a_profile_may_leave_out_all_that_it_does_not_name() -> None:
    assert on_the_wire("A84042", {"P": 0.036, "snr": 7, "x": "y"}) == ([36.0], {})


def test_a_device_is_known_by_its_name_on_the_wire_alone() -> None:
    assert on_the_wire("L-1", {"P": 0.036}) == ([], {"unknown-device": [(0, "P")]})
