"""Roots as a snapshot holds them: by far the longest to write, and they hardly ever change, so they are packed once.

They came from the log as text, and stay the text that they came as: writing thousands of them anew would hold Python's
lock for longer than a city may wait.
"""

from collections.abc import Mapping

from anomaly import snapshot
from city.registry import RootDefinition
from stream import codec

Text = bytes | RootDefinition
"""A root as it came from the log, or one that was not on a log yet."""


class PackedRoots:
    """One root a line, by name, packed when first asked for; it never changes, so any thread may ask.

    Parameters
    ----------
    names : tuple of str
        Sorted, of the lines of `saved`.
    saved : bytes or None
    fresh : mapping
        Roots that take the place of a line, or come beside them.
    """

    def __init__(
        self, names: tuple[str, ...] = (), saved: bytes | None = None, fresh: Mapping[str, Text] | None = None
    ) -> None:
        # One value, so that a thread that packs and one that goes on never see half of it.
        self._held = names, saved, dict(fresh or {})

    def joined(self, fresh: Mapping[str, Text]) -> "PackedRoots":
        """Return these with others, which replace their namesakes."""
        names, saved, waiting = self._held
        return PackedRoots(names, saved, {**waiting, **fresh})

    def bytes(self) -> bytes:
        """Return all of them, packed."""
        names, saved, fresh = self._held
        if saved is None or fresh:
            known = snapshot.unpack(saved).splitlines() if saved else []
            lines = {**dict(zip(names, known, strict=True)), **{name: text_of(one) for name, one in fresh.items()}}
            names = tuple(sorted(lines))
            saved = snapshot.pack(b"\n".join([lines[name] for name in names]))
            self._held = names, saved, {}
        return saved


def text_of(root: Text) -> bytes:
    """Return a root as a line of JSON."""
    return root if isinstance(root, bytes) else codec.encode(root)
