"""MQTT's topic filters: what one matches, whether one covers another, whether two meet. Pure."""

FILTER_CHARS_MAX = 200


def is_filter(text: str) -> bool:
    """Tell whether `text` is a topic filter: wildcards fill a level, ``#`` stands last, no control characters."""
    levels = text.split("/")
    return (
        0 < len(text) <= FILTER_CHARS_MAX
        and text.isprintable()
        and not any("+" in level and level != "+" for level in levels)
        and not any("#" in level and (level != "#" or place != len(levels) - 1) for place, level in enumerate(levels))
    )


def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether a message on `topic` is one of the filter's; none can be on a topic with wildcards or controls."""
    return "+" not in topic and "#" not in topic and topic.isprintable() and covers(topic_filter, topic)


def covers(granted: str, asked: str) -> bool:
    """Tell whether every topic that `asked` matches is matched by `granted` too.

    A filter that begins with a wildcard has none of the topics that begin with ``$`` (MQTT-4.7.2-1).
    """
    if asked.startswith("$") and granted[:1] in ("+", "#"):
        return False
    have, want = granted.split("/"), asked.split("/")
    for place, level in enumerate(have):
        if level == "#":
            return True
        if place >= len(want) or want[place] == "#" or level not in ("+", want[place]):
            return False
    return len(have) == len(want)


def meet(one: str, other: str) -> bool:
    """Tell whether some topic is matched by both filters."""
    if one[:1] == "$" or other[:1] == "$":
        first, second = one.partition("/")[0], other.partition("/")[0]
        if first != second:
            return False
    left, right = one.split("/"), other.split("/")
    for place in range(max(len(left), len(right))):
        if "#" in (left[place : place + 1] or [""]) or "#" in (right[place : place + 1] or [""]):
            return True
        if place >= len(left) or place >= len(right):
            return False
        if left[place] != right[place] and "+" not in (left[place], right[place]):
            return False
    return True
