"""PostgreSQL for tests: one embedded server a run, one database a test, made from a migrated template."""

import itertools
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from storage.embedded import EmbeddedOptions, EmbeddedPostgres
from storage.migrate import migrate

_number = itertools.count(1)


def with_database(url: str, name: str) -> str:
    """Return `url` with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def create_database(url: str, name: str, template: str = "template0") -> str:
    """Create a database on the server of `url`; return its URL."""
    with psycopg.connect(with_database(url, "postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    return with_database(url, name)


def drop_database(url: str, name: str) -> None:
    with psycopg.connect(with_database(url, "postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The session's server; its database `citynerve` is empty. Not durable: a test of durability starts its own."""
    folder = tmp_path_factory.mktemp("postgres")
    with EmbeddedPostgres(folder, EmbeddedOptions(durable=False)) as server:
        yield server.url


@pytest.fixture(scope="session")
def template_database(postgres_url: str) -> str:
    """The name of a migrated database that nobody is connected to."""
    name = "migrated_template"
    migrate(create_database(postgres_url, name))
    return name


@pytest.fixture
def make_database(postgres_url: str, template_database: str) -> Iterator[Callable[[], str]]:
    """Return the URLs of fresh migrated databases, one for each call."""
    made: list[str] = []

    def make() -> str:
        name = f"test_{next(_number)}"
        made.append(name)
        return create_database(postgres_url, name, template_database)

    yield make
    for name in made:
        drop_database(postgres_url, name)


@pytest.fixture
def database_url(make_database: Callable[[], str]) -> str:
    """A fresh migrated database."""
    return make_database()


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A fresh database without any table."""
    name = f"test_empty_{next(_number)}"
    yield create_database(postgres_url, name)
    drop_database(postgres_url, name)
