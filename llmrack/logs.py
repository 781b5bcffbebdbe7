"""One JSON object per log line, in UTC, with the id of the request it belongs to and no secret in it."""

from __future__ import annotations

import functools
import itertools
import json
import logging
import re
import time
from contextvars import ContextVar
from typing import TextIO

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

# What must never be in a log: our keys, bearer headers, cookies, passwords, and the secrets of services we talk to.
SECRETS = re.compile(
    r"\b(?:rl_(?:live|test)_|sk_|rk_|whsec_)[A-Za-z0-9_-]+|(?i:bearer)\s+[^\s\"',]+"
    r"|(?i:\bcookie)[\\\"']*\s*[:=]\s*[^\r\n\"\\]+|(?i:\w*password)[\\\"']*\s*[:=]\s*[\\\"']*[^\s\"'&,}\\]+"
)
_OWN = vars(logging.LogRecord("", 0, "", 0, "", (), None))
_STANDARD = frozenset(_OWN) | {"message", "asctime", "taskName"}


# One of these is in every secret: looking for them costs a tenth of the expression.
_MARKS = ("rl_live_", "rl_test_", "sk_", "rk_", "whsec_", "bearer", "cookie", "password")
# json.dumps would make a new encoder for each line.
_encode = json.JSONEncoder(ensure_ascii=True, default=str).encode


def redact(text: str) -> str:
    lowered = text.lower()
    return SECRETS.sub("[secret]", text) if any(mark in lowered for mark in _MARKS) else text


@functools.lru_cache(maxsize=4)
def _second(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))


class JsonFormatter(logging.Formatter):
    """`{"time", "level", "logger", "message", "request_id"}`, the record's extra fields, and a traceback as `error`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (id_ := request_id.get()) is not None:
            line["request_id"] = id_
        # What the caller added comes after what every record has.
        for key, value in itertools.islice(vars(record).items(), len(_OWN), None):
            if key not in _STANDARD:
                line[key] = value
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return redact(_encode(line))


class _LineHandler(logging.StreamHandler[TextIO]):
    """One write a line. Standard error is flushed with each line by itself, and one write needs no lock around it."""

    def createLock(self) -> None:
        self.lock = None

    def flush(self) -> None:
        """Nothing is left to write."""


def configure(level: str) -> None:
    """Send every log line of this process to standard error as JSON."""
    handler = _LineHandler()
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Nothing of this is in a line; finding the caller alone costs as much as writing it out
    # (https://docs.python.org/3/howto/logging.html#optimization).
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # Alembic tells every start that it has nothing to do.
    logging.getLogger("alembic").setLevel(logging.WARNING)
