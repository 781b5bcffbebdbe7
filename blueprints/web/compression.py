"""Public pages travel compressed, with a tag to ask by. Pages of an account do not: they hold secrets."""

from __future__ import annotations

import functools
import gzip

from flask import Response, request

from ..account import web_session

SMALLEST = 1000


def pack(response: Response) -> Response:
    """Tag a finished page, answer 304 to who has it, and compress it for who can read that."""
    if response.status_code != 200 or response.is_streamed or response.direct_passthrough:
        return response
    body = response.get_data()
    response.add_etag(weak=True)
    response.headers.setdefault("Cache-Control", "no-cache")
    response.vary.update(("Accept", "Accept-Encoding", "Cookie"))
    response.make_conditional(request)
    if response.status_code == 200 and len(body) >= SMALLEST and request.accept_encodings.quality("gzip") > 0:
        if not web_session.is_personal():
            response.set_data(_packed(body))
        elif request.query_string or request.method == "POST":
            # What a request brings along must not be compressed with a name: lengths would tell whether they are alike.
            return response
        else:
            # One reader's copy is not worth keeping, and is made at the level that takes the least time.
            response.set_data(gzip.compress(body, 1, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response


@functools.lru_cache(maxsize=64)
def _packed(body: bytes) -> bytes:
    return gzip.compress(body, 6, mtime=0)
