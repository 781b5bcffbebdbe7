"""Tokens of test mode: a piece of text is a token. Close to what the real tokenizers give for everyday text."""

from __future__ import annotations

import json
import re
from typing import Any

# The splitting rule published with Llama 3's tokenizer, without its merge table: a word with the character before it,
# up to three digits, a run of punctuation, white space. Words over twelve letters fall apart; common ones do not.
_PIECE = re.compile(
    r"(?:[^\w\r\n]|_)?[^\W\d_]{1,12}"
    r"| ?\d{1,3}"
    r"| ?(?:[^\s\w]|_){1,8}"
    # Bounded on purpose: an open-ended run before a line break would take quadratic time on a page of blanks.
    r"|[^\S\r\n]{0,16}[\r\n]{1,16}"
    r"|\s{1,16}"
    r"|.",
    re.DOTALL,
)

# Chat templates put role markers around each message and open the assistant's turn. Together twelve for one message,
# which makes "Reply with the single word PONG" the 18 tokens that phi-3-mini counts.
MESSAGE_TOKENS = 4
TURN_TOKENS = 8
# What Llama 3.1's template says about tools besides their definitions.
TOOLS_TOKENS = 86
# One 336-pixel image of the CLIP encoder that most small vision models use: 24 by 24 patches.
IMAGE_TOKENS = 576


def pieces(text: str) -> tuple[str, ...]:
    """The text in tokens; joined they are the text again."""
    return tuple(_PIECE.findall(text))


def count(text: str) -> int:
    return sum(1 for _ in _PIECE.finditer(text))


def count_prompt(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> int:
    """Tokens of a whole conversation with its tools, as `prompt_eval_count` reports them."""
    total = TURN_TOKENS + sum(_count_message(message) for message in messages)
    return total + (TOOLS_TOKENS + count(json.dumps(tools)) if tools else 0)


def _count_message(message: dict[str, Any]) -> int:
    calls = message.get("tool_calls")
    return (
        MESSAGE_TOKENS
        + count(message.get("content") or "")
        + (count(json.dumps(calls)) if calls else 0)
        + IMAGE_TOKENS * len(message.get("images") or ())
    )
