"""An answer in pieces, and where it ends: at a stop text, or at the most tokens allowed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...wire.ollama import ToolCall


@dataclass(frozen=True)
class Answer:
    """One token a piece; the tokens of calls are only counted. `done_reason` is Ollama's `stop` or `length`."""

    pieces: tuple[str, ...] = ()
    thinking: tuple[str, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    call_tokens: int = 0
    done_reason: str = "stop"

    @property
    def eval_count(self) -> int:
        return len(self.thinking) + len(self.pieces) + self.call_tokens


def at_stop(answer: Answer, stops: tuple[str, ...]) -> Answer:
    """The answer before the first stop text, of which nothing is sent; the last piece may be part of one."""
    text = "".join(answer.pieces)
    ends = [end for end in map(text.find, stops) if end >= 0]
    if not ends:
        return answer
    left, kept = min(ends), list[str]()
    for piece in answer.pieces:
        if left <= 0:
            break
        kept.append(piece[:left])
        left -= len(piece)
    return replace(answer, pieces=tuple(kept))


def at_length(answer: Answer, limit: int | None) -> Answer:
    """The answer within so many tokens, thinking first. A call that does not fit is lost, as with a real model."""
    if limit is None or answer.eval_count <= limit:
        return answer
    thinking = answer.thinking[:limit]
    left = limit - len(thinking)
    return Answer(
        pieces=answer.pieces[:left],
        thinking=thinking,
        call_tokens=left if answer.calls else 0,
        done_reason="length",
    )
