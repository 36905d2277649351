"""Takes the lines of a CSV file apart; a row that is none costs its first line, not those that it swallowed."""

import csv
import lzma
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

NOTED_MAX = 100

ROW_LINES_MAX = 20
"""Lines that a row with line breaks between quotes may take; a stray quote would take all that follows."""


@dataclass(slots=True)
class BadRows:
    """What could not be published: how many cells and rows, and the first hundred as (line, what and why)."""

    count: int = 0
    noted: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, text: str) -> None:
        """Note one."""
        self.count += 1
        if len(self.noted) < NOTED_MAX:
            self.noted.append((line, text))


class _TooLongError(Exception):
    """A row has not ended after `ROW_LINES_MAX` lines."""


class _Lines:
    """The lines of a file, of which those of the row that is being read can be given back.

    Attributes
    ----------
    before : int
        Lines that came before this row.
    row : list of str
        This row's lines by now.
    broken : Exception or None
        Why the file ended before its end.
    """

    def __init__(self, text: Iterable[str]) -> None:
        self._text = iter(text)
        self._again: deque[str] = deque()
        self.before = 0
        self.row: list[str] = []
        self.broken: Exception | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.row) == ROW_LINES_MAX:
            raise _TooLongError
        try:
            line = self._again.popleft() if self._again else next(self._text)
        except (EOFError, OSError, lzma.LZMAError, zlib.error) as exc:
            self.broken = exc
            raise StopIteration from None
        self.row.append(line)
        return line

    def begin(self) -> None:
        """Go on to the next row."""
        self.before += len(self.row)
        self.row.clear()

    def give_back(self) -> None:
        """Let the next row begin with this one's second line."""
        self._again.extendleft(reversed(self.row[1:]))
        del self.row[1:]


def csv_rows(text: Iterable[str], delimiter: str, bad: BadRows) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the number of its first line, from 1.

    A row that is not CSV, that takes more than `ROW_LINES_MAX` lines, or that takes several and has another number of
    fields than the first row, costs its first line: that one is noted, and reading goes on with the next.
    At most `ROW_LINES_MAX` lines are held.
    """
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    width = -1
    while True:
        lines.begin()
        try:
            row = next(reader)
        except StopIteration:
            break
        except _TooLongError:
            bad.add(lines.before + 1, f"a quote opens here and does not close in {ROW_LINES_MAX} lines: check quotes")
            lines.give_back()
            continue
        except csv.Error as exc:
            bad.add(lines.before + 1, f"not CSV ({exc}): check quotes and delimiter")
            lines.give_back()
            continue
        if len(lines.row) > 1 and 0 <= width != len(row):
            bad.add(
                lines.before + 1,
                f"quotes join lines to {len(row)} fields where the header has {width}: check them",
            )
            lines.give_back()
            continue
        width = len(row) if width < 0 else width
        yield lines.before + 1, row
    if lines.broken is not None:
        bad.add(lines.before + 1, f"the file breaks off here ({lines.broken}): fetch it again")
