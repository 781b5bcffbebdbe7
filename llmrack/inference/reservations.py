"""What one request holds of its account's limits, from its admission on and while its answer grows."""

from __future__ import annotations

from collections.abc import Callable, Generator

import msgspec

from ..errors import ApiError, InsufficientCredits, RateLimited
from ..metering.admissions import Admission, Grant
from ..metering.limits import ANSWER_STEP_TOKENS
from ..metering.meter import Meter
from ..metering.prompt_bounds import PromptBounds
from ..wire.ollama import Reply
from ..wire.parsed import LUMP_BYTES, ParsedEmbedding, ParsedRequest, Tally, Usage

Batches = Generator[list[Reply]]
# Makes the model server count the prompt of a choice; yields empty batches while it is silent.
Count = Callable[[int], Generator[list[Reply], None, int]]
_encode = msgspec.json.Encoder().encode


class Reservation:
    """The hold of one request, which covers every token before it is sent on.

    A prompt is held by its bound until it is counted; the answer by as much as was granted, and more in steps.
    `choice` is the part of the request that is being answered: it has a prompt and an answer of its own.
    """

    __slots__ = ("_admission", "_ask", "_bounds", "_finished", "_is_counted", "_meter", "_passed", "_prompts", "grant")

    def __init__(
        self,
        ask: ParsedRequest | ParsedEmbedding,
        admission: Admission,
        prompts: list[int],
        meter: Meter,
        bounds: PromptBounds,
    ) -> None:
        self._ask = ask
        self._admission = admission
        self._meter = meter
        self._bounds = bounds
        self._prompts = prompts
        self._is_counted = [False] * len(self._prompts)
        # Tokens of the answers that have ended, and of the one that is on its way.
        self._finished = self._passed = 0
        self.grant: Grant = meter.admit(admission)

    @property
    def counted_prompt(self) -> int | None:
        """The prompt by the model server's count, once all of it is known."""
        return sum(self._prompts) if all(self._is_counted) else None

    def cover(self, batches: Batches, choice: int, count: Count) -> Batches:
        """Those of `batches` that are covered; where the last token of a limit is used, a last reply that says so.

        What is not covered while the prompt is held by its bound waits: the count may free enough of the bound.
        Raises RateLimited or InsufficientCredits before anything was sent, and Unavailable when the store cannot be
        reached: what cannot be held is not sent.
        """
        if self.grant.must_count:
            for number in range(len(self._prompts)):
                yield from self._count(number, count)
            self._grow(self._admission.output_tokens)
        waiting: list[Reply] = []
        for batch in batches:
            if not batch:
                yield batch
                continue
            waiting += batch
            last = waiting[-1]
            if last.done and not self._is_counted[choice] and last.prompt_eval_count is not None:
                self._know(choice, self.counted(choice, last).prompt_tokens)
            covered = self._take(waiting)
            if waiting and (last.done or self._is_counted[choice] or len(waiting) > self._prompts[choice]):
                break
            yield covered
        else:
            return
        batches.close()
        if not self._is_counted[choice]:
            yield from self._count(choice, count)
            covered += self._take(waiting)
        prompt = self._prompts[choice]
        covered.append(Reply(done=True, done_reason="length", prompt_eval_count=prompt, eval_count=self._passed))
        yield covered

    def _count(self, choice: int, count: Count) -> Batches:
        self._know(choice, (yield from count(choice)))

    def _know(self, choice: int, tokens: int) -> None:
        self._prompts[choice] = tokens
        self._is_counted[choice] = True

    def _take(self, waiting: list[Reply]) -> list[Reply]:
        """Move out of `waiting` what is covered, holding more where that is needed and there is more."""
        for index, reply in enumerate(waiting):
            tokens = answer_tokens(reply)
            if not self._covers(tokens):
                taken, waiting[:] = waiting[:index], waiting[index:]
                return taken
            self._passed += tokens
        taken, waiting[:] = waiting[:], []
        return taken

    def _covers(self, tokens: int) -> bool:
        needed = self._finished + self._passed + tokens
        if needed <= self.grant.output_tokens:
            return True
        try:
            self._grow(max(ANSWER_STEP_TOKENS, needed - self.grant.output_tokens))
        except (RateLimited, InsufficientCredits):
            return False
        return needed <= self.grant.output_tokens

    def _grow(self, tokens: int) -> None:
        """Hold so many more tokens of the answer, or as many as there are, and the prompt as it is known by now."""
        wanted = min(self._admission.output_tokens, self.grant.output_tokens + tokens)
        self.grant = self._meter.grow(self._admission, self.grant, sum(self._prompts), wanted)

    def end(self, choice: int, last: Reply, *, is_repair: bool, is_delivered: bool) -> None:
        """The model server's counts are known: hold them before the end of the answer is sent on.

        What was delivered is charged as it was counted. Raises RateLimited or InsufficientCredits when nothing was.
        """
        usage = self.counted(choice, last)
        if not is_repair:
            self._know(choice, usage.prompt_tokens)
        # A repair is not charged on top of the answer that it replaces.
        self._finished = usage.completion_tokens if is_repair else self._finished + usage.completion_tokens
        self._passed = 0
        self.hold(sum(self._prompts), self._finished, last, is_delivered=is_delivered)

    def hold(self, prompt: int, output: int, last: Reply | None = None, *, is_delivered: bool = False) -> None:
        """Hold these counts unless they are held. An excess of the answer over what is left is taken off `last`."""
        if not self._admission.caller.is_live:
            return
        if prompt <= self.grant.prompt_tokens and output <= self.grant.output_tokens:
            return
        try:
            self.grant = self._meter.grow(self._admission, self.grant, prompt, output)
        except ApiError:
            if not is_delivered:
                raise
            return
        excess = output - self.grant.output_tokens
        if excess > 0 and last is not None and last.eval_count is not None:
            last.eval_count -= excess
            self._finished -= excess

    def counted(self, choice: int, last: Reply) -> Usage:
        """The counts of the last line of an answer, which also teach what the model's template adds to a prompt."""
        size = self._ask.prompt_sizes[choice]
        usage = Tally(self._ask.model, size.estimate, pieces=self._passed, last=last).usage
        if last.prompt_eval_count is not None and self._admission.caller.is_live:
            self._bounds.learn(self._ask.model, size, usage.prompt_tokens, is_chat=self._ask.is_chat)
        return usage


def answer_tokens(reply: Reply) -> int:
    """The tokens of one line: a piece of text is one, a lump of many and a call about a fourth of their bytes."""
    message = reply.message
    if message is None:
        return _text_tokens(reply.response)
    tokens = _text_tokens(message.content) if message.content else 0
    if message.thinking:
        tokens += _text_tokens(message.thinking)
    for call in message.tool_calls or ():
        tokens += 1 + (len(call.function.name) + len(_encode(call.function.arguments))) // 4
    return tokens


def _text_tokens(text: str) -> int:
    return (len(text) // 4 if len(text) > LUMP_BYTES else 1) if text else 0
