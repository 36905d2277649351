"""Vendors' own decoders for LoRaWAN devices whose network server hands over raw bytes.

The JavaScript runs in a process of its own (`ingest.codec_process`), asked one message at a time. How long that may
hold up its callers is bounded in sum (`ingest.codec_accounts`).
"""

import hashlib
import json
import logging
from collections.abc import Callable
from functools import lru_cache
from time import monotonic
from typing import Any

from pydantic_core import from_json

from city.errors import DataError
from city.registry import IngestRegistry
from ingest.codec_accounts import CodecAccounts, CodecOptions
from ingest.codec_process import CodecProcess, NoProcessError, TookTooLongError
from ingest.formats.parsed import ParsedMessage, ParsedObject, RawObject
from ingest.formats.values import add_object
from ingest.metrics import IngestMetrics

logger = logging.getLogger(__name__)

CODEC_CHARACTERS_MAX = 512 * 1024
_SENT_MAX = 256
_NO_PROCESS = "the process for codecs does not start: see the log, then replay"
_CHECK = "check"


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
        self._process = CodecProcess()
        self._accounts = CodecAccounts(self._options)

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
        if left_s := self._accounts.paused_s(name, self._clock()):
            detail = f"the codec took too long too often: it is left alone for {left_s:.0f} s more, then replay"
            raise CodecError("codec-paused", detail)
        answer = self._ask(name, source, {"bytes": list(raw.data), "port": raw.port, "at_ms": at_us // 1000})
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
        answer = self._answer(_CHECK, source, {"at_ms": 0}, check=True)
        self._process.sent.discard(_CHECK)
        if "error" in answer:
            raise CodecError(
                f"codec-{answer['error']}",
                answer["detail"],
                min(answer.get("line", 1), max(1, len(source.splitlines()))),
            )

    def close(self) -> None:
        """End the sandbox."""
        self._process.end()

    def _ask(self, name: str, source: str, told: dict[str, Any]) -> dict[str, Any]:
        """Ask the sandbox, and charge the codec for what that took."""
        started = monotonic()
        answer = self._answer(name, source, told)
        used_s = answer.get("used_s", monotonic() - started)
        self._metrics.codec_seconds.inc(used_s)
        paused_s = self._accounts.charge(name, len(source), used_s, self._clock())
        if paused_s:
            self._metrics.codec_pauses.inc()
            logger.warning(
                "a codec takes too long, its messages are set aside for a while: mend it and replay them",
                extra={"codec_sha256": name, "paused_s": paused_s},
            )
        return answer

    def _answer(self, name: str, source: str, told: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
        options = self._options
        load_s = options.limit_s + len(source) * options.character_s
        request = {"codec": name, "input": json.dumps(told), "load_s": load_s, "limit_s": options.limit_s}
        if check:
            request["check"] = True
        if len(self._process.sent) >= _SENT_MAX:
            self._process.end()
        for _ in range(2):
            whole = request if name in self._process.sent else {**request, "source": source}
            try:
                answer = self._process.ask(whole, options.answer_s, options.patience_s)
            except TookTooLongError as exc:
                return {"error": "timeout", "detail": "it did not answer, and was ended", "used_s": exc.used_s}
            except NoProcessError as exc:
                raise CodecError("codec-failed", _NO_PROCESS) from exc
            except ConnectionError:
                continue  # Whoever ended it may not have been this codec: it is asked once more.
            self._process.sent.add(name)
            return answer
        return {"error": "failed", "detail": "its process ended"}


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
            message.refuse(*_why_no_codec(known.device_id, raw), raw.position, "")
            continue
        try:
            data = codecs.decode(known.profile.codec, raw, received_at if raw.at_us is None else raw.at_us)
        except CodecError as exc:
            message.refuse(exc.reason, f"{known.device_id}: {exc.detail}", raw.position, "")
            continue
        values = data if isinstance(data, dict) else {str(place): value for place, value in enumerate(data)}
        if not values:
            detail = f"{known.device_id}: the codec finds no value in these bytes: is it the one of this device?"
            message.refuse("no-readings", detail, raw.position, "")
            continue
        add_object(message, ParsedObject(raw.position, raw.device, raw.at_us, {}), values, numbers_in_text=True)


def _why_no_codec(device_id: str, raw: RawObject) -> tuple[str, str]:
    if raw.empty:
        detail = f"{device_id}: the network server's decoder finds no value in these bytes, and no codec is there"
        return "no-readings", detail
    return "no-codec", f"{device_id} sends raw bytes, and its profile names no codec: add one, then replay"
