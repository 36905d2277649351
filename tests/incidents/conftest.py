"""The desk's tests run on the small city."""

from tests.support.small_city import city_url, rows

__all__ = ["city_url", "rows"]
