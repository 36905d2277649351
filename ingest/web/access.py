"""Who may send messages over HTTPS: the gateways' own logins and passwords, and the topics of their credentials."""

from collections import OrderedDict
from collections.abc import Sequence
from time import monotonic

from ingest.credentials.engine import Applied
from ingest.credentials.filters import covers
from ingest.credentials.hashing import Verifier
from ingest.credentials.model import Grant

_AFTER_FAILURE_S = 2.0
_FAILURES_MAX = 1000


class WebAccess:
    """What the web server knows of credentials. See `AccessEngine` for the promises; a request is a connection.

    Nobody comes in before `apply` was called, and nobody ever without a password: this door is also open to browsers.
    """

    def __init__(self) -> None:
        self._grants: dict[str, Grant] = {}
        self._verifier = Verifier()
        self._failures: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def apply(self, grants: Sequence[Grant]) -> Applied:
        known = {grant.login: grant for grant in grants if not grant.serial}
        changed = sum(1 for login in known.keys() | self._grants.keys() if known.get(login) != self._grants.get(login))
        self._grants = known
        return Applied(changed)

    async def close(self) -> None:
        self._verifier.close()

    async def may_publish(self, login: str, password: str, address: str, topic: str) -> bool:
        """Tell whether this is the login's password, and the login may publish on the topic.

        Parameters
        ----------
        address : str
            Who asks: he who was wrong a moment ago is not heard.
        """
        grant = self._grants.get(login)
        failed_at = self._failures.get((login, address), float("-inf"))
        if grant is None or monotonic() - failed_at < _AFTER_FAILURE_S:
            return False
        if not await self._verifier.verify(grant.password_hash, password):
            self._failures[login, address] = monotonic()
            self._failures.move_to_end((login, address))
            if len(self._failures) > _FAILURES_MAX:
                self._failures.popitem(last=False)
            return False
        # It may have been revoked while the password was compared.
        return self._grants.get(login) == grant and any(covers(allowed, topic) for allowed in grant.publish)
