"""POST /v1/chat/completions: from the request body to Ollama's /api/chat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ...catalog import Catalog, Model
from ...errors import InvalidRequest
from .. import fields, json_body
from ..fields import rows
from ..json_schema.time_budget import STRETCH_S, TimeBudget, TooCostly
from ..parsed import (
    Features,
    PromptSize,
    estimate,
    header_names,
    least_tokens,
    length_bytes,
    load_body,
    refuse_too_long,
    room,
)
from . import messages, tool_calls, tools
from .messages import Conversation
from .plain import ChatPlain
from .response_format import Format
from .stream import ChatStream, StreamedAnswer
from .tools import Tool

# Words that only mean something beside tools that are used.
_TOOL_FIELDS = ("tools", "tool_choice", "parallel_tool_calls")
_AUTO = tools.Choice()
_EFFORTS = {"minimal": "low", "xhigh": "max"}
# Longest seed the model server's own type holds (an unsigned 32-bit number, of which the last means "random").
_SEEDS = 2**31 - 1


@dataclass
class ChatRequest:
    """A checked request; see `asks.Ask`.

    `tools` are as Ollama reads them, `constraint` is Ollama's `format`. Those of `written` may be called by writing
    {"name", "arguments"} as the answer, because the constraint holds the model to JSON; `must_call` says that nothing
    else is an answer.
    """

    model: Model
    stream: bool
    user: str | None
    ignored: tuple[str, ...]
    replaced: tuple[str, ...]
    prompt_tokens: int
    output_tokens: int
    conversation: Conversation
    options: dict[str, Any]
    tools: list[dict[str, Any]]
    written: list[Tool]
    must_call: bool
    is_parallel: bool
    format: Format | None
    constraint: Any
    think: bool | str | None
    top_logprobs: int | None
    has_usage_chunk: bool
    schemas: dict[str, Any]
    prompt_sizes: tuple[PromptSize, ...]
    endpoint: str = "chat"
    is_chat: bool = True
    prompt_param: str = "messages"
    id_prefix: str = "chatcmpl-"

    def least_prompt_tokens(self) -> int:
        return least_tokens(self.conversation.texts, self.prompt_sizes[0].bytes, self.model.num_ctx)

    def bodies(self, output_tokens: int) -> list[dict[str, Any]]:
        return [self.body(self.conversation.messages, min(output_tokens, self.output_tokens))]

    def body(self, conversation: list[dict[str, Any]], output_tokens: int) -> dict[str, Any]:
        body = load_body(self.model)
        body["messages"] = conversation
        body["stream"] = self.stream
        body["options"] |= {**self.options, "num_predict": max(1, output_tokens)}
        if self.tools:
            body["tools"] = self.tools
        if self.constraint is not None:
            body["format"] = self.constraint
        if self.think is not None:
            body["think"] = self.think
        if self.top_logprobs is not None:
            body["logprobs"] = True
            body["top_logprobs"] = self.top_logprobs
        return body

    def open_stream(self, id: str, created: int) -> StreamedAnswer:
        # Only whole answers are ever asked for again; a stream would keep an agent's prompt for as long as it lasts.
        self.conversation = Conversation()
        return ChatStream(self, id, created)

    def open_plain(self, id: str, created: int) -> ChatPlain:
        return ChatPlain(self, id, created)


R = TypeVar("R", bound=ChatRequest)


def parse(raw: bytes, catalog: Catalog, features: Features) -> ChatRequest:
    """The request in a body. Raises InvalidRequest with the field at fault."""
    body, replaced = json_body.decode(raw)
    return read(ChatRequest, body, catalog, features, replaced)


def read(
    kind: type[R], body: dict[str, Any], catalog: Catalog, features: Features, replaced: list[str], **more: Any
) -> R:
    """The request in decoded fields of this endpoint; other dialects translate theirs into them.

    `kind` is the dialect's own request, whose further fields are in `more`; `replaced` are the places where
    `json_body.decode` replaced characters. Raises InvalidRequest with the field at fault.
    """
    model = rows.model(body, catalog, embeds=False)
    param = next((name for name in ("tools", "response_format") if body.get(name)), None)
    within = _schema_time(param) if param else _untimed
    values, ignored = within(rows.read, fields.CHAT, body)
    conversation = messages.read(values["messages"], model, features)
    ignored += _without_effect(values, model)
    choice = values.get("tool_choice", _AUTO)
    offered = tools.chosen(values.get("tools", []), choice)
    ours = tools.to_ollama(offered)
    if choice.is_forced and not model.can("tools"):
        conversation.instruct(tools.instruction(offered))
        ours = []
    format_ = values.get("response_format")
    # A response_format alone would keep the model from ever calling the tools beside it.
    written = offered if choice.is_forced or format_ is not None else []
    ignored += within(_require_checkers, written)
    size_bytes = conversation.size_bytes + sum(length_bytes(str(tool)) for tool in ours)
    refuse_too_long(model, conversation.texts, size_bytes, "messages")
    prompt_tokens = estimate(model, size_bytes, len(conversation.messages), conversation.images)
    return kind(
        model=model,
        stream=values.get("stream", False),
        user=values.get("user"),
        ignored=header_names(ignored),
        replaced=header_names(replaced + conversation.replaced),
        prompt_tokens=prompt_tokens,
        output_tokens=room(model, prompt_tokens, max_tokens(values)),
        conversation=conversation,
        options=options(fields.CHAT, values),
        tools=ours,
        written=written,
        must_call=choice.is_forced,
        is_parallel=values.get("parallel_tool_calls", True),
        format=format_,
        constraint=within(_constraint, format_, written, must_call=choice.is_forced),
        think=_think(values, model),
        top_logprobs=_top_logprobs(values, features),
        has_usage_chunk=values.get("stream_options", {}).get("include_usage", False),
        schemas=_schemas(format_, offered),
        prompt_sizes=(
            PromptSize(size_bytes, prompt_tokens, len(conversation.messages), conversation.images, bool(ours)),
        ),
        **more,
    )


def _untimed(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return work(*args, **kwargs)


def _schema_time(param: str) -> Callable[..., Any]:
    """Runs the steps that read a client's schemas within one budget of processor time for all of them."""
    budget = TimeBudget()

    def within(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return budget.run(work, *args, **kwargs)
        except TooCostly:
            raise InvalidRequest(
                f"The schemas in tools and response_format take more than {STRETCH_S * 1000:.0f} ms of processor time"
                " to read. Send simpler ones.",
                param=param,
                code="schema_too_costly",
            ) from None

    return within


def _require_checkers(written: list[Tool]) -> list[str]:
    """A schema that is none is told before the model works, not after: raises InvalidRequest.

    Returns the names of what in them cannot be enforced.
    """
    return [f"{tool.param}.parameters.{word}" for tool in written if tool.checker for word in tool.checker.loose]


def _constraint(format_: Format | None, written: list[Tool], *, must_call: bool) -> Any:
    """Ollama's `format`: a call, an answer in the client's format, or either. Raises InvalidRequest."""
    if must_call:
        return tool_calls.call_format(written)
    return tool_calls.or_call(format_.ollama, written) if format_ is not None else None


def _schemas(format_: Format | None, offered: list[Tool]) -> dict[str, Any]:
    """The client's own schemas, whole; see `engines.base.Call`."""
    whole: dict[str, Any] = {"tools": {tool.name: tool.schema for tool in offered if tool.schema}}
    if format_ is not None and format_.schema is not None:
        whole["response_format"] = format_.schema
    return whole


def max_tokens(values: dict[str, Any]) -> int | None:
    bounds = [values[name] for name in ("max_tokens", "max_completion_tokens") if name in values]
    return min(bounds, default=None)


def options(known: rows.Rows, values: dict[str, Any]) -> dict[str, Any]:
    """Ollama's `options` of a chat or text completion, without those that load a model."""
    chosen = rows.options(known, values)
    if values.get("stop"):
        chosen["stop"] = values["stop"]
    if "seed" in values:
        seed = values["seed"]
        chosen["seed"] = seed if 0 <= seed < _SEEDS else seed % _SEEDS
    return chosen


def _without_effect(values: dict[str, Any], model: Model) -> list[str]:
    """Drop what the model cannot do from `values`, and say its names.

    A forced call needs no ability of the model, only the decoding's, so it stays.
    """
    names: list[str] = []
    is_forced = values.get("tool_choice", _AUTO).is_forced
    if values.get("tools") and not model.can("tools") and not is_forced:
        names += [name for name in _TOOL_FIELDS if name in values]
    if "reasoning_effort" in values and not model.can("reasoning"):
        names.append("reasoning_effort")
    for name in names:
        del values[name]
    format_ = values.get("response_format")
    for name, wanted in (("response_format", format_ is not None), ("tool_choice", is_forced)):
        if wanted and not model.can("json"):
            raise InvalidRequest(f"{model.id} does not support {name}.", param=name, code="unsupported_parameter")
    if format_ is not None and format_.checker is not None:
        names += [f"response_format.json_schema.schema.{word}" for word in format_.checker.loose]
    return names


def _think(values: dict[str, Any], model: Model) -> bool | str | None:
    """Ollama's `think`; None leaves it out, which is right for models that never reason."""
    if not model.can("reasoning"):
        return None
    effort = values.get("reasoning_effort")
    if effort is None:
        return True
    return False if effort == "none" else _EFFORTS.get(effort, str(effort))


def _top_logprobs(values: dict[str, Any], features: Features) -> int | None:
    """How many alternatives to ask for; None when no log-probabilities are wanted. Raises InvalidRequest."""
    if not values.get("logprobs", False):
        if values.get("top_logprobs"):
            raise InvalidRequest("top_logprobs goes with logprobs: true.", param="top_logprobs")
        return None
    require_logprobs(features)
    return int(values.get("top_logprobs", 0))


def require_logprobs(features: Features) -> None:
    if not features.logprobs:
        raise InvalidRequest(
            "logprobs is not supported here: this server's Ollama is older than 0.12.11.",
            param="logprobs",
            code="unsupported_parameter",
        )
