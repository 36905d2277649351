"""Fixtures by resource; each stands in its own file under support/."""

from hypothesis import settings

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
