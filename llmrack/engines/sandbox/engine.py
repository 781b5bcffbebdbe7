"""The sandbox as an engine: from a body of Ollama's native API to the replies Ollama would send."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from typing import Any

from ...wire import errors
from ...wire.ollama import EmbedReply, Message, Reply
from ..base import EngineRequest, Installed, Loaded
from . import questions, tokens, triggers, vectors
from .answers import Answers
from .delivery import Delivery, Shape, broken_off
from .pace import Pace, Waiter
from .questions import Question

# About the speed of a small model on a processor, which is what test mode stands in for.
PIECES_PER_S = 40.0
CAPABILITIES = ("completion", "tools", "vision", "embedding", "thinking", "insert")
# Large enough that no published context window is refused here.
CONTEXT_TOKENS = 131_072
# The context of the embedding model, in tokens.
EMBED_TOKENS = 8_192
# A text longer than this takes some milliseconds to embed; others get their turn before each.
LONG_CHARS = 4_000


class Sandbox:
    """Test mode. `models` are the names it answers to; `pace` is in pieces per second, zero answers at once.

    The content depends on the request alone. `sleep` takes seconds and is called in steps of at most a quarter.
    `widths` are the dimensions of embedding models that have other than 768.
    """

    def __init__(
        self,
        models: tuple[str, ...],
        *,
        pace: float = PIECES_PER_S,
        sleep: Callable[[float], object] = time.sleep,
        widths: Mapping[str, int] | None = None,
    ) -> None:
        self._models = models
        self._pace = Pace.of(pace)
        self._sleep = sleep
        self._widths = dict(widths or {})
        self._answers = Answers()

    def chat(self, body: dict[str, Any], call: EngineRequest) -> Generator[list[Reply]]:
        """Answer a body of /api/chat; without `"stream": false` it is streamed, as Ollama does."""
        return self._run(questions.of_chat(body, call), body, call, _chat_reply)

    def generate(self, body: dict[str, Any], call: EngineRequest) -> Generator[list[Reply]]:
        """Answer a body of /api/generate."""
        return self._run(questions.of_generate(body, call), body, call, _generate_reply)

    def embed(self, body: dict[str, Any], call: EngineRequest) -> EmbedReply:
        """Answer a body of /api/embed with unit vectors; texts over the context are cut, or refused as asked."""
        given = body.get("input") or []
        texts = [given] if isinstance(given, str) else list(given)
        pace, waiter = self._pace, Waiter(call, self._sleep)
        for text in texts:
            pace = pace.rehearsing(_rehearsed(text))
        for _ in waiter.wait(pace.embed_s):
            pass
        room = (body.get("options") or {}).get("num_ctx") or EMBED_TOKENS
        counts = [tokens.count(text) for text in texts]
        if body.get("truncate") is False and max(counts, default=0) > room:
            raise errors.too_long(_name(call), max(counts), room, call.prompt_param)
        total = sum(min(count, room) for count in counts)
        width = self._widths.get(body.get("model", ""), vectors.DIMENSIONS)
        vectors_of = [vectors.embed(self._read(text, room, waiter), width) for text in texts]
        durations = pace.durations(total, 0)
        return EmbedReply(
            embeddings=[vectors.cut(vector, body.get("dimensions") or width) for vector in vectors_of],
            prompt_eval_count=total,
            total_duration=durations["total_duration"],
            load_duration=durations["load_duration"],
        )

    def version(self) -> str:
        return "sandbox"

    def close(self) -> None:
        """It holds nothing."""

    def model_info(self, name: str) -> dict[str, Any]:
        return {}

    def installed(self) -> list[Installed]:
        return [Installed(name, CAPABILITIES) for name in self._models]

    def loaded(self) -> list[Loaded]:
        return [Loaded(name, CONTEXT_TOKENS) for name in self._models]

    def _run(
        self, question: Question, body: dict[str, Any], call: EngineRequest, shape: Shape
    ) -> Generator[list[Reply]]:
        waiter = Waiter(call, self._sleep)
        waiter.check()
        if question.is_empty:
            yield [_loaded(shape)]
            return
        pace = self._pace.rehearsing(question.rehearsal)
        if question.rehearsal.error:
            yield from waiter.wait(question.rehearsal.first_token_s)
            raise question.rehearsal.error
        prompt_tokens = self._answers.prompt_tokens(question)
        if question.window is not None and prompt_tokens > question.window:
            raise errors.too_long(_name(call), prompt_tokens, question.window, call.prompt_param)
        answer = self._answers.answer(question)
        last = shape("", "")
        last.done, last.done_reason, last.eval_count = True, answer.done_reason, answer.eval_count
        last.prompt_eval_count = prompt_tokens
        for name, duration_ns in pace.durations(last.prompt_eval_count, answer.eval_count).items():
            setattr(last, name, duration_ns)
        delivery = Delivery(question, answer, pace, waiter, shape, last)
        yield from delivery.whole() if body.get("stream") is False else delivery.streamed()

    def _read(self, text: str, room: int, waiter: Waiter) -> str:
        """What of a text fits the context; between long texts others get their turn."""
        if len(text) <= min(LONG_CHARS, room):
            return text
        self._sleep(0)
        waiter.check()
        return "".join(tokens.pieces(text)[:room])


def _name(call: EngineRequest) -> str:
    return call.model.id if call.model else "The model"


def _rehearsed(text: str) -> triggers.Rehearsal:
    """What an input of /api/embed rehearses; failures are raised at once."""
    rehearsal, _ = triggers.read(text)
    if rehearsal.error:
        raise rehearsal.error
    if rehearsal.breaks_mid_stream:
        raise broken_off()
    return rehearsal


def _chat_reply(content: str, thinking: str) -> Reply:
    return Reply(message=Message(content=content, thinking=thinking or None))


def _generate_reply(content: str, thinking: str) -> Reply:
    return Reply(response=content, thinking=thinking or None)


def _loaded(shape: Shape) -> Reply:
    """What Ollama answers to no messages or an empty prompt: the model is in memory, nothing was generated."""
    reply = shape("", "")
    reply.done, reply.done_reason = True, "load"
    return reply
