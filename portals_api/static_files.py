"""Static files: each address carries the hash of its content, so that browsers keep it for good."""

import hashlib
import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).with_name("static")
_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_EACH_TIME = "no-cache"
_VERSIONED = re.compile(r"-\d+\.\d+\.\d+[.-]")
"""A vendored file carries its version in its name: another version is another address."""
_HASH_CHARS = 12


class StaticAddresses:
    """Addresses of static files with the hash of their content; hashed again when the file has changed."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._known: MutableMapping[str, tuple[int, str]] = {}

    def hash_of(self, name: str) -> str:
        """Return the hash of a file's content.

        Raises
        ------
        FileNotFoundError
            There is no such file: a template names one that is not there.
        """
        path = self._folder / name
        changed = path.stat().st_mtime_ns
        known = self._known.get(name)
        if known is None or known[0] != changed:
            known = (changed, hashlib.sha256(path.read_bytes()).hexdigest()[:_HASH_CHARS])
            self._known[name] = known
        return known[1]

    def url(self, name: str) -> str:
        """Return the address of a file, as templates write it: ``static_url("base.css")``."""
        return f"/static/{name}?v={self.hash_of(name)}"


class StaticPages(StaticFiles):
    """Serves the folder; what carries its version is never asked for again, all else is asked for each time."""

    def __init__(self, addresses: StaticAddresses, folder: Path = FOLDER) -> None:
        super().__init__(directory=folder)
        self._addresses = addresses

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code in (200, 206, 304):
            response.headers["Cache-Control"] = _FOR_GOOD if self._is_fixed(path, scope) else _ASK_EACH_TIME
        return response

    def _is_fixed(self, path: str, scope: Scope) -> bool:
        if _VERSIONED.search(path):
            return True
        asked: Any = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("v")
        return bool(asked) and asked == [self._addresses.hash_of(path)]
