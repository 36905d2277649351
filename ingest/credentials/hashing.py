"""Passwords: made here, kept as Argon2 hashes, compared off the event loop, a few at a time.

Ours are 192 random bits, so nobody guesses them whatever a hash costs; what the cost decides is how long a thousand
gateways take to come back after a restart. 8 MiB and one pass take a fiftieth of Argon2's usual 64 MiB
(docs/decisions/0011-credentials.md).
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ingest.credentials.turns import Busy, Turns

K = TypeVar("K")
V = TypeVar("V")

_HASHER = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1)
_AT_ONCE = 2
_WAITING_MAX = 512
_PROVEN_MAX = 20_000
_PROVEN_S = 3600.0
"""A password that was right is compared again after so long."""
_AFTER_FAILURE_S = 2.0
_FAILURES_MAX = 4_000
"""More than can be compared in the time for which one is remembered."""


def make_password() -> str:
    """Return a new password: 48 hexadecimal digits, which no shell and no form misreads."""
    return secrets.token_hex(24)


def hash_password(password: str) -> str:
    """Return what is kept of a password."""
    return _HASHER.hash(password)


class Verifier:
    """Compares passwords with hashes in threads of its own; who was right is remembered, and comes in at once.

    At most two comparisons run at once (8 MiB each), addresses in turn, and one of each login and address; who was
    wrong a moment ago is not heard. So nobody who guesses keeps those out who know.
    """

    def __init__(self, now_s: Callable[[], float] = monotonic) -> None:
        self._threads = ThreadPoolExecutor(_AT_ONCE, "argon2")
        self._turns = Turns(_AT_ONCE, _WAITING_MAX)
        self._now_s = now_s
        self._closed = False
        self._salt = secrets.token_bytes(32)
        self._nobodys = hash_password(make_password())
        self._proven: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._failures: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._compared: dict[tuple[str, str], tuple[bytes, asyncio.Task[bool]]] = {}

    async def verify(self, login: str, address: str, password_hash: str, password: str) -> bool:
        """Tell whether the password is the hash's; without a hash it is compared with one that nobody knows.

        So neither time nor answer tells which logins there are.

        Raises
        ------
        Busy
            It cannot be compared now; that says nothing of the password.
        """
        # Whoever came before his login was there may come again as soon as it is.
        guest = login if password_hash else f"\0{login}", address
        password_hash = password_hash or self._nobodys
        word = hashlib.blake2b(f"{password_hash}\0{password}".encode(), key=self._salt).digest()
        known, until = self._proven.get(password_hash, (b"", 0.0))
        if self._now_s() < until and hmac.compare_digest(known, word):
            return True
        failed_at = self._failures.get(guest, float("-inf"))
        asked, comparison = self._compared.get(guest, (word, None))
        if self._closed or asked != word or self._now_s() - failed_at < _AFTER_FAILURE_S:
            raise Busy("this login was wrong a moment ago, or is being compared: come again later")
        if comparison is None:
            comparison = asyncio.ensure_future(self._compare(guest, word, password_hash, password))
            self._compared[guest] = word, comparison
            comparison.add_done_callback(lambda done: self._compared_is(guest, done))
        # Who leaves meanwhile leaves the comparison to those who asked the same.
        return await asyncio.shield(comparison)

    def keep(self, hashes: Collection[str]) -> None:
        """Forget what was proven of all other hashes: their credentials are over."""
        for gone in [known for known in self._proven if known not in hashes]:
            del self._proven[gone]

    def close(self) -> None:
        """End the threads; whoever comes now is refused."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _compared_is(self, guest: tuple[str, str], done: "asyncio.Task[bool]") -> None:
        del self._compared[guest]
        if not done.cancelled():
            done.exception()  # Whoever asked has been told, if he is still there.

    async def _compare(self, guest: tuple[str, str], word: bytes, password_hash: str, password: str) -> bool:
        async with self._turns.turn(guest[1]):
            if self._closed:
                raise Busy("the server is about to stop: come again later")
            right = await asyncio.get_running_loop().run_in_executor(self._threads, _is_right, password_hash, password)
        if right:
            _remember(self._proven, password_hash, (word, self._now_s() + _PROVEN_S), _PROVEN_MAX)
        else:
            _remember(self._failures, guest, self._now_s(), _FAILURES_MAX)
        return right


def _remember(kept: "OrderedDict[K, V]", key: K, value: V, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)


def _is_right(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
