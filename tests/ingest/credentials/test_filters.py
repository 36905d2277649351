"""Topic filters against an oracle that knows nothing but the topics of a small world."""

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.credentials.filters import covers, is_filter, matches, meet
from ingest.credentials.model import LEAVES, named_leaves
from ingest.formats import Formats

LEVELS = ["a", "b", ""]
TOPICS = ["/".join(levels) for n in (1, 2, 3) for levels in product(LEVELS, repeat=n)] + ["a/b/a/b", "$SYS/a", "$SYS"]


def test_a_wildcard_for_the_format_becomes_the_formats_by_name_and_nothing_else_does() -> None:
    topics = named_leaves("citynerve/v1/GW-1/+")
    assert len(topics) == len(set(topics)) == len(LEAVES)
    assert {"citynerve/v1/GW-1/readings", "citynerve/v1/GW-1/state", "citynerve/v1/GW-1/senml-cbor"} < set(topics)
    assert set(LEAVES) == {*Formats().names}
    for other in ("citynerve/v1/GW-1/readings", "citynerve/v1/+", "citynerve/v1/GW-1/a/+", "vendor/v1/G/+", "+/+/+/+"):
        assert named_leaves(other) == (other,)


def test_the_door_for_certificates_names_the_same_topics() -> None:
    lines = (Path(__file__).parents[3] / "deploy/mosquitto/acl-certificates").read_text().splitlines()
    told = {line for line in lines if line and not line.startswith("#")}
    assert told == {f"pattern write {topic}" for topic in named_leaves("citynerve/v1/%u/+")}


def slowly(topic_filter: str, topic: str) -> bool:
    """MQTT 3.1.1, section 4.7, word for word."""
    if topic[:1] == "$" and topic_filter[:1] in ("+", "#"):
        return False
    have, want = topic_filter.split("/"), topic.split("/")
    if have[-1] == "#":
        have = have[:-1]
        return len(want) >= len(have) and all(h in ("+", w) for h, w in zip(have, want, strict=False))
    return len(have) == len(want) and all(h in ("+", w) for h, w in zip(have, want, strict=True))


levels = st.lists(st.sampled_from(["a", "b", "", "+"]), min_size=1, max_size=3).map("/".join)
filters = levels | levels.map(lambda text: text + "/#") | st.just("#") | st.just("$SYS/#")


@given(filters)
def test_filter_matches_what_the_standard_says(one: str) -> None:
    assert is_filter(one) or one == ""
    assert [matches(one, topic) for topic in TOPICS] == [slowly(one, topic) for topic in TOPICS]


@given(filters, filters)
def test_what_covers_has_every_topic_of_what_is_covered(one: str, other: str) -> None:
    if covers(one, other):
        assert all(matches(one, topic) for topic in TOPICS if matches(other, topic))


@given(filters, filters)
def test_filters_that_share_a_topic_meet(one: str, other: str) -> None:
    assert meet(one, other) == meet(other, one)
    if any(matches(one, topic) and matches(other, topic) for topic in TOPICS):
        assert meet(one, other)


@pytest.mark.parametrize(
    "asked", ["#", "+/v1/+/readings", "citynerve/#", "citynerve/v1/+/readings", "$share/g/citynerve/v1/G-1/a"]
)
def test_a_gateways_own_topics_do_not_cover_more(asked: str) -> None:
    assert not covers("citynerve/v1/G-1/+", asked)


@pytest.mark.parametrize("text", ["", "a+", "a/#/b", "a#", "x" * 201, "a\nb", "a\x00"])
def test_what_is_no_filter_is_not_taken_for_one(text: str) -> None:
    assert not is_filter(text)


@pytest.mark.parametrize("topic", ["citynerve/v1/GW-1/#", "citynerve/v1/+/readings", "citynerve/v1/GW-1/a\x00b"])
def test_nobody_publishes_on_wildcards_or_controls(topic: str) -> None:
    assert not matches("citynerve/v1/#", topic)
    assert not matches("#", topic)
