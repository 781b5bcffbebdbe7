"""How many tokens a prompt has at most, from its bytes and from what the model server counted before."""

from __future__ import annotations

from ..catalog import Model
from ..wire.parsed import MESSAGE_TOKENS, PromptSize

# A model's template puts the same tokens around every prompt: so many it surely does not exceed, in (upper, seen).
_Frame = tuple[int, int]


class PromptBounds:
    """Upper bounds on prompts, learned for each model from the counts of its answers.

    The tokenizers in use make no token of less than a byte of text, so a prompt has at most as many tokens as bytes,
    `MESSAGE_TOKENS` for each message, and the frame: what the template adds to every prompt. No frame is larger than
    the smallest prompt that was ever counted with it. Before the first count only the window bounds a prompt, and
    images are bounded by nothing else. Tools have a frame of their own.
    """

    def __init__(self) -> None:
        self._frames: dict[tuple[str, bool, bool], _Frame] = {}

    def bound(self, model: Model, size: PromptSize, *, is_chat: bool) -> int:
        frame = self._frames.get((model.id, is_chat, size.has_tools))
        if frame is None or size.images:
            return model.num_ctx
        return min(model.num_ctx, _plain(size) + max(frame))

    def learn(self, model: Model, size: PromptSize, counted_tokens: int, *, is_chat: bool) -> None:
        if size.images or counted_tokens <= 0:
            return
        where = model.id, is_chat, size.has_tools
        upper, seen = self._frames.get(where, (counted_tokens, 0))
        # A model server that counts more than the bound shows that the frame is larger.
        self._frames[where] = min(upper, counted_tokens), max(seen, counted_tokens - _plain(size))


def _plain(size: PromptSize) -> int:
    return size.bytes + MESSAGE_TOKENS * size.messages
