"""The ids of a city pack, file by file as they are read, so that references can be checked on the way."""

from city.packfile import Cells, Notes, shown


class Ids:
    """Which ids were declared, and where.

    Attributes
    ----------
    partly : set of str
        Kinds whose file could not be read to its end: nobody is blamed for naming one of them.
    """

    def __init__(self, notes: Notes) -> None:
        self.partly: set[str] = set()
        self._notes = notes
        self._places: dict[str, dict[str, tuple[str, int]]] = {}

    def of(self, kind: str) -> dict[str, tuple[str, int]]:
        """Return the ids of a kind, each with its file and line."""
        return self._places.get(kind, {})

    def add(self, kind: str, identity: str, file: str) -> None:
        """Take an id for declared elsewhere."""
        self._places.setdefault(kind, {}).setdefault(identity, (file, 0))

    def declare(self, cells: Cells, kind: str, column: str, identity: str) -> None:
        """Note an id with its place; the second of one name is a mistake."""
        known = self._places.setdefault(kind, {})
        if identity in known:
            cells.wrong(column, f"{kind} {shown(identity)} stands in line {known[identity][1]} already: keep one")
        elif identity:
            known[identity] = (cells.file, cells.line)

    def refer(self, cells: Cells, column: str, kinds: str, identity: str) -> None:
        """Check that a cell names something of one of the kinds, such as ``lamp or feeder``."""
        wanted = kinds.split(" or ")
        if identity and not self.partly & set(wanted) and not any(identity in self.of(k) for k in wanted):
            cells.wrong(column, f"{column} {shown(identity)} names no {kinds}: add it to its file, or mend the name")

    def reference(self, cells: Cells, column: str, *kinds: str) -> str:
        """Return the id in a cell, which must be one of these kinds."""
        identity = cells.name(column)
        self.refer(cells, column, " or ".join(kinds), identity)
        return identity

    def one_name_each(self, *kinds: str) -> None:
        """Assets share one space of names: a ticket names its asset without its kind."""
        seen: dict[str, str] = {}
        for kind in kinds:
            for identity, (file, line) in self.of(kind).items():
                other = seen.setdefault(identity, kind)
                if other != kind:
                    self._notes.add(file, line, f"{shown(identity)} is the name of a {other} already: rename one")
