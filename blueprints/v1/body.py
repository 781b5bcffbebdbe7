"""Reads a request body: bounded in size and in time, JSON whatever its Content-Type says."""

from __future__ import annotations

import time

from flask import request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from llmrack.errors import BodyTooLarge, InvalidRequest, RequestTimedOut, UnsupportedEncoding

from ..extensions import rack, watch


def read() -> bytes:
    """The raw body. Raises UnsupportedEncoding, BodyTooLarge, RequestTimedOut, InvalidRequest."""
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedEncoding(f"Content-Encoding {encoding} is not supported; send the body as plain JSON.")
    timeout_s = rack.settings.body_timeout_s
    started = time.monotonic()
    entry = watch.expect_body(request.environ.get("gunicorn.socket"), timeout_s)
    try:
        data = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise BodyTooLarge(f"The request body is larger than {rack.settings.max_body_bytes} bytes.") from None
    except (ClientDisconnected, OSError) as exc:
        raise _broken(started, timeout_s) from exc
    except Exception as exc:
        # gunicorn's parser raises its own exceptions (gunicorn.http.errors.ParseException) from inside a read.
        if type(exc).__module__.startswith("gunicorn"):
            raise InvalidRequest("The request body is not valid HTTP.", code="malformed_body") from exc
        raise
    finally:
        watch.forget(entry)
    if request.content_length is not None and len(data) < request.content_length:
        raise _broken(started, timeout_s)
    return data


def _broken(started: float, timeout_s: float) -> InvalidRequest | RequestTimedOut:
    if time.monotonic() - started >= timeout_s:
        return RequestTimedOut(f"The request body did not arrive within {timeout_s:.0f} seconds.")
    return InvalidRequest("The request body ended before it was whole.", code="malformed_body")
