"""Keyset paging: an opaque cursor holds the sort key of the last item of a page."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any

from city.errors import CityNerveError

LIMIT_DEFAULT, LIMIT_MAX = 100, 1000
_CURSOR_MAX = 2048


class CursorError(CityNerveError):
    """`next` is not what an earlier answer gave; HTTP 400."""


def encode_cursor(key: Sequence[Any]) -> str:
    """Return a sort key as a cursor that is safe in a URL."""
    body = json.dumps(list(key), separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


def decode_cursor(cursor: str | None, *types: type) -> list[Any] | None:
    """Return the sort key of a cursor; None without one.

    Raises
    ------
    CursorError
        It is not a cursor of this list.
    """
    if cursor is None or cursor == "":
        return None
    try:
        if len(cursor) > _CURSOR_MAX:
            raise ValueError
        padded = cursor + "=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not isinstance(key, list) or [type(part) for part in key] != list(types):
            raise ValueError
        if any(isinstance(part, int) and not -(2**63) <= part < 2**63 for part in key):
            raise ValueError
        if any(isinstance(part, str) and b"\x00" in part.encode() for part in key):
            raise ValueError
    except (ValueError, binascii.Error, RecursionError) as exc:
        raise CursorError("`next` is not a cursor of this list: begin again without it") from exc
    return key


def page(items: list[dict[str, Any]], limit: int, key: Callable[[dict[str, Any]], Sequence[Any]]) -> dict[str, Any]:
    """Return one page of `items`, which hold one more than `limit` where there is a next page."""
    more = len(items) > limit
    kept = items[:limit]
    return {"items": kept, "next": encode_cursor(key(kept[-1])) if more else None}
