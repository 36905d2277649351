"""A sign-in that lasts a working day, carried by a cookie that the operator's key signs and that does not hold it.

Nothing is kept: whoever knows the key can check a cookie, in any process; another key makes every cookie void.
"""

import base64
import hashlib
import hmac
import re
import secrets

LIFE_S = 8 * 3600
"""From sign-in to the next one, by the machine's clock: a working day."""
COOKIE = "operator"
_SHAPE = re.compile(r"(\d{1,12})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")
_PURPOSE = b"citynerve: operator's session, 1"


def same(told: str, key: str) -> bool:
    """Compare in a time that tells nothing, not even the length of the key."""
    return hmac.compare_digest(_digest(told), _digest(key))


def sign_in(key: str, now_s: float, life_s: int = LIFE_S) -> str:
    """Return a cookie that is good until `now_s + life_s`."""
    ends = str(int(now_s) + life_s)
    nonce = secrets.token_urlsafe(16)
    return f"{ends}.{nonce}.{_signature(key, ends, nonce)}"


def is_signed_in(key: str, cookie: str, now_s: float) -> bool:
    """Tell whether `cookie` was signed with this key and its time is not over."""
    found = _SHAPE.fullmatch(cookie)
    if found is None:
        return False
    ends, nonce, signature = found.groups()
    # The signature first: the time of what nobody signed says nothing.
    return hmac.compare_digest(signature, _signature(key, ends, nonce)) and now_s < int(ends)


def _signature(key: str, ends: str, nonce: str) -> str:
    derived = hmac.digest(key.encode(), _PURPOSE, hashlib.sha256)
    return base64.urlsafe_b64encode(hmac.digest(derived, f"{ends}.{nonce}".encode(), hashlib.sha256)).decode()[:43]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
