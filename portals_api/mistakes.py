"""What is wrong with a list or a form of the registry, said in the reader's language.

The lower floors speak English, for commands and the API; each sentence of theirs that operators meet on pages stands
here once more, with names for what varies in it. What is not here is shown as it is, and marked as English.
"""

import re
from typing import NamedTuple

from portals_api.codes import N_
from portals_api.i18n import Words

SENTENCES = (
    N_(
        "{column} {value} is not an id: use letters, digits, '.', '_', ':' and '-', 64 at most, and begin with a letter"
        " or digit"
    ),
    N_("{column} is missing: fill it in"),
    N_("{column} is empty: write what people should read"),
    N_("{column} has {count} characters: shorten it to {most}"),
    N_("{column} {value} holds a control character: remove it"),
    N_("{column} is missing: write one such as 12.5, with a point"),
    N_("{column} {value} is not a number: write one such as 12.5, with a point"),
    N_("{column} {value} is out of range: it must be {least} or more and at most {most}"),
    N_("address has {count} characters: {most} at most"),
    N_("{value} stands in line {line} already: keep one"),
    N_("the first line must name the columns: {columns}"),
    N_("the row has {count} fields, the header {header}: add or remove some"),
    N_("not CSV ({reason}): check quotes and commas here"),
    N_("not TOML ({reason}): mend the syntax"),
    N_("column {column} is missing: the columns are {columns}"),
    N_("column {column} is not known: the columns are {columns}"),
    N_("column {column} stands twice: keep one"),
    N_("the file is empty: write at least its header or its keys"),
    N_("the line holds a NUL or half a character: save the file as UTF-8 text"),
    N_("{count} rows: import at most {most} at once, or use the city pack"),
    N_("{column} {value} names no lamp, facility, feeder or cabinet: add it to the city pack, or mend the name"),
    N_("{column} {value} names no gateway: add the gateway first, or mend the name"),
    N_("{column} {value} names no profile: add the profile first, or mend the name"),
    N_("{column} {value} is the name of {owner} on the wire already: every device has one of its own"),
    N_("{root} would have {count} devices, {most} at most go below one cabinet or facility"),
    N_("{value} is the name of a {kind} already: choose another"),
    N_("district_id {value} names no district: mend the name"),
    N_("{key} is missing: add it"),
    N_("there is no {kind} {value}"),
    N_("say where: choose a kind and write its id, or choose a district"),
    N_("{column} {value} is no day and time: write one such as 2026-11-24T08:30"),
    N_("the works end before they begin: mend one of the two times"),
    N_("the works are over already: a window changes nothing of what was told"),
    N_("a window lasts {count} days at most: announce the rest when it comes"),
    N_("say why: the crew that sees a held alarm has to know"),
    N_("the reason is longer than {count} characters"),
    N_("window {number} is over: there is nothing to end"),
    N_("window {number} has not begun: withdraw it"),
    N_("window {number} is over: there is nothing to withdraw"),
    N_("window {number} stands as announced: there is nothing to undo"),
    N_("window {number} would be over by now: announce another one"),
    N_("{value} is not known here: remove it, or write one of {known}"),
)
_PLACE = re.compile(r"(?P<file>[\w.]+\.(?:csv|toml|js))(?::(?P<line>\d+))?: (?P<text>.*)", re.DOTALL)
_NAME = re.compile(r"\{(\w+)\}")


class Said(NamedTuple):
    """A mistake for a page: where and what it is; `translated` is false where it is English in every language."""

    place: str
    text: str
    translated: bool


def in_words(words: Words, mistake: str) -> Said:
    """Return a mistake in the reader's language, as far as we know its sentence."""
    found = _PLACE.fullmatch(mistake)
    place, text = "", mistake
    if found is not None:
        place, text = found["file"], found["text"]
        if found["line"]:
            place = words.text("{n}, line {line}").format(n=place, line=found["line"])
    for sentence, pattern in _PATTERNS:
        values = pattern.fullmatch(text)
        if values is not None:
            return Said(place, words.text(sentence).format(**values.groupdict()), True)
    return Said(place, text, words.language == "en")


def _pattern(sentence: str) -> re.Pattern[str]:
    """Return what finds a sentence with any values in it, each as short as may be."""
    parts = _NAME.split(sentence)
    made = "".join(re.escape(part) if place % 2 == 0 else f"(?P<{part}>.+?)" for place, part in enumerate(parts))
    return re.compile(made, re.DOTALL)


_PATTERNS = tuple((sentence, _pattern(sentence)) for sentence in SENTENCES)
