"""Vendors' own decoders for LoRaWAN devices whose network server hands over raw bytes.

The JavaScript runs in a process of its own (`ingest.sandbox`), asked one message at a time and killed when it does not
answer. How long that may hold up its callers is bounded in sum: see `CodecOptions`.
"""

import hashlib
import json
import logging
import select
import subprocess
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any

from pydantic_core import from_json

from city.errors import DataError
from city.registry import IngestRegistry
from ingest.formats.parsed import ParsedMessage, ParsedObject, RawObject
from ingest.formats.values import add_object
from ingest.metrics import IngestMetrics

logger = logging.getLogger(__name__)

CODEC_CHARACTERS_MAX = 512 * 1024
_SCRIPT = str(Path(__file__).with_name("sandbox.py"))
_SENT_MAX = 256
_START_S = 5.0
_START_AGAIN_S = 10.0
_NO_PROCESS = "the process for codecs does not start: see the log, then replay"


@dataclass(frozen=True, slots=True)
class CodecOptions:
    """How long codecs may take.

    Attributes
    ----------
    limit_s : float
        One message, of CPU; the engine interrupts the codec then.
    answer_s : float
        One message, of the clock; the whole process is killed then.
    free_s : float
        What one message may cost without being counted.
    owed_s_max : float
        A codec whose messages cost more than that in sum is paused.
    forgiven_s : float
        By so much the sum shrinks each second.
    pause_s : float
        How long its messages are set aside unread then.
    """

    limit_s: float = 0.02
    answer_s: float = 0.5
    free_s: float = 0.0005
    owed_s_max: float = 0.2
    forgiven_s: float = 0.01
    pause_s: float = 60.0


class CodecError(DataError):
    """A codec gave nothing.

    Attributes
    ----------
    reason : str
        As in `docs/formats/lorawan-codecs.md`.
    line : int
        Of the codec's text, where one is to blame.
    """

    def __init__(self, reason: str, detail: str, line: int = 1) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.line = line


class _Process:
    """The sandbox's process, started when it is first needed and again after it had to be killed."""

    def __init__(self) -> None:
        self.sent: set[str] = set()
        self._running: subprocess.Popen[bytes] | None = None
        self._end: Callable[[], object] = lambda: None
        self._next_start = float("-inf")

    def ask(self, request: dict[str, Any], answer_s: float) -> dict[str, Any]:
        """Return the answer to one request.

        Raises
        ------
        TimeoutError
            None came in time; the process is gone with all that it held.
        ConnectionError
            The process died.
        CodecError
            There is no process, and none could be started.
        """
        if self._running is None:
            self._start()
        return self._exchange(request, answer_s)

    def _exchange(self, request: dict[str, Any], answer_s: float) -> dict[str, Any]:
        running = self._running
        assert running is not None
        assert running.stdin is not None
        assert running.stdout is not None
        deadline = monotonic() + answer_s
        answer = bytearray()
        try:
            running.stdin.write(json.dumps(request).encode() + b"\n")
            running.stdin.flush()
            waiting = select.poll()
            waiting.register(running.stdout, select.POLLIN)
            while not answer.endswith(b"\n"):
                left = deadline - monotonic()
                if left <= 0 or not waiting.poll(left * 1000):
                    raise TimeoutError
                part = running.stdout.read1(65_536)  # type: ignore[attr-defined]
                if not part:
                    raise ConnectionError("the process ended")
                answer += part
        except TimeoutError:
            self.end()
            raise
        except OSError as exc:
            self.end()
            raise ConnectionError("the process ended") from exc
        told: dict[str, Any] = json.loads(answer)
        return told

    def _start(self) -> None:
        """Start the process and wait for its first word; after a failure, not again for some seconds."""
        now = monotonic()
        if now < self._next_start:
            raise CodecError("codec-failed", _NO_PROCESS)
        try:
            running = subprocess.Popen(  # noqa: S603 - our own script, on our own interpreter
                [sys.executable, "-I", "-B", _SCRIPT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"TZ": "UTC", "LC_ALL": "C.UTF-8"},
                cwd="/",
                # What interrupts us must not interrupt it: it is asked for the last messages, too.
                start_new_session=True,
            )
            self._running = running
            self._end = weakref.finalize(self, _kill, running)
            self._exchange({}, _START_S)
        except OSError as exc:
            self.end()
            self._next_start = now + _START_AGAIN_S
            logger.error("the process for codecs does not start: is memory short?", extra={"reason": str(exc)[:200]})
            raise CodecError("codec-failed", _NO_PROCESS) from exc

    def end(self) -> None:
        """Kill the process, if there is one."""
        self._running = None
        self.sent.clear()
        self._end()


