"""The process in which vendors' codecs run: one JSON request a line, one answer a line, nothing else.

It is started by `ingest.codec_process` as a script of its own, with no more of Python than this file: whatever a codec
does to its engine ends here, and whoever asked can end it. Every message has an engine of its own, with limits of
memory, stack and time: nothing that a codec leaves behind is there when the next message comes.
"""

import json
import re
import resource
import sys
from pathlib import Path
from time import thread_time
from typing import Any

import quickjs  # type: ignore[import-untyped, unused-ignore]

MEMORY_BYTES = 4 * 1024 * 1024
CHARACTER_BYTES = 24
"""Of memory that a character of a codec's text takes beyond that once it is read."""
STACK_BYTES = 256 * 1024
OUTPUT_CHARACTERS_MAX = 64 * 1024
PROCESS_BYTES_MAX = 768 * 1024 * 1024

_PRELUDE = Path(__file__).with_name("sandbox.js").read_text()
_FOUND = (
    '[typeof decodeUplink === "function" ? decodeUplink : null,'
    ' typeof Decode === "function" ? Decode : null, typeof Decoder === "function" ? Decoder : null]'
)
_ANY = 'typeof decodeUplink === "function" || typeof Decode === "function" || typeof Decoder === "function"'
_NO_FUNCTION = "there is neither decodeUplink, nor Decode, nor Decoder"
_LINE = re.compile(r"<input>:([0-9]+)")


class Codecs:
    """The texts of all codecs that were sent so far, and what they make of a message."""

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run, or check, one codec; an empty request asks only whether there is somebody."""
        if not request:
            return {}
        if "source" in request:
            self._sources[request["codec"]] = request["source"]
        started = thread_time()
        try:
            answer = run(self._sources[request["codec"]], request)
        except (quickjs.JSException, quickjs.StackOverflow, MemoryError, TypeError, ValueError) as exc:
            answer = _failure(str(exc))
        answer["used_s"] = thread_time() - started
        return answer


def run(source: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return what a codec makes of ``request["input"]``; of a check, whether it could be asked at all.

    The codec's text is a script of its own, not a part of one of ours: nothing in it can close what we have opened.

    Raises
    ------
    quickjs.JSException
        It is no JavaScript, throws, or takes too much time or memory.
    """
    context = quickjs.Context()
    context.set_memory_limit(MEMORY_BYTES + CHARACTER_BYTES * len(source))
    context.set_max_stack_size(STACK_BYTES)
    begin = context.eval(_PRELUDE)
    finish = begin(request["input"])
    context.set_time_limit(request["load_s"])
    context.eval(source + "\n;0")
    if request.get("check"):
        return {"output": ""} if context.eval(_ANY) else _failure(_NO_FUNCTION)
    context.set_time_limit(request["limit_s"])
    text = finish(context.eval(_FOUND))
    if len(text) > OUTPUT_CHARACTERS_MAX:
        return _failure(f"the result is over {OUTPUT_CHARACTERS_MAX} characters")
    return {"output": text}


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
    codecs = Codecs()
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(json.dumps(codecs.answer(json.loads(line))).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
