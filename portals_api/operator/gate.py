"""Who may use operators' pages and routes: who has the operator's key, or sits at a machine that serves only itself.

Accounts will take the place of the one key; what the routes declare stays.
"""

import ipaddress
import time
from collections.abc import Callable
from typing import Annotated, NamedTuple
from urllib.parse import quote

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from portals_api.deps import PortalOptions
from portals_api.hosts import LOOPBACK_NAMES, host_name
from portals_api.limits import RateLimiter
from portals_api.operator import session

FRONT = "/operator"
SIGN_IN = "/operator/sign-in"
_SCHEME = "Bearer "
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MARKS_OF_PROXIES = frozenset({"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"})
_PREFIX_OF_PROXIES = "x-forwarded"


class Operator(NamedTuple):
    """Who acts; `actor` is what events say of it."""

    actor: str = "operator"


class Gate:
    """Decides for each request, by the options alone.

    Parameters
    ----------
    now_s : callable
        The machine's time, s: a city that is faster than the clock must not end a sign-in after minutes.
    """

    def __init__(self, options: PortalOptions, now_s: Callable[[], float] = time.time) -> None:
        self._key = options.operator_key
        self._alone = options.operator_on_loopback
        self._tries = RateLimiter(options.operator_tries_per_minute)
        self.now_s = now_s

    @property
    def asks_for_a_key(self) -> bool:
        return self._key is not None

    def admits(self, request: Request) -> bool:
        """Tell whether pages may be shown: a sign-in that lasts, or without a key our own machine. Tries nothing."""
        if self._key is None:
            return self._alone and is_local(request)
        return session.is_signed_in(self._key, request.cookies.get(session.COOKIE, ""), self.now_s())

    def demand(self, request: Request) -> Operator:
        """Return who acts.

        Raises
        ------
        HTTPException
            401 a stranger; 403 a form of a signed-in browser that does not say where it comes from; 404 there is no
            key and this is not our own machine; 429 too many wrong keys from there.
        """
        if self._key is None:
            if self.admits(request):
                return Operator()
            raise HTTPException(404)
        told = request.headers.get("authorization", "")
        if told[: len(_SCHEME)].lower() == _SCHEME.lower():
            self.try_key(request, told[len(_SCHEME) :].strip())
            return Operator()
        if not self.admits(request):
            raise HTTPException(401, _stranger(), {"WWW-Authenticate": 'Bearer realm="operator"'})
        if request.method not in _SAFE and not {"origin", "sec-fetch-site"} & set(request.headers):
            # `Guard` has compared what is there; a cookie goes where its browser goes, so something must be there.
            raise HTTPException(403, "send this from the operator's pages, or with the key as `Authorization: Bearer`")
        return Operator()

    def try_key(self, request: Request, told: str) -> None:
        """Compare a key with ours; wrong ones are counted by where they come from.

        Raises
        ------
        HTTPException
            401 it is another; 429 too many wrong ones.
        """
        place = _place(request)
        wait_s = self._tries.wait_s(place)
        if wait_s:
            raise HTTPException(429, f"too many wrong keys: wait {wait_s} seconds", {"Retry-After": str(wait_s)})
        if self._key is None or not session.same(told, self._key):
            self._tries.retry_after_s(place)
            raise HTTPException(401, _stranger(), {"WWW-Authenticate": 'Bearer realm="operator"'})

    def sign_in(self) -> str:
        """Return the cookie of a sign-in that begins now; for whoever `try_key` let through."""
        assert self._key is not None
        return session.sign_in(self._key, self.now_s())


async def operator_of(request: Request) -> Operator:
    """Return who acts as operator, or refuse."""
    gate: Gate = request.app.state.portal.gate
    return gate.demand(request)


OperatorDep = Annotated[Operator, Depends(operator_of)]
"""What every operator's route declares; a test walks them all."""


def way_in(path: str) -> str:
    """Return the address of the sign-in form that leads on to `path`."""
    return f"{SIGN_IN}?next={quote(inside(path), safe='/')}"


def inside(path: str) -> str:
    """Return `path` where it is one of the operators' pages, else their front: a form leads nowhere else."""
    ours = path == FRONT or path.startswith(FRONT + "/")
    return path if ours and path.isascii() and path.isprintable() and "\\" not in path else FRONT


def is_local(request: Request) -> bool:
    """Tell whether a request comes from this machine without a web server between.

    A proxy that says nothing of itself, speaks HTTP/1.1 and asks for a loopback name cannot be told from a person here:
    therefore the key, wherever there is one.
    """
    client = request.client
    if client is None or not _is_loopback(client.host):
        return False
    if request.scope.get("http_version") == "1.0":
        return False  # No browser speaks it any more; web servers do, to what is behind them.
    names = {name.lower() for name in request.headers}
    if names & _MARKS_OF_PROXIES or any(name.startswith(_PREFIX_OF_PROXIES) for name in names):
        return False
    return host_name(request.headers.get("host", "")) in LOOPBACK_NAMES


def _stranger() -> str:
    return "this is for operators: sign in, or send the operator's key as `Authorization: Bearer`"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _place(request: Request) -> str:
    """Return where a request comes from; of IPv6 the network, for a house has more addresses than we can count."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    mapped = address.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.ip_network((int(address), 64), strict=False))
