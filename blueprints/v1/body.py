"""Reads a request body: bounded in size, JSON whatever its Content-Type says."""

from __future__ import annotations

from typing import Any

from flask import request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from llmrack.errors import BodyTooLarge, InvalidRequest, UnsupportedEncoding

from ..extensions import loaded_context

# Of a body that is too large so much more is read, and dropped: a client that is still sending when its connection
# ends never reads why.
DRAINED_BYTES = 1024 * 1024
PART_BYTES = 64 * 1024


def read() -> bytes:
    """The raw body. Raises UnsupportedEncoding, BodyTooLarge, RequestTimedOut, InvalidRequest."""
    environ, settings = request.environ, loaded_context().settings
    encoding = environ.get("HTTP_CONTENT_ENCODING", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedEncoding(f"Content-Encoding {encoding} is not supported; send the body as plain JSON.")
    try:
        data = _data(environ["wsgi.input"], settings.max_body_bytes)
    except RequestEntityTooLarge:
        _drain(environ["wsgi.input"], settings.max_body_bytes + DRAINED_BYTES)
        raise BodyTooLarge(f"The request body is larger than {settings.max_body_bytes} bytes.") from None
    except (ClientDisconnected, OSError) as exc:
        raise _broken() from exc
    except Exception as exc:
        # gunicorn's parser raises its own exceptions (gunicorn.http.errors.ParseException) from inside a read.
        if type(exc).__module__.startswith("gunicorn"):
            raise InvalidRequest("The request body is not valid HTTP.", code="malformed_body") from exc
        raise
    if data is None:
        raise _broken()
    return data


def _data(stream: Any, max_bytes: int) -> bytes | None:
    """The body, or None when it ended too early. Raises what Werkzeug and gunicorn raise."""
    size = request.content_length
    if size is None or size > max_bytes:
        return request.get_data(cache=False)
    # What Werkzeug puts around the stream is for a size that is not known: 15 microseconds.
    data: bytes = stream.read(size)
    return data if len(data) == size else None


def _drain(stream: Any, most_bytes: int) -> None:
    """Raises RequestTimedOut."""
    try:
        while most_bytes > 0 and (part := stream.read(PART_BYTES)):
            most_bytes -= len(part)
    except OSError:
        return
    except Exception as exc:
        if not type(exc).__module__.startswith("gunicorn"):
            raise


def _broken() -> InvalidRequest:
    return InvalidRequest("The request body ended before it was whole.", code="malformed_body")
