"""Shares the partitions of a group among its members, moving as few as possible."""

from collections.abc import Mapping

from stream.log import TopicPartition


def share(
    members: Mapping[str, frozenset[str]], owners: Mapping[TopicPartition, str | None]
) -> dict[TopicPartition, str | None]:
    """Give each partition an owner among the members that read its topic.

    Parameters
    ----------
    members : mapping
        The topics of each member.
    owners : mapping
        All partitions, with the member that has each now, or None.

    Returns
    -------
    dict
        All partitions; None where no member reads the topic. Two members with the same topics end at most one apart,
        and an owner keeps what balance lets it keep.
    """
    result: dict[TopicPartition, str | None] = {}
    load = dict.fromkeys(members, 0)
    for source, owner in sorted(owners.items()):
        keeps = owner is not None and source.topic in members.get(owner, ())
        result[source] = owner if keeps else None
        if owner is not None and keeps:
            load[owner] += 1
    for source in (source for source, owner in sorted(result.items()) if owner is None):
        readers = [member for member in sorted(members) if source.topic in members[member]]
        if readers:
            chosen = min(readers, key=load.__getitem__)
            result[source] = chosen
            load[chosen] += 1
    while (move := _better(members, result, load)) is not None:
        source, giver, taker = move
        result[source] = taker
        load[giver] -= 1
        load[taker] += 1
    return result


def _better(
    members: Mapping[str, frozenset[str]], shared: Mapping[TopicPartition, str | None], load: Mapping[str, int]
) -> tuple[TopicPartition, str, str] | None:
    """Find a move that evens out two members; each one lowers the sum of squared loads, so they come to an end."""
    by_load = sorted(load, key=lambda member: (load[member], member))
    for giver in reversed(by_load):
        for taker in by_load:
            if load[giver] - load[taker] < 2:
                break
            for source in sorted((one for one, owner in shared.items() if owner == giver), reverse=True):
                if source.topic in members[taker]:
                    return source, giver, taker
    return None
