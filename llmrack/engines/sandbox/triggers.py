"""The triggers of test mode: what a test writes into its prompt to rehearse a failure or a shape of answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import isnan
from typing import Any

from ... import errors

MAX_FIRST_TOKEN_S = 60.0
MAX_PIECES = 10_000
SLOW_TOKEN_S = 0.5
CUT_AFTER_PIECES = 8
_MAX_RETRY_AFTER_S = 60
_TRIGGER = re.compile(r"\[test:([^\[\]\n]{1,100})\]", re.IGNORECASE)


@dataclass(frozen=True)
class Rehearsal:
    """What the triggers of one request ask for; all defaults mean an ordinary answer."""

    error: errors.ApiError | None = None
    breaks_mid_stream: bool = False
    first_token_s: float = 0.0
    token_s: float = 0.0
    is_cut: bool = False
    long_pieces: int = 0
    is_empty: bool = False
    tool: str | None = None
    is_without_tools: bool = False
    has_parallel_tools: bool = False
    has_invalid_json: bool = False
    has_reasoning: bool = False
    has_unicode: bool = False
    unknown: str | None = None

    @property
    def calls_tools(self) -> bool:
        return self.tool is not None or self.has_parallel_tools


Change = Callable[[str], dict[str, Any] | None]


@dataclass(frozen=True)
class Trigger:
    """One row of the table: `[test:name argument]`, what it does, an example, and where it works.

    `change` turns the written argument into fields of a Rehearsal, or None when the argument makes no sense.
    """

    name: str
    argument: str
    does: str
    example: str
    change: Change = field(repr=False)
    works_on: tuple[str, ...] = ("chat", "completions")

    @property
    def text(self) -> str:
        return f"[test:{self.name} {self.argument}]" if self.argument else f"[test:{self.name}]"


def _number(argument: str, default: float, least: float, most: float) -> float | None:
    if not argument:
        return default
    try:
        number = float(argument)
    except ValueError:
        return None
    return None if isnan(number) else min(max(number, least), most)


def _flag(**changes: Any) -> Change:
    return lambda argument: None if argument else changes


def _seconds(name: str, default: float, most: float) -> Change:
    def change(argument: str) -> dict[str, Any] | None:
        seconds = _number(argument.removesuffix("s").strip(), default, 0.0, most)
        return None if seconds is None else {name: seconds}

    return change


def _pieces(argument: str) -> dict[str, Any] | None:
    wanted = _number(argument, 500, 1, MAX_PIECES)
    return None if wanted is None else {"long_pieces": int(wanted)}


def _error(kind: type[errors.ApiError], retry_after_s: int | None) -> Change:
    def change(argument: str) -> dict[str, Any] | None:
        if retry_after_s is None:
            return {"error": kind(_rehearsed(kind.status))} if not argument else None
        seconds = _number(argument, retry_after_s, 1, _MAX_RETRY_AFTER_S)
        return None if seconds is None else {"error": kind(_rehearsed(kind.status), retry_after_s=int(seconds))}

    return change


def _rehearsed(status: int) -> str:
    return f"This {status} was rehearsed: the prompt contains the test mode trigger [test:error {status}]."


EVERYWHERE = ("chat", "completions", "embeddings")
# The classes a trigger can raise, in order of status; the number is the default Retry-After in seconds. 405 is not
# among them because it depends on the method alone, which a prompt cannot change.
_ERRORS: tuple[tuple[type[errors.ApiError], int | None], ...] = (
    (errors.InvalidRequest, None),
    (errors.AuthenticationFailed, None),
    (errors.InsufficientCredits, None),
    (errors.PermissionRefused, None),
    (errors.NotFound, None),
    (errors.RequestTimedOut, None),
    (errors.BodyTooLarge, None),
    (errors.UnsupportedEncoding, None),
    (errors.RateLimited, 1),
    (errors.InternalError, None),
    (errors.UpstreamError, None),
    (errors.Unavailable, 1),
)


def _error_row(kind: type[errors.ApiError], retry_after_s: int | None) -> Trigger:
    does = f"Answers {kind.status} `{kind.type}`."
    if retry_after_s is not None:
        does = does[:-1] + f" with `Retry-After: {retry_after_s}`; a second number sets other seconds, at most 60."
    return Trigger(
        f"error {kind.status}", "", does, f"Hello [test:error {kind.status}]", _error(kind, retry_after_s), EVERYWHERE
    )


TRIGGERS: tuple[Trigger, ...] = (
    *(_error_row(kind, retry_after_s) for kind, retry_after_s in _ERRORS),
    Trigger(
        "error mid-stream",
        "",
        "Streams a few pieces, then fails as a model server does that dies while answering. A 502 without streaming.",
        "Tell me a story [test:error mid-stream]",
        _flag(breaks_mid_stream=True),
        EVERYWHERE,
    ),
    Trigger(
        "slow-first-token",
        "SECONDS",
        "Waits before the first piece: 3 seconds unless a number is given, at most 60.",
        "Hello [test:slow-first-token 5]",
        _seconds("first_token_s", 3.0, MAX_FIRST_TOKEN_S),
        EVERYWHERE,
    ),
    Trigger(
        "slow-tokens",
        "",
        "Sends two pieces a second, to rehearse read timeouts and a Stop button.",
        "Tell me a story [test:slow-tokens]",
        _flag(token_s=SLOW_TOKEN_S),
    ),
    Trigger(
        "length",
        "",
        f"Cuts the answer after {CUT_AFTER_PIECES} tokens; `finish_reason` is `length`.",
        "Tell me a story [test:length]",
        _flag(is_cut=True),
    ),
    Trigger(
        "long",
        "TOKENS",
        "Answers with exactly so many tokens: 500 unless a number is given, at most 10,000.",
        "Fill the page [test:long 2000]",
        _pieces,
    ),
    Trigger("empty", "", "Answers with nothing at all.", "Say nothing [test:empty]", _flag(is_empty=True)),
    Trigger(
        "tool",
        "NAME",
        "Calls the tool of that name, whatever the prompt says.",
        "Hello [test:tool get_weather]",
        lambda argument: {"tool": argument} if argument else None,
        ("chat",),
    ),
    Trigger(
        "no-tool",
        "",
        "Answers in prose though tools were given.",
        "Weather in Paris? [test:no-tool]",
        _flag(is_without_tools=True),
        ("chat",),
    ),
    Trigger(
        "parallel-tools",
        "",
        "Makes two tool calls in one answer.",
        "Weather in Paris and in Rome? [test:parallel-tools]",
        _flag(has_parallel_tools=True),
        ("chat",),
    ),
    Trigger(
        "invalid-json",
        "",
        "Answers with JSON that breaks off, as at the most tokens allowed; `finish_reason` is `length`.",
        "List three colours [test:invalid-json]",
        _flag(has_invalid_json=True),
    ),
    Trigger(
        "reasoning",
        "",
        "Thinks before it answers, as a reasoning model does.",
        "What is 6 times 7? [test:reasoning]",
        _flag(has_reasoning=True),
    ),
    Trigger(
        "unicode",
        "",
        "Answers with emoji, combining marks and right-to-left text, one code point a piece.",
        "Say hello to the world [test:unicode]",
        _flag(has_unicode=True),
    ),
)


def read(text: str) -> tuple[Rehearsal, str]:
    """What the triggers in a text ask for, and the text without them."""
    rehearsal = Rehearsal()
    written = _TRIGGER.findall(text)
    for trigger in written:
        rehearsal = replace(rehearsal, **_changes(" ".join(trigger.split())))
    return rehearsal, _TRIGGER.sub("", text).strip() if written else text


def _changes(written: str) -> dict[str, Any]:
    # The longest name first: "error 429" would otherwise never meet a row named "error 42".
    for row in sorted(TRIGGERS, key=lambda row: -len(row.name)):
        name, rest = written[: len(row.name)].lower(), written[len(row.name) :]
        if name == row.name and (not rest or rest.startswith(" ")):
            changes = row.change(rest.strip())
            if changes is not None:
                return changes
    return {"unknown": written}


def explain_unknown(written: str) -> str:
    """The answer to an unknown trigger."""
    known = ", ".join(row.text for row in TRIGGERS)
    return f"Test mode does not know the trigger [test:{written}]. These work: {known}."
