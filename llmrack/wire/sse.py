"""Server-sent events, as OpenAI's clients read them: one JSON object per `data:` line, `[DONE]` after the last."""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import ApiError

DONE = b"data: [DONE]\n\n"
START = b"data: "
END = b"\n\n"

encode = msgspec.json.Encoder().encode


def event(obj: Any) -> bytes:
    return START + encode(obj) + END


def comment(note: str) -> bytes:
    """A comment, which every client skips: what a silent stream sends to stay open."""
    return b": " + (note.encode() or b"ping") + END


def failure(error: ApiError) -> bytes:
    """The event after the chunk that ends a broken stream: Go's and Java's SDKs read an error only from an event that
    is nothing else."""
    return event({"error": error.body()})
