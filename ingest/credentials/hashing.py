"""Passwords: made here, kept as Argon2 hashes, compared off the event loop, a few at a time.

Ours are 192 random bits, so nobody guesses them whatever a hash costs; what the cost decides is how long a thousand
gateways take to come back after a restart. 8 MiB and one pass take a fiftieth of Argon2's usual 64 MiB
(docs/decisions/0011-credentials.md).
"""

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1)
_AT_ONCE = 2
_WAITING_MAX = 512
_REMEMBERED_MAX = 20_000


def make_password() -> str:
    """Return a new password: 48 hexadecimal digits, which no shell and no form misreads."""
    return secrets.token_hex(24)


def hash_password(password: str) -> str:
    """Return what is kept of a password."""
    return _HASHER.hash(password)


class Verifier:
    """Compares passwords with hashes in threads of its own; who was right is remembered, who was wrong is not.

    At most two comparisons run at once (8 MiB each) and 512 wait; who comes then is refused and comes again.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_AT_ONCE, "argon2")
        self._waiting = 0
        self._closed = False
        self._salt = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()

    async def verify(self, password_hash: str, password: str) -> bool:
        """Tell whether the password is the hash's."""
        key = hashlib.blake2b(f"{password_hash}\0{password}".encode(), key=self._salt).digest()
        if key in self._right:
            self._right.move_to_end(key)
            return True
        if self._closed or self._waiting >= _WAITING_MAX:
            return False
        self._waiting += 1
        try:
            right = await asyncio.get_running_loop().run_in_executor(self._threads, _is_right, password_hash, password)
        finally:
            self._waiting -= 1
        if right:
            self._right[key] = None
            if len(self._right) > _REMEMBERED_MAX:
                self._right.popitem(last=False)
        return right

    def close(self) -> None:
        """End the threads; whoever comes now is refused."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)


def _is_right(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
