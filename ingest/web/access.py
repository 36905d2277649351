"""Who may send messages over HTTPS: the gateways' own logins and passwords, and the topics of their credentials."""

from collections.abc import Sequence

from ingest.credentials.engine import Applied
from ingest.credentials.filters import matches
from ingest.credentials.hashing import Verifier
from ingest.credentials.model import Grant


class WebAccess:
    """What the web server knows of credentials. See `AccessEngine` for the promises; a request is a connection.

    Nobody comes in before `apply` was called, and nobody ever without a password: this door is also open to browsers.
    """

    def __init__(self) -> None:
        self._grants: dict[str, Grant] = {}
        self._verifier = Verifier()

    async def apply(self, grants: Sequence[Grant]) -> Applied:
        known = {grant.login: grant for grant in grants if not grant.serial}
        changed = sum(1 for login in known.keys() | self._grants.keys() if known.get(login) != self._grants.get(login))
        self._grants = known
        self._verifier.keep({grant.password_hash for grant in grants})
        return Applied(changed)

    async def close(self) -> None:
        self._verifier.close()

    async def may_publish(self, login: str, password: str, address: str, topic: str) -> bool:
        """Tell whether this is the login's password, and the login may publish on the topic.

        Parameters
        ----------
        address : str
            Who asks.

        Raises
        ------
        Busy
            The password cannot be compared now: who guesses waits, and so does whoever shares his login and address.
        """
        grant = self._grants.get(login)
        kept = "" if grant is None else grant.password_hash
        if not await self._verifier.verify(login, address, kept, password) or grant is None:
            return False
        # It may have been revoked while the password was compared.
        return self._grants.get(login) == grant and any(matches(allowed, topic) for allowed in grant.publish)
