"""Logging: the only place that configures handlers. Messages are constant, what varies stands in fields."""

import json
import logging
import sys
from datetime import UTC, datetime

_STANDARD = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_NOISY = {
    "amqtt": logging.ERROR,
    "transitions": logging.ERROR,
    "aiokafka": logging.ERROR,
    "psycopg.pool": logging.ERROR,
}


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """Return what was passed as ``extra=``."""
    return {k: v for k, v in record.__dict__.items() if k not in _STANDARD and not k.startswith("_")}


class TextFormatter(logging.Formatter):
    """One line for people: time, level, process, message, fields."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        told = " ".join(f"{k}={_shown(v)}" for k, v in fields_of(record).items())
        line = f"{at} {record.levelname:<7} {self._process:<7} {record.getMessage()}{' ' if told else ''}{told}"
        return line + (f"\n{self.formatException(record.exc_info)}" if record.exc_info else "")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        body: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            body["exception"] = self.formatException(record.exc_info)
        return json.dumps(body, default=str, ensure_ascii=False)


def configure(level: str, form: str, process: str) -> None:
    """Send everything to stderr in one form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process) if form == "json" else TextFormatter(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, quiet in _NOISY.items():
        logging.getLogger(name).setLevel(max(quiet, logging.getLevelName(level)))


def _shown(value: object) -> str:
    text = str(value).replace("\n", "\\n")
    return json.dumps(text, ensure_ascii=False) if " " in text else text