def _kill(running: "subprocess.Popen[bytes]") -> None:
    running.kill()
    for pipe in (running.stdin, running.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                continue  # What could not be written before has nobody left to read it.
    running.wait()


@dataclass(slots=True)
class _Account:
    """What a codec owes for messages that took long."""

    owed_s: float = 0.0
    at: float = 0.0
    paused_until: float = 0.0


class Codecs:
    """All codecs of a city; one for each bridge or replay, used by one thread at a time."""

    def __init__(
        self,
        options: CodecOptions | None = None,
        metrics: IngestMetrics | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._options = options or CodecOptions()
        self._metrics = metrics or IngestMetrics()
        self._clock = clock
        self._process = _Process()
        self._accounts: dict[str, _Account] = {}

    def decode(self, source: str, raw: RawObject, at_us: int) -> Any:
        """Return what a codec makes of one payload, as JSON holds it.

        Parameters
        ----------
        source : str
            The codec's text.
        at_us : int
            The time at which its clock stands, µs UTC.

        Raises
        ------
        CodecError
            It gave nothing.
        """
        name = _name_of(source)
        account = self._accounts.setdefault(name, _Account())
        if self._clock() < account.paused_until:
            raise CodecError("codec-paused", "the codec took too long too often: it is left alone for a minute")
        told = {"bytes": list(raw.data), "port": raw.port, "at_ms": at_us // 1000}
        answer = self._ask(name, source, {"input": json.dumps(told), "limit_s": self._options.limit_s}, account)
        if "error" in answer:
            raise CodecError(f"codec-{answer['error']}", f"the codec failed: {answer['detail']}")
        try:
            output = from_json(answer["output"])
        except ValueError as exc:
            raise CodecError("codec-failed", f"the codec's result is no JSON: {str(exc)[:200]}") from exc
        if "errors" in output:
            raise CodecError("codec-failed", f"the codec says: {output['errors'][:300]}")
        if not isinstance(output.get("data"), dict | list):
            raise CodecError("codec-failed", "the codec's result holds no values")
        return output["data"]

    def check(self, source: str) -> None:
        """See whether a codec can be compiled and has a function to call.

        Raises
        ------
        CodecError
            It has not, at `line`.
        """
        if len(source) > CODEC_CHARACTERS_MAX:
            raise CodecError("codec-failed", f"over {CODEC_CHARACTERS_MAX} characters")
        answer = self._ask("check", source, {"check": True, "limit_s": self._options.limit_s}, _Account())
        self._process.sent.discard("check")
        if "error" in answer:
            raise CodecError(
                f"codec-{answer['error']}",
                answer["detail"],
                min(answer.get("line", 1), max(1, len(source.splitlines()))),
            )

    def close(self) -> None:
        """End the sandbox."""
        self._process.end()

    def _ask(self, name: str, source: str, request: dict[str, Any], account: _Account) -> dict[str, Any]:
        """Ask the sandbox, and charge the codec for what that took."""
        if len(self._process.sent) >= _SENT_MAX:
            self._process.end()
        started = monotonic()
        for _ in range(2):
            told = request if name in self._process.sent else {**request, "source": source}
            try:
                answer = self._process.ask({"codec": name, **told}, self._options.answer_s)
            except TimeoutError:
                answer = {"error": "timeout", "detail": "it did not answer, and was ended"}
            except ConnectionError:
                # Whoever ended it may not have been this codec: it is asked once more.
                answer = {"error": "failed", "detail": "its process ended"}
                continue
            else:
                self._process.sent.add(name)
            break
        self._charge(name, account, answer.get("used_s", monotonic() - started))
        return answer

    def _charge(self, name: str, account: _Account, used_s: float) -> None:
        now, options = self._clock(), self._options
        self._metrics.codec_seconds.inc(used_s)
        forgiven = (now - account.at) * options.forgiven_s
        account.owed_s = max(0.0, account.owed_s - forgiven) + max(0.0, used_s - options.free_s)
        account.at = now
        if account.owed_s > options.owed_s_max:
            account.owed_s, account.paused_until = 0.0, now + options.pause_s
            self._metrics.codec_pauses.inc()
            logger.warning(
                "a codec takes too long, its messages are set aside for a while: mend it and replay them",
                extra={"codec_sha256": name, "paused_s": options.pause_s},
            )


@lru_cache(maxsize=_SENT_MAX)
def _name_of(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def decode_raw(
    message: ParsedMessage, gateway_id: str, registry: IngestRegistry, codecs: Codecs, received_at: int
) -> None:
    """Turn a message's raw bytes into readings by the codec of each device; ``message.refused`` takes the rest.

    Parameters
    ----------
    received_at : int
        µs UTC: the codec's clock stands there where the message tells no time.
    """
    waiting, message.raw = message.raw, []
    for raw in waiting:
        known = registry.devices.get(raw.device)
        if gateway_id not in registry.gateways or known is None or known.gateway_id != gateway_id:
            # Nobody's bytes are run through a codec: the look-up that follows says what is wrong with the device.
            message.objects.append(ParsedObject(raw.position, raw.device, raw.at_us, {"": 0}))
            continue
        if not known.profile.codec:
            detail = f"{known.device_id} sends raw bytes, and its profile names no codec: add one, then replay"
            message.refuse("no-codec", detail, raw.position, "")
            continue
        try:
            data = codecs.decode(known.profile.codec, raw, received_at if raw.at_us is None else raw.at_us)
        except CodecError as exc:
            message.refuse(exc.reason, f"{known.device_id}: {exc.detail}", raw.position, "")
            continue
        values = data if isinstance(data, dict) else {str(place): value for place, value in enumerate(data)}
        if values:
            add_object(message, ParsedObject(raw.position, raw.device, raw.at_us, {}), values)
