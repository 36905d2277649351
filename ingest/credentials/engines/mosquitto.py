"""Mosquitto's dynamic security, told what the table of credentials says.

The plugin knows clients (a login, a password that it hashes by itself) and roles (lists of topics); each credential
becomes one of both. What it is told it keeps in a file of its own; when it lost that, everything is told again.
It belongs to one listener alone, and to nobody but us: logins that the table does not have are deleted.
"""

import asyncio
import json
import queue
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from city.errors import DataError, EngineError, SettingsError
from ingest.address import Address, parse_url
from ingest.credentials.engine import Applied
from ingest.credentials.model import PASSWORD, Grant, named_leaves
from ingest.credentials.sealed import Opener

CONTROL = "$CONTROL/dynamic-security/v1"
_REFUSED = frozenset({0x86, 0x87, 0x8A})
"""MQTT 5: bad user name or password, not authorized, banned."""
_DEFAULT_ACCESS = {"publishClientSend": False, "publishClientReceive": False, "subscribe": False, "unsubscribe": True}
_BATCH = 50
"""Entries in an answer."""
_ORDER_CHARS = 400_000
"""Of the commands in a message, which the broker takes up to a megabyte."""
_NOTHING_TO_DO = frozenset({"Client not found", "Role not found", "Role already exists", "Client already exists"})
"""What was done before: by an order that broke off, or by another process of ours."""

Acl = frozenset[tuple[str, str]]
"""(kind of access, topic filter), all of them allowed."""


@dataclass(frozen=True, slots=True)
class MosquittoOptions:
    """Where dynamic security is administrated.

    Attributes
    ----------
    url : str
        ``mqtts://user:password@host:port`` of the listener that has the plugin.
    ca_file : str
        Certificates to trust; empty: the system's.
    answer_s : float
        An answer that takes longer will not come.
    """

    url: str
    ca_file: str = ""
    answer_s: float = 10.0


class MosquittoAccess:
    """See `AccessEngine` for the promises."""

    def __init__(self, options: MosquittoOptions) -> None:
        self._options = options
        self._address = parse_url(options.url)
        if not self._address.user or not self._address.password:
            raise SettingsError("CITYNERVE_MQTT_ADMIN_URL needs user and password of the broker's administration")
        self._user = self._address.user
        self._opener = Opener(self._address.password)

    @property
    def public_key(self) -> bytes:
        """With which passwords are sealed for this broker."""
        return self._opener.public_key

    async def apply(self, grants: Sequence[Grant]) -> Applied:
        return await asyncio.to_thread(self._apply, [grant for grant in grants if not grant.serial])

    async def close(self) -> None:
        """Nothing is open between orders."""

    def _apply(self, grants: Sequence[Grant]) -> Applied:
        wanted = {grant.login: grant for grant in grants}
        with _Link(self._address, self._options) as link:
            orders = _default_access(link)
            clients = {entry["username"]: entry for entry in link.entries("listClients", "clients")}
            roles = {entry["rolename"]: _acls_of(entry) for entry in link.entries("listRoles", "roles")}
            own = clients.pop(self._user, None)
            ours = {role["rolename"] for role in (own or {}).get("roles", ())}
            to_rotate: list[str] = []
            for login in clients.keys() - wanted.keys():
                orders.append({"command": "deleteClient", "username": login})
            for login in roles.keys() - wanted.keys() - ours:
                orders.append({"command": "deleteRole", "rolename": login})
            for login, grant in wanted.items():
                try:
                    orders += self._orders_of(grant, clients.get(login), roles.get(login))
                except DataError:
                    to_rotate.append(login)
            link.command(orders)
        touched = {order.get("username") or order.get("rolename") for order in orders} - {None}
        return Applied(len(touched), tuple(to_rotate), (PASSWORD,))

    def _orders_of(self, grant: Grant, client: dict[str, Any] | None, role: Acl | None) -> Iterator[dict[str, Any]]:
        """Yield what brings one login in line.

        Raises
        ------
        DataError
            The broker does not have it, and its password cannot be read.
        """
        acls = _acls_for(grant)
        roles = [{"rolename": grant.login}]
        password = "" if client is not None else self._password_of(grant)
        if role != acls:
            told = [{"acltype": kind, "topic": topic, "priority": 0, "allow": True} for kind, topic in sorted(acls)]
            command = "createRole" if role is None else "modifyRole"
            yield {"command": command, "rolename": grant.login, "acls": told}
        if client is None:
            yield {"command": "createClient", "username": grant.login, "password": password, "roles": roles}
            return
        if {entry["rolename"] for entry in client.get("roles", ())} != {grant.login}:
            yield {"command": "modifyClient", "username": grant.login, "roles": roles}
        if client.get("disabled"):
            yield {"command": "enableClient", "username": grant.login}

    def _password_of(self, grant: Grant) -> str:
        if grant.sealed is None:
            raise DataError("its password was made before the broker had a keeper")
        return self._opener.open(grant.sealed)


