"""Static files: each address carries the hash of its content, so that browsers keep it for good."""

import gzip
import hashlib
import mimetypes
import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from portals_api.compress import accepted

FOLDER = Path(__file__).with_name("static")
_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_EACH_TIME = "no-cache"
_VERSIONED = re.compile(r"-\d+\.\d+\.\d+[.-]")
"""A vendored file carries its version in its name: another version is another address."""
_HASH_CHARS = 12
_KINDS = {".mjs": "text/javascript", ".js": "text/javascript", ".svg": "image/svg+xml", ".md": "text/plain"}
_SMALLEST = 512
"""Below this, compression saves nothing."""


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


@dataclass(frozen=True, slots=True)
class _File:
    """One file, with what a client may take instead of its bytes; `encoded` is ordered, the smallest first."""

    body: bytes
    encoded: dict[str, bytes]
    kind: str
    tag: str


def routes(addresses: StaticAddresses, folder: Path = FOLDER) -> APIRouter:
    """Return the route of static files: read and compressed once, read again when they have changed on disk.

    What carries its version in its address is never asked for again, all else is asked for each time.
    """
    router = APIRouter()
    known: dict[str, tuple[str, _File]] = {}

    def read(name: str) -> _File:
        path = folder / name
        if "/" in name or "\\" in name or name.startswith(".") or path.suffix == ".br" or not path.is_file():
            raise HTTPException(404)
        hashed = addresses.hash_of(name)
        if name not in known or known[name][0] != hashed:
            known[name] = (hashed, _load(path, hashed))
        return known[name][1]

    # A plain function runs in a thread: the first reader of a large file compresses it.
    @router.get("/static/{name:path}", include_in_schema=False)
    def static(request: Request, name: str) -> Response:
        file = read(name)
        fixed = _VERSIONED.search(name) or request.query_params.getlist("v") == [addresses.hash_of(name)]
        keep = _FOR_GOOD if fixed else _ASK_EACH_TIME
        headers = {"ETag": file.tag, "Cache-Control": keep, "Vary": "Accept-Encoding"}
        if file.tag in (part.strip() for part in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=headers)
        takes = accepted(request.headers.get("accept-encoding"))
        for encoding, body in file.encoded.items():
            if encoding in takes:
                return Response(body, headers={**headers, "Content-Encoding": encoding}, media_type=file.kind)
        return Response(file.body, headers=headers, media_type=file.kind)

    return router


def _load(path: Path, hashed: str) -> _File:
    body = path.read_bytes()
    encoded: dict[str, bytes] = {}
    brotli = path.with_name(path.name + ".br")
    if brotli.is_file():
        encoded["br"] = brotli.read_bytes()
    kind = _KINDS.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if len(body) >= _SMALLEST and not kind.startswith(("image/png", "image/jpeg", "font/")):
        encoded["gzip"] = gzip.compress(body, 9, mtime=0)
    return _File(body, encoded, kind, f'"{hashed}"')
