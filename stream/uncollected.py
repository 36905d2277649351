"""Builds large, long-lived tables beside the event loop, and without the collections that only grow with them."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def _no_collections() -> Iterator[None]:
    """Put garbage collection off: it looks through everything built so far, again and again, and finds nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


async def build_aside(build: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `build` in a thread; the event loop goes on meanwhile."""

    def call() -> T:
        with _no_collections():
            return build(*args, **kwargs)

    return await asyncio.to_thread(call)
