import pytest
from hypothesis import given
from hypothesis import strategies as st

from portals_api.limits import RateLimiter
from portals_api.paging import CursorError, decode_cursor, encode_cursor


@given(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=60))
def test_a_cursor_brings_its_key_back(key: str) -> None:
    assert decode_cursor(encode_cursor([key, 7]), str, int) == [key, 7]


@given(st.text(min_size=1, max_size=100))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(CursorError):
        decode_cursor(text, str, int, str)


def test_the_window_slides() -> None:
    limiter = RateLimiter(2)
    assert [limiter.retry_after_s("a", at) for at in (0.0, 1.0)] == [0, 0]
    assert limiter.retry_after_s("a", 2.0) > 0
    assert limiter.retry_after_s("b", 2.0) == 0
    assert limiter.retry_after_s("a", 60.5) == 0
