"""Sentences of test mode: the labelled echo of a prompt, and tool results put into words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from typing import Any

from .questions import Question, ToolResult

QUOTED_CHARS = 160
SPOKEN_CHARS = 400


def echo(question: Question, *, is_repeat: bool) -> str:
    """An answer that says it is test mode and shows what of the request arrived."""
    parts = ["This is test mode: no model has read your prompt."]
    if question.suffix:
        parts.append(f"This text stands where the insertion before “{_short(question.suffix, 40)}” goes.")
    if question.text.strip():
        parts.append(f"You wrote “{_short(question.text, QUOTED_CHARS)}”, and a live key sends that to the model.")
    if question.images:
        prints = ", ".join(sha256(image.encode()).hexdigest()[:8] for image in question.images)
        number = "1 image" if len(question.images) == 1 else f"{len(question.images)} images"
        parts.append(f"It came with {number} (fingerprints: {prints}).")
    if question.has_system:
        parts.append("Your system prompt arrived too.")
    if question.messages > 1:
        parts.append(f"The conversation holds {question.messages} messages.")
    if is_repeat:
        parts.append("The call it asks for was made earlier in this conversation; test mode makes no call twice.")
    return " ".join([*parts, *_missing_tools(question)])


def _missing_tools(question: Question) -> Iterator[str]:
    if question.results:
        return
    names = [str(tool.get("name")) for tool in question.tools]
    wanted = question.rehearsal.tool
    if wanted is not None and wanted not in names:
        yield f"The trigger asks for a tool named {wanted}, but the tools given are: {', '.join(names) or 'none'}."
    elif question.rehearsal.has_parallel_tools and not names:
        yield "The trigger asks for two tool calls, but no tools were given."


def _short(text: str, chars: int) -> str:
    # A quote needs no more of a long text than its beginning.
    flat = " ".join(text[: chars * 4].split())
    return flat if len(flat) <= chars else flat[:chars].rstrip() + "…"


def tell(result: ToolResult) -> str:
    """A tool's answer as a sentence; weather reads like weather."""
    try:
        value = json.loads(result.content)
    except (ValueError, RecursionError):
        return f"According to {result.name}: {_short(result.content, SPOKEN_CHARS) or 'no result'}."
    if isinstance(value, dict) and {"temp_c", "condition"} <= value.keys():
        return _weather(value, result.arguments)
    return f"According to {result.name}, {_short(_spoken(value, 0), SPOKEN_CHARS)}."


def _weather(value: dict[str, Any], arguments: dict[str, Any]) -> str:
    city = arguments.get("city") or arguments.get("location") or value.get("city") or "that place"
    return (
        f"The weather in {city} is currently {value['condition']}"
        f" with a temperature of {value['temp_c']} degrees Celsius."
    )


def _spoken(value: Any, depth: int) -> str:
    if depth > 3:
        return "more"
    if isinstance(value, dict):
        told = [f"{name.replace('_', ' ')} is {_spoken(part, depth + 1)}" for name, part in islice(value.items(), 8)]
        return _joined(told) or "there is nothing to report"
    if isinstance(value, list):
        return _joined([_spoken(part, depth + 1) for part in value[:8]]) or "the list is empty"
    return value if isinstance(value, str) else json.dumps(value)


def _joined(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)
