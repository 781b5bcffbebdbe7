"""The front page's demo: one short question, answered by test mode without a key, an account or a usage row."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..accounts.throttle import Rule
from ..catalog import Catalog
from ..engines.base import ClientGone, Engine, EngineRequest
from ..errors import ApiError, InvalidRequest
from ..metering.limits import LimitState
from ..wire.chat import request as chat_request
from ..wire.ollama import Reply
from ..wire.parsed import Features

PER_ADDRESS = Rule("demo-address", 30, timedelta(minutes=10))
LONGEST_PROMPT = 500
MOST_TOKENS = 200


@dataclass(frozen=True)
class Answer:
    """A whole answer, for a page without scripts."""

    text: str
    prompt_tokens: int
    completion_tokens: int


class Demo:
    """One question, checked like any request. Raises InvalidRequest."""

    # No account asks, so there is none whose limits could be told.
    limits: LimitState | None = None

    def __init__(
        self, prompt: str, model: str, catalog: Catalog, engine: Engine, call: EngineRequest, *, stream: bool
    ) -> None:
        text = prompt.strip()
        if not text or len(text) > LONGEST_PROMPT:
            raise InvalidRequest(f"Ask something of at most {LONGEST_PROMPT} characters.", param="prompt")
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": MOST_TOKENS,
            "stream": stream,
            **({"stream_options": {"include_usage": True}} if stream else {}),
        }
        self._ask = chat_request.parse(json.dumps(body).encode(), catalog, Features())
        self._id = self._ask.id_prefix + call.request_id.removeprefix("req_")
        self._first: list[Reply] = []
        self._batches = engine.chat(self._ask.bodies(self._ask.output_tokens)[0], call)

    def start(self) -> None:
        """Wait for the first piece, before which a failure can still be a status. Raises ApiError, ClientGone."""
        self._first = next(self._batches)

    def __iter__(self) -> Iterator[bytes]:
        """Server-sent events as `/v1/chat/completions` sends them."""
        wire = self._ask.open_stream(self._id, int(time.time()))
        try:
            if data := wire.feed(0, self._first):
                yield data
            for batch in self._batches:
                if data := wire.feed(0, batch):
                    yield data
            yield wire.close()
        except ClientGone:
            return
        except ApiError as error:
            yield wire.failure(error)

    def close(self) -> None:
        """At the regular end, or when the browser has left."""
        self._batches.close()

    def answer(self) -> Answer:
        """Raises ApiError."""
        wire = self._ask.open_plain(self._id, int(time.time()))
        for batch in self._batches:
            wire.feed(0, batch)
        completion = json.loads(wire.body())
        usage = completion["usage"]
        text = completion["choices"][0]["message"]["content"] or ""
        return Answer(text, usage["prompt_tokens"], usage["completion_tokens"])