class _Link:
    """One connection to the plugin, for one order."""

    def __init__(self, address: Address, options: MosquittoOptions) -> None:
        self._answer_s = options.answer_s
        self._events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=address.user or "",
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        self._client.username_pw_set(address.user, address.password)
        if address.tls:
            self._client.tls_set(options.ca_file or None)
        self._client.on_connect = lambda *event: self._events.put(("connected", event[3].value))
        self._client.on_subscribe = lambda *event: self._events.put(("subscribed", event[3][0].value))
        self._client.on_publish = lambda *event: self._events.put(("published", event[3].value))
        self._client.on_message = lambda *event: self._events.put(("answer", event[2].payload))
        self._client.on_disconnect = lambda *_: self._events.put(("disconnected", None))
        self._address = address

    def __enter__(self) -> "_Link":
        try:
            self._client.connect(self._address.host, self._address.port)
        except OSError as exc:
            raise EngineError(f"the broker's administration does not answer: {exc}") from exc
        self._client.loop_start()
        try:
            self._expect("connected")
            self._client.subscribe(f"{CONTROL}/response", 1)
            self._expect("subscribed")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def command(self, commands: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Have commands done in order; return their answers.

        Raises
        ------
        EngineError
            No answer, or one of them could not be done.
        SettingsError
            We may not administrate.
        """
        answers: list[dict[str, Any]] = []
        for part in _parts([json.dumps(command) for command in commands]):
            self._client.publish(CONTROL, f'{{"commands": [{", ".join(part)}]}}', qos=1)
            self._expect("published")
            answers += self._answers_to(part)
        return answers

    def entries(self, command: str, name: str) -> Iterator[dict[str, Any]]:
        """Yield everything that a list has, page by page."""
        offset = 0
        while True:
            order = {"command": command, "verbose": True, "count": _BATCH, "offset": offset}
            (answer,) = self.command([order])
            page = answer.get("data", {}).get(name, [])
            yield from page
            offset += len(page)
            if not page or offset >= answer["data"].get("totalCount", 0):
                return

    def _answers_to(self, commands: Sequence[str]) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        while len(answers) < len(commands):
            told = json.loads(self._expect("answer"))
            answers += told.get("responses", [])
        for answer in answers:
            # A command is never repeated here: some have a password in them.
            if answer.get("error") and answer["error"] not in _NOTHING_TO_DO:
                raise EngineError(f"the broker's administration refused {answer.get('command')}: {answer['error']}")
        return answers

    def _expect(self, wanted: str) -> Any:
        while True:
            try:
                kind, value = self._events.get(timeout=self._answer_s)
            except queue.Empty:
                raise EngineError(f"the broker's administration did not answer within {self._answer_s:g} s") from None
            if kind == "disconnected" and wanted != kind:
                raise EngineError("the broker's administration closed the connection")
            if kind != "answer" and value in _REFUSED:
                raise SettingsError(
                    "the broker does not let us administrate it: CITYNERVE_MQTT_ADMIN_URL needs the user that"
                    " deploy/prepare.sh made, at the listener with dynamic security"
                )
            if kind == wanted:
                return value


def _parts(commands: Sequence[str]) -> Iterator[list[str]]:
    """Yield commands in order, as many together as a message may hold: at least one, whatever its size."""
    part: list[str] = []
    size = 0
    for command in commands:
        if part and (size + len(command) > _ORDER_CHARS or len(part) == _BATCH):
            yield part
            part, size = [], 0
        part.append(command)
        size += len(command)
    if part:
        yield part


def _acls_for(grant: Grant) -> Acl:
    """Return what a role must allow."""
    send = {("publishClientSend", topic) for allowed in grant.publish for topic in named_leaves(allowed)}
    return frozenset(
        send | {(kind, topic) for topic in grant.read for kind in ("subscribePattern", "publishClientReceive")}
    )


def _acls_of(role: dict[str, Any]) -> Acl:
    """Return what a role allows; what it forbids is not of our making and makes it another."""
    return frozenset(
        (acl["acltype"] if acl.get("allow") else f"not {acl['acltype']}", acl["topic"]) for acl in role.get("acls", ())
    )


def _default_access(link: _Link) -> list[dict[str, Any]]:
    """Return the order that nobody may do what he was not given, where it is not so already."""
    (answer,) = link.command([{"command": "getDefaultACLAccess"}])
    found = {acl["acltype"]: acl["allow"] for acl in answer.get("data", {}).get("acls", ())}
    if found == _DEFAULT_ACCESS:
        return []
    told = [{"acltype": kind, "allow": allowed} for kind, allowed in _DEFAULT_ACCESS.items()]
    return [{"command": "setDefaultACLAccess", "acls": told}]
