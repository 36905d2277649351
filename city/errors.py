"""The whole error tree, cut by what the caller does next."""

from collections.abc import Iterable
from typing import NamedTuple


class CityNerveError(Exception):
    """Root of every error that this project raises on purpose. Its text says what to do."""

    retriable = False


class DataError(CityNerveError):
    """Input that will never be understood: set it aside as a dead letter, do not retry."""


class RecordTooLargeError(DataError):
    """A record over the log's limit: split it or refuse it, the log will not take it."""


class EngineError(CityNerveError):
    """A server did not answer or gave up half-way: back off and try the same batch again."""

    retriable = True


class OverShareError(EngineError):
    """A sender has more under way than its share of the room: it comes again later; HTTP 429."""


class LogFullError(EngineError):
    """The log is at its size limit: nothing is lost, the sender is held back until room is made."""


class FencedError(CityNerveError):
    """Another worker owns the partition now: throw the state away and join again."""


class OffsetOutOfRangeError(CityNerveError):
    """An offset outside the log: stop, because going on would skip records."""


class ConflictError(CityNerveError):
    """A refused transition or a stale version; HTTP 409."""


class NotFoundError(CityNerveError):
    """Nothing has that name; HTTP 404."""


class SettingsError(CityNerveError):
    """Settings or city pack that make no sense: refuse to start, exit code 2."""


class Mistake(NamedTuple):
    """One thing that is wrong in a file of a city pack."""

    file: str
    line: int
    """Counted from 1; 0 where the file as a whole is meant."""
    text: str
    """One sentence: what is wrong, and what to do."""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.text}"


class PackError(SettingsError):
    """A city pack, or a list in its form, with mistakes; it carries every one of them, sorted by file and line."""

    def __init__(self, mistakes: Iterable[Mistake], of: str = "the city pack") -> None:
        self.mistakes = tuple(sorted(set(mistakes)))
        super().__init__(f"{of} has mistakes:\n" + "\n".join(str(mistake) for mistake in self.mistakes))
