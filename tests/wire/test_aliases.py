"""A model's other names, on each API."""

from __future__ import annotations

from dataclasses import replace

from llmrack.catalog import Catalog
from llmrack.wire.chat import request as chat_request
from llmrack.wire.messages import request as messages_request
from llmrack.wire.parsed import Features
from llmrack.wire.responses import request as responses_request
from tests.wire.support import CATALOG, encoded

NAMED = Catalog(tuple(replace(m, aliases=("claude-*",)) if m.id == "llama-3.1-8b" else m for m in CATALOG.all))


def test_every_api_takes_an_alias_and_answers_with_the_models_own_id() -> None:
    turn = [{"role": "user", "content": "hi"}]
    for parse, body in (
        (messages_request.parse, {"messages": turn, "max_tokens": 9}),
        (responses_request.parse, {"input": "hi"}),
        (chat_request.parse, {"messages": turn}),
    ):
        ask = parse(encoded({"model": "claude-opus-5-5", **body}), NAMED, Features())  # type: ignore[operator]
        assert ask.model.id == "llama-3.1-8b"
