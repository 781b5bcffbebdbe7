"""Whether to call a tool, which one, and with what arguments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from typing import Any

from ....errors import InvalidRequest
from ....wire.ollama import Function, ToolCall
from ..instances import instance
from ..instances.hints import words
from ..questions import Question, identity
from . import asking
from .inert import InertHints

# Words that nearly every tool and nearly every question share.
_SAYS_LITTLE = frozenset(
    words(
        "get set the a an and or of for in on to by with from is are be do does it its this that current given return"
        " retrieve fetch call tool function use user value name string number list which what how who where when why"
        " can could will would please me my you your i at as if not new any all single word one some about there"
    )
)
# Tools tried for one answer: each costs an instance of its schema.
_MOST_TRIES = 8
# A name tells more about a tool than its description, and that more than its parameters.
_NAME_SCORE, _DESCRIPTION_SCORE, _PARAMETER_SCORE = 3, 2, 1
# The letters Ollama makes its own ids of.
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def choose(question: Question, known_tool: str | None) -> tuple[ToolCall, ...]:
    """The calls an answer makes: none, one, or two when the trigger asks for it.

    Only a trigger, a choice the client forced, a known prompt or a plain request calls a tool. `known_tool` answers a
    known prompt; "" says that the prompt is known and no tool answers it. Results that nothing was said about yet are
    answered in prose, and no call is made a second time, so that every loop of an agent ends. Raises InvalidRequest
    where the client accepts nothing but a call and each was made before.
    """
    if question.results and not question.must_call:
        return ()
    made, fresh = set(question.called), list[ToolCall]()
    for call in islice(_wanted(question, known_tool), _MOST_TRIES):
        if (this := identity(call.function.name, call.function.arguments)) not in made:
            made.add(this)
            call.function.index = len(fresh)
            fresh.append(call)
        if len(fresh) == (2 if question.rehearsal.has_parallel_tools else 1):
            break
    if question.must_call and not fresh and not question.rehearsal.is_without_tools:
        raise InvalidRequest(
            "tool_choice demands a tool call, but test mode makes no call twice in a conversation, and this one holds"
            " each that the prompt leads to. Send tool_choice: auto.",
            param="tool_choice",
            code="repeated_tool_call",
        )
    return tuple(fresh)


def asks_for_repeat(question: Question, known_tool: str | None) -> bool:
    """Whether a call was wanted and is not made because the conversation holds it already."""
    return not question.results and next(_wanted(question, known_tool), None) is not None


def _wanted(question: Question, known_tool: str | None) -> Iterator[ToolCall]:
    """The calls to make, the best first, each made when it is taken."""
    tools, wanted = question.tools, question.rehearsal
    if not tools or wanted.is_without_tools:
        return
    if wanted.tool is not None:
        yield from (_call(tool, question, 0) for tool in tools if tool.get("name") == wanted.tool)
    elif wanted.has_parallel_tools:
        yield from _pairs(question)
    elif question.must_call:
        # Any tool satisfies the client, so one that was called gives way to the next.
        first = asking.asked_for(question.text, tools)
        ranked = sorted(tools, key=lambda tool: (tool is not first, -_score(tool, question.text)))
        yield from (_call(tool, question, 0) for tool in ranked)
    elif known_tool is not None:
        yield from (_call(tool, question, 0) for tool in tools if tool.get("name") == known_tool)
    elif (asked := asking.asked_for(question.text, tools)) is not None:
        yield _call(asked, question, 0)


def _pairs(question: Question) -> Iterator[ToolCall]:
    """Two tools that the prompt speaks of, or the best one for two of the things it names."""
    ranked = sorted(question.tools, key=lambda tool: -_score(tool, question.text))
    yield _call(ranked[0], question, 0)
    if len(ranked) > 1 and _score(ranked[1], question.text) > 0:
        yield _call(ranked[1], question, 1)
    yield _call(ranked[0], question, 1)
    yield from (_call(tool, question, 1) for tool in ranked[1:])


def _score(tool: dict[str, Any], text: str) -> int:
    said = _telling(text)
    parameters = (tool.get("parameters") or {}).get("properties") or {}
    told = " ".join(f"{name} {_description(rule)}" for name, rule in parameters.items())
    return (
        _NAME_SCORE * len(said & _telling(tool.get("name") or ""))
        + _DESCRIPTION_SCORE * len(said & _telling(tool.get("description") or ""))
        + _PARAMETER_SCORE * len(said & _telling(told))
    )


def _description(rule: Any) -> str:
    return str(rule.get("description") or "") if isinstance(rule, dict) else ""


def _telling(text: str) -> set[str]:
    return set(words(text)) - _SAYS_LITTLE


def _call(tool: dict[str, Any], question: Question, position: int) -> ToolCall:
    name = tool.get("name") or ""
    schema = tool.get("parameters") or {"type": "object"}
    schema = schema if "type" in schema or "$ref" in schema or "allOf" in schema else {"type": "object", **schema}
    arguments = instance.instance(schema, InertHints(question.text, tool, turn=position), f"tools[{name}].parameters")
    seed = json.dumps([question.text, question.messages, name, arguments, position])
    digest = sha256(seed.encode()).digest()
    made = "call_" + "".join(_ID_LETTERS[byte % len(_ID_LETTERS)] for byte in digest[:8])
    return ToolCall(Function(name, arguments, position), made)


def written(call: ToolCall) -> str:
    """The call as a model writes it, which is what its tokens are counted from."""
    return json.dumps({"name": call.function.name, "parameters": call.function.arguments}, ensure_ascii=False)
