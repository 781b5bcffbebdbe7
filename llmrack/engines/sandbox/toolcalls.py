"""Whether to call a tool, which one, and with what arguments."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from ...wire.ollama import Function, ToolCall
from . import schemas
from .hints import Hints, words
from .questions import Question

# Words that nearly every tool and nearly every question share.
_SAYS_LITTLE = frozenset(
    words(
        "get set the a an and or of for in on to by with from is are be do does it its this that current given return"
        " retrieve fetch call tool function use user value name string number list which what how who where when why"
        " can could will would please me my you your i at as if not new any all single word one some about there"
    )
)
_ASKING_WORDS = (
    "what where when which who how is are does do can could will find look show tell check search get list compute"
    " calculate convert book send create"
)
_ASKS = frozenset(_ASKING_WORDS.split())
# A name tells more about a tool than its description, and that more than its parameters.
_NAME_SCORE, _DESCRIPTION_SCORE, _PARAMETER_SCORE = 3, 2, 1
# The letters Ollama makes its own ids of.
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def choose(question: Question) -> tuple[ToolCall, ...]:
    """The calls an answer makes: none, one, or two when the trigger asks for it.

    Tool results at the end of the conversation are answered in prose, so that a rehearsed loop ends.
    """
    wanted = question.rehearsal
    if question.results or not question.tools or wanted.is_without_tools:
        return ()
    if wanted.tool is not None:
        return tuple(_call(tool, question, 0) for tool in question.tools if tool.get("name") == wanted.tool)[:1]
    ranked = sorted(question.tools, key=lambda tool: -_score(tool, question.text))
    if wanted.has_parallel_tools:
        pair = [ranked[0], ranked[1] if len(ranked) > 1 and _score(ranked[1], question.text) > 0 else ranked[0]]
        return tuple(_call(tool, question, position) for position, tool in enumerate(pair))
    return (_call(ranked[0], question, 0),) if _is_due(question, ranked[0]) else ()


def _is_due(question: Question, best: dict[str, Any]) -> bool:
    if question.must_call:
        return True
    return _score(best, question.text) >= _DESCRIPTION_SCORE or (len(question.tools) == 1 and _asks(question.text))


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


def _asks(text: str) -> bool:
    said = text.lower().split()
    return len(said) > 2 and (said[0].strip(",'") in _ASKS or text.rstrip().endswith("?"))


def _call(tool: dict[str, Any], question: Question, position: int) -> ToolCall:
    name = tool.get("name") or ""
    schema = tool.get("parameters") or {"type": "object"}
    schema = schema if "type" in schema or "$ref" in schema or "allOf" in schema else {"type": "object", **schema}
    arguments = schemas.instance(schema, Hints(question.text, turn=position), f"tools[{name}].parameters")
    seed = json.dumps([question.text, question.messages, name, arguments, position])
    digest = sha256(seed.encode()).digest()
    made = "call_" + "".join(_ID_LETTERS[byte % len(_ID_LETTERS)] for byte in digest[:8])
    return ToolCall(Function(name, arguments, position), made)


def written(call: ToolCall) -> str:
    """The call as a model writes it, which is what its tokens are counted from."""
    return json.dumps({"name": call.function.name, "parameters": call.function.arguments}, ensure_ascii=False)
