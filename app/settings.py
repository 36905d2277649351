"""The only reader of the environment: one frozen object, from ``CITYNERVE_…`` variables and flags."""

import difflib
import json
import os
import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.proxies import parse as parse_proxies
from city.errors import SettingsError

PREFIX = "CITYNERVE_"
_OPTIONS = {"sim_realism": "realism"}
"""Options that are not called as their settings are."""
_SECRET = {"mqtt_url", "mqtt_share", "database_url", "operator_key", "broker_password", "mqtt_admin_url"}
"""Carry a secret: errors do not repeat them."""


def default_city() -> Path:
    """Return the pack of Gijón: in the checkout, or beside this package where it was installed."""
    here = Path(__file__).resolve().parent
    installed = here / "cities"
    return (installed if installed.is_dir() else here.parent / "cities") / "gijon"


class Settings(BaseSettings):
    """Everything that an operator may choose. Documented in ``docs/settings.md``; a test compares the two."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", allow_inf_nan=False
    )

    data: Path = Field(Path("data"), description="Folder of the embedded engines, and of what `up` notes for others.")
    city: Path = Field(default_factory=default_city, description="Folder of the city pack.")
    host: str = Field("127.0.0.1", description="Address on which API and pages listen.")
    port: int = Field(8000, ge=1, le=65535, description="Port of API and pages.")
    public_hosts: str = Field(
        "localhost,127.0.0.1,[::1]",
        description="Names under which the pages are reached, separated by commas; `*` for any.",
    )
    proxies: str = Field(
        "127.0.0.1,::1",
        description="Addresses or networks of the web servers before the pages, separated by commas: their"
        " `X-Forwarded-For` and `X-Forwarded-Proto` are believed.",
    )
    operator_key: str | None = Field(
        None,
        description="Opens operators' pages and routes: a secret of 20 to 200 letters, digits and signs. Absent: they"
        " are there for this very machine alone, while the pages listen on loopback under loopback names and no web"
        " server stands before them.",
    )
    mqtt_url: str | None = Field(
        None, description="Broker, `mqtt://user:password@host:1883` or `mqtts://…`. Absent: the embedded broker."
    )
    mqtt_ca: Path | None = Field(
        None, description="File of the certificates to trust with `mqtts://`. Absent: the system's."
    )
    mqtt_client_id: str = Field(
        "citynerve-ingest", description="Names the persistent session; another one for every ingest process."
    )
    mqtt_share: str | None = Field(
        None,
        description="Name of the shared subscription in which several ingest processes divide the messages among them:"
        " a secret, 20 to 64 characters. Absent: this one takes all.",
    )
    mqtt_split: str | None = Field(
        None,
        description="`2/4`: this is the second of four ingest processes among which gateways are divided by name, for"
        " brokers without shared subscriptions. The first hears everything, and takes gateways that were registered"
        " later or that nobody knows, and those of processes that have not listened for 30 seconds.",
    )
    mqtt_version: Literal["3.1.1", "5"] = Field(
        "3.1.1",
        description="Version of MQTT that ingest speaks with the broker of `CITYNERVE_MQTT_URL`: `3.1.1` or `5`.",
    )
    broker_host: str = Field("127.0.0.1", description="Address on which the embedded broker listens.")
    broker_port: int = Field(1883, ge=1, le=65535, description="Port of the embedded broker.")
    broker_anonymous: str = Field(
        "loopback",
        description="Whom the embedded broker lets in without a credential, to publish as any gateway: `loopback`, who"
        " is on this machine, while the broker listens there alone; `never`; or `always`, anyone who reaches its port.",
    )
    broker_password: str | None = Field(
        None,
        description="Password of `citynerve-local`, who publishes at the embedded broker as any gateway: the simulator"
        " and `play`. `up` makes one at each start.",
    )
    broker_certificate: Path | None = Field(
        None, description="Certificate of the embedded broker, PEM: with it and its key it speaks TLS alone."
    )
    broker_key: Path | None = Field(None, description="Key of that certificate, PEM.")
    broker_authority: Path | None = Field(
        None,
        description="Certificate of the city's own authority (`citynerve ca init`): gateways with a certificate of it"
        " need no password at the embedded broker. Needs `CITYNERVE_BROKER_CERTIFICATE`.",
    )
    broker_rate: float = Field(
        1000.0,
        ge=0,
        le=1e6,
        description="Messages a second at which the embedded broker reads one credential in the long run; 0: no limit.",
    )
    mqtt_admin_url: str | None = Field(
        None,
        description="Mosquitto's door with dynamic security, `mqtts://citynerve-admin:password@host:8883`: ingest keeps"
        " its logins as the table of credentials has them. Absent: it does not.",
    )
    kafka: str | None = Field(
        None, description="Bootstrap servers, `host:9092,host:9092`. Absent: the log lives in PostgreSQL."
    )
    kafka_prefix: str = Field("citynerve.", description="What the names of Kafka topics and groups begin with.")
    database_url: str | None = Field(None, description="`postgresql://…`. Absent: the embedded PostgreSQL.")
    speed: float = Field(
        60.0, gt=0, le=100_000, description="City seconds in a second of the machine's clock; simulated cities only."
    )
    simulate: bool = Field(True, description="Let `up` run the simulated city's lamps.")
    seed: int = Field(1, ge=0, lt=2**63, description="Seed of the simulated city.")
    faults: Path | None = Field(None, description="JSON file of faults to plant. Absent: faults at random.")
    sim_people: bool = Field(
        True, description="Let simulated crews and citizens act on the simulated city's tickets, through the API."
    )
    portal_url: str | None = Field(
        None,
        description="Where simulated people reach the portals, `http://host:8000`. Absent: on this machine's"
        " `CITYNERVE_PORT`.",
    )
    sim_realism: str = Field(
        "real",
        description="`real`: the simulated inventory is wrong in places, clocks and meters are off and reports are"
        " lost. `perfect`: everything is as the city pack says.",
    )
    sim_keep: bool = Field(False, description="Let the simulator remember all that it ever sent, for comparisons.")
    sim_resend_s: float | None = Field(
        None,
        ge=0,
        le=86_400,
        description="Seconds of the machine's clock that simulated gateways send again after a reconnection; 600 unless"
        " given, 60 in a city that is faster than the clock.",
    )
    reading_partitions: int = Field(12, ge=1, le=1024, description="Partitions of `readings` when the log is made.")
    log_max_gb: float = Field(
        50.0,
        gt=0,
        le=1e6,
        description="GB at which the PostgreSQL log refuses what ingest brings; workers may exceed it by a tenth.",
    )
    log_keep_h: float | None = Field(
        None,
        gt=0,
        le=876_000,
        description="Hours of city time for which the log keeps what every group has read. Absent: 168, or 24 in a"
        " simulated city that is faster than the clock.",
    )
    letter_keep_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="Days of city time after its last replay for which a dead letter is kept that came back whole and"
        " is stored; one that waits, or that nobody wants, stays. Absent: 90, or 3 in a simulated city that is faster"
        " than the clock.",
    )
    raw_keep_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="Days of city time for which readings are kept as they came; their hours and days stay. Absent: for"
        " ever, or 3 in a simulated city that is faster than the clock.",
    )
    hour_keep_days: int | None = Field(
        None,
        ge=3,
        le=36_500,
        description="Days of city time for which hours are kept on the embedded database of a city that began faster"
        " than the clock; its days stay. Absent: 7 while it is faster.",
    )
    log_level: str = Field("INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`.")
    log_format: str = Field("text", description="`text` for people, `json` for machines.")
    checkpoint_s: float = Field(2.0, gt=0, le=600, description="Seconds between checkpoints of detection.")
    metrics_port: int = Field(
        0,
        ge=0,
        le=65525,
        description="Port of the process's Prometheus metrics; 0: none. Under `up` the first of one port a process.",
    )

    @field_validator("log_level")
    @classmethod
    def _level(cls, value: str) -> str:
        if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("say DEBUG, INFO, WARNING or ERROR")
        return value.upper()

    @field_validator("log_format")
    @classmethod
    def _format(cls, value: str) -> str:
        if value not in {"text", "json"}:
            raise ValueError("say text or json")
        return value

    @field_validator("sim_realism")
    @classmethod
    def _realism(cls, value: str) -> str:
        if value not in {"real", "perfect"}:
            raise ValueError("say real or perfect")
        return value

    @field_validator("proxies")
    @classmethod
    def _proxies(cls, value: str) -> str:
        parse_proxies(value)
        return value

    @field_validator("broker_anonymous")
    @classmethod
    def _anonymous(cls, value: str) -> str:
        if value not in {"loopback", "never", "always"}:
            raise ValueError("say loopback, never or always")
        return value

    @field_validator("broker_password")
    @classmethod
    def _password(cls, value: str | None) -> str | None:
        if value and not re.fullmatch("[A-Za-z0-9_-]{16,128}", value):
            raise ValueError("give 16 to 128 letters, digits, '-' or '_', such as openssl rand -hex 24 makes")
        return value

    @field_validator("mqtt_url", "mqtt_admin_url")
    @classmethod
    def _mqtt(cls, value: str | None) -> str | None:
        return _url(value, {"mqtt", "mqtts"}, "mqtt://host:1883")

    @field_validator("mqtt_share")
    @classmethod
    def _share(cls, value: str | None) -> str | None:
        # Mosquitto lets every client join a group that it can name, and drops the part of one that may not read.
        if value and not re.fullmatch("[A-Za-z0-9_-]{20,64}", value):
            raise ValueError(
                "whoever knows the name can have messages dropped: give 20 to 64 letters, digits, '-' or '_' that"
                " nobody can guess, such as openssl rand -hex 16 makes"
            )
        return value

    @field_validator("mqtt_split")
    @classmethod
    def _split(cls, value: str | None, info: ValidationInfo) -> str | None:
        told = re.fullmatch("([1-9][0-9]?)/([1-9][0-9]?)", value or "1/1")
        if told is None or int(told[1]) > int(told[2]):
            raise ValueError("say which of how many processes this is: 2/4 for the second of four")
        if value and info.data.get("mqtt_share"):
            raise ValueError("processes are divided by CITYNERVE_MQTT_SHARE already: set one of the two")
        return value

    @field_validator("operator_key")
    @classmethod
    def _operator_key(cls, value: str | None) -> str | None:
        if value and not re.fullmatch("[!-~]{20,200}", value):
            raise ValueError(
                "whoever guesses it is an operator: give 20 to 200 letters, digits and signs without spaces, such as"
                " openssl rand -hex 24 makes"
            )
        return value

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str | None) -> str | None:
        return _url(value, {"postgresql", "postgres"}, "postgresql://user:password@host/database")

    @field_validator("portal_url")
    @classmethod
    def _portal(cls, value: str | None) -> str | None:
        return _url(value, {"http", "https"}, "http://host:8000")

    @field_validator("kafka")
    @classmethod
    def _servers(cls, value: str | None) -> str | None:
        for server in (value or "").split(",") if value else ():
            host, _, port = server.strip().rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65536 or "/" in host:
                raise ValueError("give servers like host:9092,host:9092")
        return value

    @property
    def embedded_broker_url(self) -> str:
        """Where the embedded broker answers."""
        scheme = "mqtts" if self.broker_certificate else "mqtt"
        return f"{scheme}://{reachable(self.broker_host)}:{self.broker_port}"

    @property
    def house_broker_url(self) -> str:
        """Where the embedded broker answers, with the login of citynerve's own senders: a secret."""
        if self.broker_password is None:
            return self.embedded_broker_url
        return self.embedded_broker_url.replace("://", f"://citynerve-local:{self.broker_password}@")

    @property
    def pages_url(self) -> str:
        """Where API and pages answer, seen from this machine."""
        return f"http://{reachable(self.host)}:{self.port}"

    def as_environment(self) -> dict[str, str]:
        """Return the variables that give another process these very settings."""
        told = {name: value for name, value in self.model_dump(mode="json").items() if value is not None}
        return {variable(name): value if isinstance(value, str) else json.dumps(value) for name, value in told.items()}


