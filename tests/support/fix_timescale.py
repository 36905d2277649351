"""TimescaleDB for tests: a fresh database on the server that CITYNERVE_TEST_TIMESCALE_URL names."""

import os
import secrets
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.fix_postgres import create_database, drop_database
from tests.support.servers import unavailable


@pytest.fixture
def timescale_url() -> Iterator[str]:
    """A fresh database, not migrated, on a server that has the extension; dropped afterwards."""
    server = os.environ.get("CITYNERVE_TEST_TIMESCALE_URL", "")
    if not server:
        # No package registry has it, so that even CI may be without; a server that is named has to answer.
        pytest.skip("no TimescaleDB: set CITYNERVE_TEST_TIMESCALE_URL to a server of which you may make databases")
    name = f"citynerve_test_{secrets.token_hex(6)}"
    try:
        url = create_database(server, name)
    except psycopg.OperationalError as exc:
        unavailable(f"the server of CITYNERVE_TEST_TIMESCALE_URL did not answer: {exc}")
    yield url
    drop_database(server, name)
