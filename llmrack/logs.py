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

_OWN = vars(logging.LogRecord("", 0, "", 0, "", (), None))
_STANDARD = frozenset(_OWN) | {"message", "asctime", "taskName"}

MASK = "[secret]"
_NAMES = "password|passwd|passphrase|secret|token|api_?key"
# A value in quotes to its closing quote, in quotes that are escaped because they stand in JSON, or without any. Every
# repetition is bounded, and nothing before a name is repeated, so that a line of any length takes linear time.
_VALUE = r"""\\+(["'])(?:(?!\\+\1).){0,4000}|"(?:[^"\\]|\\.){0,4000}|'(?:[^'\\]|\\.){0,4000}|[^\s"'&,;}\\]{1,4000}"""
# What must never be in a log: our keys, what authorizes a request, cookies, passwords and tokens, the secrets of
# second factors and of services we talk to, and a password inside a URL.
SECRETS = re.compile(
    r"\b(?:rl_(?:live|test)_|sk_|rk_|whsec_)[A-Za-z0-9_-]+|otpauth://[^\s\"']+"
    r"|(?i:\b(?:bearer|basic))\s{1,8}[^\s\"',]+"
    r"|(?i:\bcookie)[\\\"']{0,8}\s{0,8}[:=]\s{0,8}[^\r\n\"\\]+"
    rf"|(?i:{_NAMES})(?i:_(?:hash|key|value))?[\\\"']{{0,8}}\s{{0,8}}[:=]\s{{0,8}}(?:{_VALUE})"
    r"|(?<=://)[^\s/?#\"']{1,400}(?=@)",
    re.DOTALL,
)
# One of these is in every secret's line: looking for them costs a tenth of the expression. Only `token` is told from
# `tokens`, which is in every line about a request.
_MARKS = (
    "rl_live_", "rl_test_", "sk_", "rk_", "whsec_", "bearer", "basic", "cookie", "pass", "secret", "apikey", "api_key",
    "://", "token=", "token:", "token ", "token\"", "token'", "token\\", "token_hash", "token_key", "token_value",
)  # fmt: skip
# json.dumps would make a new encoder for each line.
_encode = json.JSONEncoder(ensure_ascii=True, default=str).encode


def redact(text: str) -> str:
    """`text` with its secrets masked."""
    return SECRETS.sub(MASK, text) if _may_hold_secret(text) else text


def _may_hold_secret(text: str) -> bool:
    lowered = text.lower()
    return any(mark in lowered for mark in _MARKS)


def _redacted(value: object) -> object:
    """A field of a line with every text in it masked, and what stands under the name of a secret as a whole."""
    if isinstance(value, dict):
        return {
            key: MASK if isinstance(inner, str) and _IS_SECRET(str(key)) else _redacted(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redacted(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))


_IS_SECRET = re.compile(rf"(?:{_NAMES}|cookie|authorization)(?:_hash|_key|_value)?$", re.IGNORECASE).search


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
        text = _encode(line)
        # Masked before it is JSON, where quotes are quotes; few lines need it.
        return _encode(_redacted(line)) if _may_hold_secret(text) else text


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
