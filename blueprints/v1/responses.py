"""Answers: JSON at once, or server-sent events that are watched until they end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from flask import Response, g, request

from llmrack.engines.base import EngineRequest
from llmrack.inference.complete import Answer
from llmrack.metering.limits import LimitState
from server.connections import Entry
from server.unread import LARGE_BYTES, Unread

from ..extensions import context, watch

SSE_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    # nginx would otherwise collect the stream and hand it over in blocks.
    "X-Accel-Buffering": "no",
}


# What gunicorn still looks at once it has been given the answer, its access log included.
_KEPT = (
    "wsgi.file_wrapper",
    "REQUEST_METHOD",
    "SERVER_PROTOCOL",
    "RAW_URI",
    "PATH_INFO",
    "QUERY_STRING",
    "REMOTE_ADDR",
    "HTTP_REFERER",
    "HTTP_USER_AGENT",
)


class Reply(Response):
    """A response that goes to the server as it stands.

    Werkzeug would copy the headers to look for a Location to complete, and wrap the body to close it: 14 microseconds.
    """

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "HEAD":
            return super().__call__(environ, start_response)
        start_response(self.status, self.headers.to_wsgi_list())
        if isinstance(self.response, Watched):
            # gunicorn keeps it until the stream ends, and with it the whole request: 3 KB, and the body of an agent.
            keep = {name: environ[name] for name in _KEPT if name in environ}
            environ.clear()
            environ.update(keep)
        return self.response


_unread = Unread()


def open_call() -> EngineRequest:
    """The engine's view of this request, abandoned as soon as its client leaves or the worker must stop.

    Raises RateLimited or Unavailable where too much waits to be read.
    """
    caller = g.get("caller")
    if caller is not None:
        _unread.require_room(caller.account_id)
    call = EngineRequest(g.request_id, context.settings.ping_interval_s)
    g.connection = watch.follow(client_socket(), on_gone=call.abandon, on_stop=lambda: call.abandon(is_shutdown=True))
    return call


def client_socket() -> Any:
    """gunicorn's connection, or None under a server that does not show it (Flask's test client)."""
    return request.environ.get("gunicorn.socket")


def close_call() -> None:
    watch.forget(g.connection)


class Read(Protocol):
    """What was read of a request otherwise than it stands there; see `llmrack.wire.parsed.Ask`."""

    ignored: tuple[str, ...]
    replaced: tuple[str, ...]


def json_reply(body: bytes) -> Response:
    return Reply(body, content_type="application/json")


def answer_reply(answer: Answer, ask: Read, call: EngineRequest) -> Response:
    g.token_limits = answer.limits
    reply = json_reply(answer.body)
    if len(answer.body) >= LARGE_BYTES:
        reply.response = _unread.hold(g.caller.account_id, answer.body)
    return marked(reply, ask, call)


class Pieces(Protocol):
    """The bytes of a stream, which may end at any time."""

    @property
    def limits(self) -> LimitState | None: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


def sse_reply(
    streaming: Pieces,
    ask: Read | None = None,
    call: EngineRequest | None = None,
    headers: dict[str, str] = SSE_HEADERS,
) -> Response:
    g.token_limits = streaming.limits
    watched = Watched(streaming, g.connection)
    # Straight to the server: each of Werkzeug's two wrappers costs a microsecond a piece, and stack while it waits.
    reply = Reply(watched, headers=headers, direct_passthrough=True)
    return reply if ask is None else marked(reply, ask, call)


def mark_mode(response: Response) -> Response:
    """Say on every answer of a test key, failures included, that no model was involved."""
    caller = g.get("caller")
    if caller is not None and caller.mode == "test":
        response.headers["x-llmrack-mode"] = "test"
    return response


def marked(response: Response, ask: Read, call: EngineRequest | None) -> Response:
    """Say where a request was answered, what of it had no effect, and where characters of it were replaced."""
    if call is not None and call.host is not None:
        # Of a stream only where its slot came before the status had to be promised.
        response.headers["x-llmrack-host"] = call.host
        response.headers["x-llmrack-queue-wait-ms"] = str(call.queue_ns // 1_000_000)
    if ask.ignored:
        response.headers["x-llmrack-ignored"] = ", ".join(ask.ignored)
    if ask.replaced:
        response.headers["x-llmrack-replaced"] = ", ".join(ask.replaced)
    return response


class Watched:
    """A stream whose end is noticed by the watch and by the meter."""

    def __init__(self, streaming: Pieces, entry: Entry | None) -> None:
        self._streaming = streaming
        self._entry = entry

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._streaming)

    def close(self) -> None:
        watch.forget(self._entry)
        self._streaming.close()
