"""Where a message comes from, by its topic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.errors import DataError
from city.integration import Integration, Origin, Routes, template_problem

CHIRPSTACK = Integration("lora", "chirpstack", ("application/{application}/device/{device}/event/up",), "NS-01")
SPARKPLUG = Integration(
    "plant",
    "sparkplug-b",
    ("spBv1.0/{group}/{type}/{gateway}", "spBv1.0/{group}/{type}/{gateway}/{device}"),
    "{gateway}",
)
FIWARE = Integration("iota", "iota-json", ("/json/{apikey}/{device}/attrs",), "IOTA-1")
ROUTES = Routes((CHIRPSTACK, SPARKPLUG, FIWARE))


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("citynerve/v1/GW-1/readings", ("readings", "GW-1", {})),
        ("citynerve/v1/GW-1/senml", ("senml", "GW-1", {})),
        ("application/7/device/0102/event/up", ("chirpstack", "NS-01", {"application": "7", "device": "0102"})),
        ("spBv1.0/city/NDATA/E-1", ("sparkplug-b", "E-1", {"group": "city", "type": "NDATA", "gateway": "E-1"})),
        (
            "spBv1.0/city/DDATA/E-1/lamp",
            ("sparkplug-b", "E-1", {"group": "city", "type": "DDATA", "gateway": "E-1", "device": "lamp"}),
        ),
        ("/json/key/dev-1/attrs", ("iota-json", "IOTA-1", {"apikey": "key", "device": "dev-1"})),
    ],
)
def test_a_topic_tells_format_gateway_and_levels(topic: str, expected: tuple[str, str, dict[str, str]]) -> None:
    assert ROUTES.origin_of(topic) == Origin(topic, *expected)
    assert ROUTES.origin_of(topic) == Origin(topic, *expected)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "citynerve/v1/GW-1",
        "citynerve/v1/GW 1/readings",
        "citynerve/v1/GW-1/readings/more",
        "application/7/device/0102/event/join",
        "spBv1.0/city/NDATA/E 1",
        "json/key/dev-1/attrs",
    ],
)
def test_a_topic_of_nobody_is_refused(topic: str) -> None:
    with pytest.raises(DataError):
        ROUTES.origin_of(topic)


@given(st.text(max_size=300))
def test_no_topic_raises_anything_else(topic: str) -> None:
    try:
        origin = ROUTES.origin_of(topic)
    except DataError:
        return
    assert (origin.topic, bool(origin.gateway)) == (topic, True)


def test_the_filters_of_an_integration_are_those_of_mqtt() -> None:
    assert SPARKPLUG.filters == ("spBv1.0/+/+/+", "spBv1.0/+/+/+/+")


@pytest.mark.parametrize(
    "template",
    ["", "a/+/b", "a/#", "a/{b}/{b}", "citynerve/v1/{gateway}/x", "$SYS/{a}", "{any}/x", "a/x{b}", "a/\x00", "a" * 300],
)
def test_a_topic_that_may_not_be_integrated_is_told(template: str) -> None:
    assert template_problem(template) is not None


def test_memory_is_bounded_whatever_topics_come() -> None:
    routes = Routes((CHIRPSTACK,))
    routes._REMEMBERED_MAX = 10  # type: ignore[misc]
    for number in range(100):
        routes.origin_of(f"application/7/device/{number}/event/up")
    assert len(routes._known) == 10
