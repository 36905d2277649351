from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from stream.log import TopicPartition
from stream.logs.sharing import share

_MEMBERS = st.sets(st.sampled_from("abcdef"))


@given(_MEMBERS, st.integers(1, 20), st.data())
def test_each_partition_has_one_owner_and_members_are_at_most_one_apart(
    names: set[str], partitions: int, data: st.DataObject
) -> None:
    before = {
        TopicPartition("readings", number): data.draw(st.sampled_from([None, *"abcdefgh"]))
        for number in range(partitions)
    }
    after = share({name: frozenset({"readings"}) for name in names}, before)
    assert after.keys() == before.keys()
    load = Counter(owner for owner in after.values() if owner is not None)
    assert sum(load.values()) == (partitions if names else 0)
    assert max(load.values(), default=0) - min((load[name] for name in names), default=0) <= 1


@given(_MEMBERS, _MEMBERS, st.integers(1, 20))
def test_a_balanced_group_moves_only_what_it_must(first: set[str], then: set[str], partitions: int) -> None:
    sources: dict[TopicPartition, str | None] = {TopicPartition("readings", n): None for n in range(partitions)}
    before = share({name: frozenset({"readings"}) for name in first}, sources)
    after = share({name: frozenset({"readings"}) for name in then}, before)
    kept = sum(before[source] == after[source] for source in sources if before[source] in then)
    fair = -(-partitions // max(1, len(then)))
    load = Counter(owner for owner in before.values() if owner in then)
    over = [max(0, count - fair) for count in load.values()]
    assert kept >= sum(load.values()) - sum(over) - len(then)
    assert share({name: frozenset({"readings"}) for name in then}, after) == after


def test_topics_go_to_those_who_read_them() -> None:
    owners: dict[TopicPartition, str | None] = {TopicPartition(topic, n): "gone" for topic in "xyz" for n in range(3)}
    after = share({"a": frozenset("x"), "b": frozenset("xy")}, owners)
    assert {source.topic for source, owner in after.items() if owner == "a"} == {"x"}
    assert all(after[TopicPartition("y", n)] == "b" for n in range(3))
    assert all(after[TopicPartition("z", n)] is None for n in range(3))
