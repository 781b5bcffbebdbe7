"""Server-sent events, as OpenAI's clients read them: one JSON object per `data:` line, `[DONE]` after the last."""

from __future__ import annotations

from typing import Any

import msgspec

PING = b": ping\n\n"
DONE = b"data: [DONE]\n\n"
START = b"data: "
END = b"\n\n"

encode = msgspec.json.Encoder().encode


def event(obj: Any) -> bytes:
    return START + encode(obj) + END
