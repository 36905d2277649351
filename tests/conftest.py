"""Fixtures by resource; each stands in its own file under support/."""

import pytest
from hypothesis import settings

from app import kernels

# How long an example takes is the machine's affair: a busy one must not fail a test.
settings.register_profile("citynerve", deadline=None)
settings.load_profile("citynerve")

pytest_plugins = [
    "tests.support.fix_postgres",
    "tests.support.fix_timescale",
    "tests.support.fix_mosquitto",
    "tests.support.fix_kafka",
    "tests.support.fix_log",
]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Before any worker loads a kernel: tests see the sources as they are."""
    if not hasattr(session.config, "workerinput"):
        for package in kernels.PACKAGES:
            kernels.forget_changed(package)
