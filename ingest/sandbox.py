"""The process in which vendors' codecs run: one JSON request a line, one answer a line, nothing else.

It is started by `ingest.codecs` as a script of its own, with no more of Python than this file: whatever a codec does to
its engine ends here, and whoever asked can end it. Contexts hold memory and time limits of QuickJS besides.
"""

import json
import re
import resource
import sys
from collections import OrderedDict
from pathlib import Path
from time import thread_time
from typing import Any

import quickjs  # type: ignore[import-untyped, unused-ignore]

CONTEXTS_MAX = 64
MEMORY_BYTES = 4 * 1024 * 1024
STACK_BYTES = 256 * 1024
COMPILE_S = 0.5
OUTPUT_CHARACTERS_MAX = 64 * 1024
PROCESS_BYTES_MAX = 768 * 1024 * 1024

_PRELUDE = Path(__file__).with_name("sandbox.js").read_text()
_HEAD = "globalThis.__factory = function (__scope) { with (__scope) { return (function () { "
_TAIL = (
    '\n;return [typeof decodeUplink === "function" ? decodeUplink : null,'
    ' typeof Decode === "function" ? Decode : null, typeof Decoder === "function" ? Decoder : null];'
    " }).call(__scope); } };"
)
_LINE = re.compile(r"<input>:([0-9]+)")


def compile_codec(source: str) -> Any:
    """Return a context that holds a codec and can be called again and again.

    Raises
    ------
    quickjs.JSException
        Not JavaScript.
    """
    context = quickjs.Context()
    context.set_memory_limit(MEMORY_BYTES)
    context.set_max_stack_size(STACK_BYTES)
    context.set_time_limit(COMPILE_S)
    context.eval(_PRELUDE)
    context.eval(_HEAD + source + _TAIL)
    context.eval("__seal()")
    return context


class Pool:
    """Codecs that were compiled; the one that was not asked for longest goes when they are too many."""

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}
        self._contexts: OrderedDict[str, Any] = OrderedDict()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run, or check, one codec; an empty request asks only whether there is somebody."""
        if not request:
            return {}
        if "source" in request:
            self._sources[request["codec"]] = request["source"]
        started = thread_time()
        try:
            answer = self._check(request) if request.get("check") else self._run(request)
        except (quickjs.JSException, quickjs.StackOverflow, MemoryError, TypeError, ValueError) as exc:
            # Nobody knows what state a failure has left behind.
            self._contexts.pop(request["codec"], None)
            answer = _failure(str(exc))
        answer["used_s"] = thread_time() - started
        return answer

    def _run(self, request: dict[str, Any]) -> dict[str, Any]:
        codec = request["codec"]
        context = self._contexts.pop(codec, None) or compile_codec(self._sources[codec])
        self._contexts[codec] = context
        if len(self._contexts) > CONTEXTS_MAX:
            self._contexts.popitem(last=False)
        context.set_time_limit(request["limit_s"])
        text = context.get("__run")(request["input"])
        if len(text) > OUTPUT_CHARACTERS_MAX:
            return {"error": "failed", "detail": f"the result is over {OUTPUT_CHARACTERS_MAX} characters"}
        return {"output": text}

    def _check(self, request: dict[str, Any]) -> dict[str, Any]:
        context = compile_codec(self._sources.pop(request["codec"]))
        context.set_time_limit(request["limit_s"])
        if not context.get("__has")():
            return {"error": "failed", "detail": "there is neither decodeUplink, nor Decode, nor Decoder"}
        return {"output": ""}


def _failure(told: str) -> dict[str, Any]:
    """Return what an exception of the engine means; one that had no memory left for its own text says null."""
    line = _LINE.search(told)
    text = told.partition("\n")[0]
    if "interrupted" in text:
        return {"error": "timeout", "detail": "it took too long"}
    if "out of memory" in text or text in ("null", "undefined"):
        return {"error": "failed", "detail": "it needs more memory than it may have"}
    return {"error": "failed", "detail": text[:300], "line": int(line[1]) if line else 1}


def main() -> None:
    """Answer until nobody asks any more."""
    for limit, most in (
        (resource.RLIMIT_AS, PROCESS_BYTES_MAX),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 32),
    ):
        resource.setrlimit(limit, (most, most))
    pool = Pool()
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(json.dumps(pool.answer(json.loads(line))).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
