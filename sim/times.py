"""Reads times with a zone."""

from datetime import datetime


def parse_time(text: str) -> datetime:
    """Return RFC 3339 as an aware datetime.

    Raises
    ------
    ValueError
        Not a time, or without a zone.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no zone: write it as 2026-11-23T18:00:00Z")
    return at
