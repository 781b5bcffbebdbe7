"""What test mode says to a question: the triggers first, then known prompts, tools, JSON to a schema, or an echo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, cycle, islice

from . import prose, tokens
from .cuts import Answer, at_length, at_stop
from .instances import instance, json_keys
from .instances.hints import Hints
from .known import KnownPrompts
from .questions import Question
from .tool_calls import decide
from .triggers import CUT_AFTER_PIECES, explain_unknown

_OPENING = "Test mode is counting tokens."
_FILLER = " This sentence fills the page, as the trigger asked, and says nothing that was not said before."
# A greeting in characters that break careless clients: a family joined by invisible joiners, a flag of two letters,
# an accent that is its own code point, right-to-left words, a letter beyond the sixteen-bit range, and text that only
# looks like the end of a stream.
UNICODE = "Hello 👩‍👩‍👧‍👦 🇫🇷 cafe\u0301 naïve مرحبا بالعالم שלום עולם 你好，世界 𝒳 ✓ “data: [DONE]”"


class Answers:
    """Answers questions; holds the known prompts and nothing that changes."""

    def __init__(self) -> None:
        self._known = KnownPrompts()

    def answer(self, question: Question) -> Answer:
        """The whole answer: pieces or calls, thinking, and why it ends."""
        wanted = question.rehearsal
        calls = () if wanted.unknown is not None or wanted.is_empty else decide.choose(question, self._tool(question))
        if calls:
            answer = Answer(calls=calls, call_tokens=sum(tokens.count(decide.written(call)) for call in calls))
        else:
            answer = at_stop(Answer(tuple(self._pieces(question))), question.stop)
        if wanted.has_invalid_json:
            # What breaks off is an answer cut at its length; any other answer is held to its format.
            answer = replace(answer, done_reason="length")
        if question.thinks or wanted.has_reasoning:
            answer = replace(answer, thinking=tokens.pieces(" ".join(_thoughts(question, bool(calls)))))
        # A full window leaves one token, as the model server does.
        left = max(1, question.window - self.prompt_tokens(question)) if question.window else None
        limits = [limit for limit in (question.limit, left, CUT_AFTER_PIECES if wanted.is_cut else None) if limit]
        return at_length(answer, min(limits, default=None))

    def prompt_tokens(self, question: Question) -> int:
        """The count to report; written down for captured conversations of one message, else counted."""
        known = self._known.find(question) if question.messages == 1 else None
        return (known and known.prompt_tokens) or question.prompt_tokens

    def _tool(self, question: Question) -> str | None:
        """The tool that answers a known prompt, "" where none does, None for a prompt that is not known."""
        known = self._known.find(question)
        return (known.tool or "") if known else None

    def _pieces(self, question: Question) -> Iterator[str]:
        wanted = question.rehearsal
        if wanted.unknown is not None:
            yield from tokens.pieces(explain_unknown(wanted.unknown))
        elif wanted.is_empty:
            return
        elif wanted.long_pieces:
            endless = chain(tokens.pieces(_OPENING), cycle(tokens.pieces(_FILLER)))
            yield from islice(endless, wanted.long_pieces)
        elif wanted.has_invalid_json or question.format is not None:
            yield from tokens.pieces(self._json(question))
        elif wanted.has_unicode:
            yield from UNICODE
        else:
            yield from self._prose(question)

    def _prose(self, question: Question) -> Iterator[str]:
        known = self._known.find(question)
        if question.results:
            yield from tokens.pieces(" ".join(map(prose.tell, question.results)))
        elif known and known.pieces and not question.images and not question.suffix:
            yield from known.pieces
        else:
            is_repeat = decide.asks_for_repeat(question, self._tool(question))
            yield from tokens.pieces(prose.echo(question, is_repeat=is_repeat))

    def _json(self, question: Question) -> str:
        schema = question.format if isinstance(question.format, dict) else json_keys.asked(question.text)
        if schema is not None:
            said = " ".join([question.text, *(result.content for result in question.results)])
            value = instance.instance(schema, Hints(said), "response_format")
        else:
            value = {"test_mode": True, "answer": "".join(self._prose(question))}
        text = json.dumps(value, ensure_ascii=False)
        return _broken(text) if question.rehearsal.has_invalid_json else text


def _broken(text: str) -> str:
    """JSON that breaks off; a text too short to break is replaced by one that is not."""
    return text[: len(text) * 2 // 3] if len(text) > 8 and text[0] in '{["' else '{"answer": "this breaks o'


def _thoughts(question: Question, calls_tool: bool) -> Iterator[str]:
    """More of them at a higher level of thinking."""
    yield "The user wants an answer, and I am the test mode of this API."
    if question.thinks != "low":
        yield f"The prompt has {question.prompt_tokens} tokens, and no model will read them."
    if question.thinks in ("high", "max"):
        yield "I could go on for much longer, as a model at this level would."
    yield "I will call a tool." if calls_tool else "I will answer briefly."
