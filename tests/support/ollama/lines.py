"""An answer as the lines of a reply stream, each with what it means for the record."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from .answers import Answer, call, pieces
from .http import encode
from .scripts import Script


@dataclass(frozen=True)
class Line:
    """Bytes with their newline, what they carry, and how long to wait before them."""

    data: bytes
    content: str = ""
    thinking: str = ""
    calls: int = 0
    is_done: bool = False
    wait_s: float = 0.0


@dataclass
class Turn:
    """One answer being told: the request's body, the script, what is said, the prompt's tokens."""

    body: dict[str, Any]
    script: Script
    answer: Answer
    prompt_tokens: int
    is_chat: bool
    load_ns: int = 0
    started_ns: int = 0

    def counters(self) -> dict[str, Any]:
        spent = time.monotonic_ns() - self.started_ns
        counted = {
            "total_duration": spent + self.load_ns,
            "load_duration": self.load_ns or 1_000_000,
            "prompt_eval_count": self.prompt_tokens,
            "prompt_eval_duration": 1_000_000 + 10_000 * self.prompt_tokens,
            "eval_count": self.answer.tokens(),
            "eval_duration": max(1, spent),
        }
        return self.script.counters_said(counted)

    def last(self, content: str = "", thinking: str = "", calls: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        row = self.row(content, thinking, calls) | {"done": True, "done_reason": self.answer.reason} | self.counters()
        if not self.is_chat and not self.body.get("raw"):
            row["context"] = list(range(self.prompt_tokens % 1000 + len(self.answer.content)))
        return row

    def row(self, content: str = "", thinking: str = "", calls: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        said: dict[str, Any] = {"thinking": thinking} if thinking else {}
        said |= {"tool_calls": calls} if calls else {}
        row: dict[str, Any] = {"model": self.body["model"], "created_at": now()}
        row |= {"message": {"role": "assistant", "content": content} | said} if self.is_chat else {"response": content}
        row |= {} if self.is_chat else said
        row["done"] = False
        if content and self.body.get("logprobs"):
            row["logprobs"] = [logprob(content, int(self.body.get("top_logprobs") or 0))]
        return row


def now() -> str:
    """RFC 3339 with nanoseconds, as Go writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "789Z"


def logprob(token: str, top: int) -> dict[str, Any]:
    def one(text: str, rank: int) -> dict[str, Any]:
        return {"token": text, "logprob": round(math.log(0.9 / 2**rank), 6), "bytes": list(text.encode())}

    others = [one(token if rank == 0 else f"{token}{rank}", rank) for rank in range(top)]
    return one(token, 0) | ({"top_logprobs": others} if others else {})


def shaped(answer: Answer, script: Script, options: dict[str, Any], wants_thinking: bool) -> Answer:
    """The plain answer, changed by the script, cut by `stop` and `num_predict`."""
    if script.text is not None:
        answer = Answer(pieces(script.text))
    if script.tokens is not None:
        answer = Answer([" word"] * script.tokens)
    if script.calls is not None:
        made = [call(index, c["name"], c.get("arguments", {})) for index, c in enumerate(script.calls)]
        answer = replace(answer, calls=made, content=answer.content if script.text is not None else [])
    if wants_thinking or script.thinking is not None:
        text = script.thinking if script.thinking is not None else "Let me think about that for a moment."
        answer = replace(answer, thinking=pieces(text))
    answer = _stopped(answer, [word for word in options.get("stop") or [] if word])
    limit = int(options.get("num_predict") or -1)
    if 0 < limit < answer.tokens():
        room = max(0, limit - len(answer.thinking))
        calls = answer.calls if answer.tokens() - 1 <= limit else []
        answer = replace(answer, thinking=answer.thinking[:limit], content=answer.content[:room], calls=calls)
        answer.reason = "length"
    return answer


def _stopped(answer: Answer, stops: list[str]) -> Answer:
    text = "".join(answer.content)
    cuts = [text.find(word) for word in stops if word in text]
    return replace(answer, content=pieces(text[: min(cuts)])) if cuts else answer


def stream(turn: Turn) -> Iterator[Line]:
    """The turn line by line. The counters are taken when the last line is made."""
    script, answer = turn.script, turn.answer
    if script.lines is not None:
        yield from literal(script.lines)
        return
    if script.fault == "huge_line":
        yield _line(turn.row(content="x" * int(script.argument(10_000_000))), content="x")
    for piece in answer.thinking:
        yield _line(turn.row(thinking=piece), thinking=piece, wait_s=script.pace_s)
    if script.calls_at != "final":
        yield from _calls(turn)
    endless = itertools.repeat(" word") if script.fault == "never_ends" else ()
    for piece in itertools.chain(answer.content, endless):
        yield _line(turn.row(content=piece), content=piece, wait_s=script.pace_s)
    final = _dressed(answer.calls, script) if script.calls_at == "final" else []
    yield _line(turn.last(calls=final), calls=len(final), is_done=True)


def _calls(turn: Turn) -> Iterator[Line]:
    """All on one line, or one line each when the script says `split`."""
    dressed = _dressed(turn.answer.calls, turn.script)
    groups = [[one] for one in dressed] if turn.script.calls_at == "split" else [dressed] if dressed else []
    for group in groups:
        yield _line(turn.row(calls=group), calls=len(group), wait_s=turn.script.pace_s)


def _dressed(calls: list[dict[str, Any]], script: Script) -> list[dict[str, Any]]:
    """The calls with the identifiers and indexes that the script leaves them."""
    rows = []
    for one in calls:
        function = one["function"] | ({"index": 0} if script.equal_indexes else {})
        rows.append(({"id": one["id"]} if script.call_ids else {}) | {"function": function})
    return rows


def literal(items: Iterable[Any]) -> Iterator[Line]:
    """Lines given by a test: an object is one line, a string goes out as it is, `{"wait_s": x}` waits."""
    wait_s = 0.0
    for item in items:
        if isinstance(item, dict) and set(item) == {"wait_s"}:
            wait_s += item["wait_s"]
            continue
        if isinstance(item, str):
            yield Line(item.encode("utf-8", "surrogateescape"), wait_s=wait_s)
        else:
            message = item.get("message") or item
            content = message.get("content") or item.get("response") or ""
            yield _line(
                item,
                content=content if isinstance(content, str) else "",
                thinking=message.get("thinking") or "",
                calls=len(message.get("tool_calls") or ()),
                is_done=item.get("done") is True,
                wait_s=wait_s,
            )
        wait_s = 0.0


def joined(turn: Turn) -> dict[str, Any]:
    """The answer without streaming: one object with everything and the counters."""
    calls = _dressed(turn.answer.calls, turn.script)
    row = turn.last("".join(turn.answer.content), "".join(turn.answer.thinking), calls)
    row.pop("logprobs", None)
    if turn.body.get("logprobs"):
        row["logprobs"] = [logprob(p, int(turn.body.get("top_logprobs") or 0)) for p in turn.answer.content]
    if turn.script.fault == "clean_end_no_done":
        row = {name: row[name] for name in ("model", "created_at", "message", "response") if name in row}
        row["done"] = False
    return row


def _line(row: dict[str, Any], **meaning: Any) -> Line:
    return Line(encode(row) + b"\n", **meaning)
