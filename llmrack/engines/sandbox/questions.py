"""A request as test mode sees it: one shape for the bodies of /api/chat and /api/generate."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..base import EngineRequest
from . import tokens, triggers
from .triggers import Rehearsal


@dataclass(frozen=True)
class ToolResult:
    """What a tool answered, beside the call that asked for it."""

    name: str
    arguments: dict[str, Any]
    content: str


@dataclass(frozen=True)
class Question:
    """`text` is the last thing the user said, without its triggers.

    `called` are the calls of the conversation so far, by `identity`; `results` the tool answers that no assistant's
    message follows. `window` is what prompt and answer must fit, in tokens. Where `must_call` is set, `format` is only
    how a call is written, and left out.
    """

    text: str
    rehearsal: Rehearsal
    prompt_tokens: int
    messages: int = 1
    has_system: bool = False
    is_empty: bool = False
    images: tuple[str, ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    must_call: bool = False
    called: frozenset[str] = frozenset()
    results: tuple[ToolResult, ...] = ()
    suffix: str = ""
    format: Any = None
    thinks: str | bool = False
    limit: int | None = None
    window: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    top_logprobs: int = 0


def of_chat(body: dict[str, Any], call: EngineRequest) -> Question:
    messages = body.get("messages") or []
    asked: dict[str, Any] = next((each for each in reversed(messages) if each.get("role") == "user"), {})
    rehearsal, text = triggers.read(asked.get("content") or "")
    whole = call.schemas.get("tools", {})
    given = [tool.get("function", {}) for tool in body.get("tools") or ()]
    if call.must_call and not given:
        given = _written(body.get("format"))
    tools = [_tool(function, whole) for function in given]
    return Question(
        text=text,
        rehearsal=rehearsal,
        prompt_tokens=tokens.count_prompt(messages, body.get("tools") or []),
        messages=len(messages),
        has_system=any(message.get("role") == "system" for message in messages),
        is_empty=not messages,
        images=tuple(asked.get("images") or ()),
        tools=tuple(tools),
        must_call=call.must_call,
        called=frozenset(_called(messages)),
        results=_results(messages),
        **_shared(body, call),
    )


def identity(name: str, arguments: Any) -> str:
    """What two calls have in common that are the same call."""
    return json.dumps([name, arguments], sort_keys=True, default=str)


def _called(messages: list[dict[str, Any]]) -> Iterator[str]:
    for message in messages:
        for made in message.get("tool_calls") or ():
            function = made.get("function", {})
            yield identity(function.get("name", ""), function.get("arguments") or {})


def _written(format: Any) -> list[dict[str, Any]]:
    """The tools that a model without tools is to call by writing: a schema of {"name", "arguments"}, or several."""
    branches = format.get("anyOf", [format]) if isinstance(format, dict) else []
    return [
        {"name": branch["properties"]["name"]["enum"][0], "parameters": branch["properties"]["arguments"]}
        for branch in branches
    ]


def _tool(function: dict[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    """The tool with all of its schema, of which the body may hold a part."""
    name = function.get("name", "")
    return {**function, "parameters": whole[name]} if name in whole else function


def of_generate(body: dict[str, Any], call: EngineRequest) -> Question:
    prompt = body.get("prompt") or ""
    rehearsal, text = triggers.read(prompt)
    overhead = 0 if body.get("raw") else tokens.TURN_TOKENS + tokens.MESSAGE_TOKENS
    suffix = body.get("suffix") or ""
    images = tuple(body.get("images") or ())
    return Question(
        text=text,
        rehearsal=rehearsal,
        prompt_tokens=max(overhead + tokens.count(prompt + suffix) + tokens.IMAGE_TOKENS * len(images), 1),
        has_system=bool(body.get("system")),
        is_empty=not prompt,
        images=images,
        suffix=suffix,
        **_shared(body, call),
    )


def _shared(body: dict[str, Any], call: EngineRequest) -> dict[str, Any]:
    options = body.get("options") or {}
    limit = options.get("num_predict")
    return {
        "format": None
        if call.must_call or not body.get("format")
        else call.schemas.get("response_format", body["format"]),
        "thinks": body.get("think") or False,
        # Ollama takes zero and less as "no limit".
        "limit": limit if limit and limit > 0 else None,
        "window": options.get("num_ctx"),
        "stop": tuple(text for text in options.get("stop") or () if text),
        "logprobs": bool(body.get("logprobs")),
        "top_logprobs": body.get("top_logprobs") or 0,
    }


def _results(messages: list[dict[str, Any]]) -> tuple[ToolResult, ...]:
    """The tool messages after the last of the assistant, each with its call when the conversation holds it.

    Some agents add a user's message of their own behind them.
    """
    start = len(messages)
    while start and messages[start - 1].get("role") != "assistant":
        start -= 1
    asked = messages[start - 1].get("tool_calls") or [] if start else []
    told = [message for message in messages[start:] if message.get("role") == "tool"]
    return tuple(_result(message, position, asked) for position, message in enumerate(told))


def _result(message: dict[str, Any], position: int, asked: list[dict[str, Any]]) -> ToolResult:
    by_id = [call for call in asked if call.get("id") and call.get("id") == message.get("tool_call_id")]
    call = (by_id or asked[position : position + 1] or [{}])[0].get("function", {})
    name = message.get("tool_name") or call.get("name") or "the tool"
    return ToolResult(name, call.get("arguments") or {}, message.get("content") or "")
