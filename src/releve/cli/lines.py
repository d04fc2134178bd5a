"""Log lines: an event in the past tense with its fields, one line each, on standard error."""

from __future__ import annotations

import logging

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Lines(logging.Formatter):
    """Writes `time LEVEL room "what happened" field=value …`."""

    def __init__(self) -> None:
        super().__init__('%(asctime)s %(levelname)s %(name)s "%(message)s"', "%Y-%m-%dT%H:%M:%S%z")

    def formatMessage(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{key}={value!r}" for key, value in vars(record).items() if key not in _PLAIN)
        line = super().formatMessage(record)
        return f"{line} {fields}" if fields else line


class _NotAgain(logging.Filter):
    """Drops what a library says at every attempt to reach a hub that is away: nothing is wrong, the board says it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "eof_received() has no effect when using ssl" not in record.getMessage()


def write_lines(level: int = logging.WARNING) -> None:
    """Send every log line of this process to standard error."""
    lines = logging.StreamHandler()
    lines.setFormatter(Lines())
    lines.addFilter(_NotAgain())
    logging.basicConfig(level=level, handlers=[lines])
    # These say at INFO or ERROR what their callers are told anyway, once for each try.
    for name in ("nats", "httpx", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.CRITICAL if name == "nats" else logging.WARNING)
