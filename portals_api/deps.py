"""What the portals are given: engines, the city clock and options. Nothing here reads the environment."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from city.clock import Clock
from city.topics import PARTITIONS, TICKETS
from ingest.formats.parsed import PAYLOAD_BYTES_MAX
from portals_api.live.board import BoardOptions
from portals_api.meter import ApiMetrics
from portals_api.webhook import Webhook
from storage.pool import Pool
from stream.log import EventLog

Ping = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class PortalOptions:
    """How the portals behave.

    Attributes
    ----------
    languages : tuple of str
        Languages of the pages; the first one is used for who asks for none of them.
    allowed_hosts : tuple of str
        Host names under which the portals are served, without port; ``*`` for any. Another name in a request is
        refused, so that no web page elsewhere can have its own name point here.
    crew_without_account : bool
        Until crews have accounts, whoever reaches the pages acts as crew: bind to loopback, or set False.
    operator_key : str or None
        Opens operators' pages and routes. Without one they are there for this very machine alone, and only with
        `operator_on_loopback`.
    operator_on_loopback : bool
        The pages listen on loopback and bear loopback names only.
    operator_tries_per_minute : int
        Wrong keys from one address.
    body_bytes_max, list_bytes_max, message_bytes_max : int
        Larger requests are refused; lists that operators import may be as large as the second, messages of gateways as
        the third.
    body_s_max, list_s_max : float
        A body, or a list that operators import, that takes longer to come is not waited for.
    reports_per_minute : int
        From one address.
    ping_timeout_s : float
        An engine that takes longer to answer counts as not ready.
    """

    languages: tuple[str, ...] = ("es", "ast", "en")
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    crew_without_account: bool = True
    operator_key: str | None = None
    operator_on_loopback: bool = False
    operator_tries_per_minute: int = 10
    body_bytes_max: int = 64 * 1024
    list_bytes_max: int = 8 * 1024 * 1024
    message_bytes_max: int = PAYLOAD_BYTES_MAX
    body_s_max: float = 60.0
    list_s_max: float = 300.0
    reports_per_minute: int = 30
    ping_timeout_s: float = 2.0
    board: BoardOptions = field(default_factory=BoardOptions)
    ticket_partitions: int = PARTITIONS[TICKETS]


@dataclass(frozen=True, slots=True)
class PortalDeps:
    """The engines behind the portals; the caller opens and closes them.

    Attributes
    ----------
    engines : mapping
        Further engines that readiness depends on, by the name that it shows; database and log are always asked.
    metrics : ApiMetrics
        Counts nowhere unless it was given a registry.
    webhook : Webhook, optional
        Takes messages of gateways over HTTPS; without one there is no such route.
    """

    pool: Pool
    log: EventLog
    clock: Clock
    options: PortalOptions = field(default_factory=PortalOptions)
    engines: Mapping[str, Ping] = field(default_factory=dict)
    metrics: ApiMetrics = field(default_factory=ApiMetrics)
    webhook: Webhook | None = None
