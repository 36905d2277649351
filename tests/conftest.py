"""Fixtures by resource; each stands in its own file under support/."""

pytest_plugins = [
    "tests.support.fix_postgres",
    "tests.support.fix_timescale",
    "tests.support.fix_mosquitto",
    "tests.support.fix_kafka",
    "tests.support.fix_log",
]