def load_settings(**flags: Any) -> Settings:
    """Build the settings; flags that are None leave the environment's word.

    Raises
    ------
    SettingsError
        Naming every variable that makes no sense, and why.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    _refuse_slips(os.environ.keys())
    try:
        return Settings(**given)
    except ValidationError as exc:
        lines = []
        for error in exc.errors():
            name = str(error["loc"][0]) if error["loc"] else "settings"
            source = option(name) if name in given else variable(name)
            shown = "" if name in _SECRET else f"; it is {json.dumps(error['input'], default=str)[:80]}"
            lines.append(f"{source}: {error['msg'].removeprefix('Value error, ')}{shown}")
        raise SettingsError("; ".join(lines)) from exc


def variable(name: str) -> str:
    """Return the variable of a setting."""
    return PREFIX + name.upper()


def option(name: str) -> str:
    """Return the command line's option of a setting."""
    return f"--{_OPTIONS.get(name, name.replace('_', '-'))}"


def describe() -> list[tuple[str, str, str]]:
    """Return variable, default and meaning of every setting, in order, for people."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        if field.default_factory is not None:
            told = "`cities/gijon`"
        elif default is None:
            told = "none"
        else:
            told = f"`{json.dumps(default) if isinstance(default, bool) else default}`"
        choice = " `true` or `false`." if field.annotation is bool else ""
        rows.append((variable(name), told, f"{field.description}{choice}"))
    return rows


def reachable(host: str) -> str:
    """Return the address as it stands in a URL; a server that listens everywhere is reached by loopback."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
    return f"[{host}]" if ":" in host else host


def _refuse_slips(variables: Any) -> None:
    """Refuse a variable that is almost one of ours: it would be without effect, and nobody would know why."""
    known = {variable(name) for name in Settings.model_fields}
    for name in sorted(variables):
        if name.startswith(PREFIX) and name.upper() not in known:
            (meant, *_) = (*difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.88), "")
            if meant:
                raise SettingsError(f"{name} is not a setting: did you mean {meant}? docs/settings.md has all of them")


def _url(value: str | None, schemes: set[str], example: str) -> str | None:
    if value is None or value == "":
        return None
    refusal = ValueError(f"this is not an address like {example}")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise refusal from None
    if parts.scheme not in schemes or not (parts.netloc or parts.query) or port == 0:
        raise refusal
    return value
