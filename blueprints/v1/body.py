"""Reads a request body: bounded in size and in time, JSON whatever its Content-Type says."""

from __future__ import annotations

import time
from typing import Any

from flask import request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from llmrack.errors import BodyTooLarge, InvalidRequest, RequestTimedOut, UnsupportedEncoding

from ..extensions import loaded_rack, watch


def read() -> bytes:
    """The raw body. Raises UnsupportedEncoding, BodyTooLarge, RequestTimedOut, InvalidRequest."""
    environ, settings = request.environ, loaded_rack().settings
    encoding = environ.get("HTTP_CONTENT_ENCODING", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedEncoding(f"Content-Encoding {encoding} is not supported; send the body as plain JSON.")
    timeout_s = settings.body_timeout_s
    started = time.monotonic()
    entry = watch.expect_body(environ.get("gunicorn.socket"), timeout_s)
    try:
        data = _data(environ["wsgi.input"], settings.max_body_bytes)
    except RequestEntityTooLarge:
        raise BodyTooLarge(f"The request body is larger than {settings.max_body_bytes} bytes.") from None
    except (ClientDisconnected, OSError) as exc:
        raise _broken(started, timeout_s) from exc
    except Exception as exc:
        # gunicorn's parser raises its own exceptions (gunicorn.http.errors.ParseException) from inside a read.
        if type(exc).__module__.startswith("gunicorn"):
            raise InvalidRequest("The request body is not valid HTTP.", code="malformed_body") from exc
        raise
    finally:
        watch.forget(entry)
    if data is None:
        raise _broken(started, timeout_s)
    return data


def _data(stream: Any, max_bytes: int) -> bytes | None:
    """The body, or None when it ended too early. Raises what Werkzeug and gunicorn raise."""
    size = request.content_length
    if size is None or size > max_bytes:
        return request.get_data(cache=False)
    # What Werkzeug puts around the stream is for a size that is not known: 15 microseconds.
    data: bytes = stream.read(size)
    return data if len(data) == size else None


def _broken(started: float, timeout_s: float) -> InvalidRequest | RequestTimedOut:
    if time.monotonic() - started >= timeout_s:
        return RequestTimedOut(f"The request body did not arrive within {timeout_s:.0f} seconds.")
    return InvalidRequest("The request body ended before it was whole.", code="malformed_body")
