"""POST /v1/responses: from the request body to a chat's request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from ...catalog import Catalog
from ...errors import InvalidRequest
from .. import json_body, sse
from ..chat import request as chat_request
from ..chat.messages import Conversation
from ..chat.request import ChatRequest
from ..fields import rows
from ..fields.responses import RESPONSES
from ..json_body import wrong_type
from ..parsed import Features, header_names
from ..places import Places
from . import items, offers
from .offers import Offers
from .plain import ResponsesPlain
from .stream import ResponsesStream

_ENCRYPTED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"
# Fields whose value, where it means the same as no field at all, needs no place in the list of ignored ones.
_HONOURED = {"store": False, "truncation": "disabled"}
_SAME_IN_CHAT = ("model", "stream", "user", "temperature", "top_p", "presence_penalty", "frequency_penalty")

# Chat's names of what has another name here.
_FIELDS = {
    "messages": "input",
    "max_completion_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort",
    "response_format.json_schema": "text.format",
    "response_format": "text.format",
    "logprobs": "include",
}


@dataclass
class ResponsesRequest(ChatRequest):
    """A checked request. `echo` is what the answer repeats of it, the large parts as the JSON they are sent as."""

    offers: Offers = field(default_factory=Offers)
    echo: dict[str, Any] = field(default_factory=dict)
    is_reasoning_wrapped: bool = False
    endpoint: str = "responses"
    prompt_param: str = "input"
    id_prefix: str = "resp_"

    def open_stream(self, id: str, created: int) -> ResponsesStream:
        # As chat does: a stream keeps no prompt, and the tools are in `echo` already.
        self.conversation = Conversation()
        self.offers.chat = []
        return ResponsesStream(self, id, created)

    def open_plain(self, id: str, created: int) -> ResponsesPlain:
        return ResponsesPlain(self, id, created)


def parse(raw: bytes, catalog: Catalog, features: Features) -> ResponsesRequest:
    """The request in a body. Raises InvalidRequest with the field at fault."""
    body, replaced = json_body.decode(raw)
    model = rows.model(body, catalog, embeds=False)
    values, ignored = rows.read(RESPONSES, body)
    ignored = [name for name in ignored if name not in _HONOURED or body[name] != _HONOURED[name]]
    places = Places(dict(_FIELDS))
    offered = offers.read(values.get("tools", []), places)
    said = items.read(values["input"], values.get("instructions"), model, offered, places)
    chat = {name: values[name] for name in _SAME_IN_CHAT if name in values}
    chat |= {"messages": said.messages, "tools": offered.chat}
    if "max_output_tokens" in values:
        chat["max_completion_tokens"] = values["max_output_tokens"]
    if "tool_choice" in values:
        chat["tool_choice"] = offers.read_choice(values["tool_choice"], offered)
    if "parallel_tool_calls" in values:
        chat["parallel_tool_calls"] = values["parallel_tool_calls"]
    ignored += _text(values.get("text", {}), chat)
    ignored += _reasoning(body, values, chat)
    ignored += _include(values, chat)
    try:
        ask = chat_request.read(
            ResponsesRequest,
            chat,
            catalog,
            features,
            replaced + said.replaced,
            offers=offered,
            echo=_echo(body, values),
            is_reasoning_wrapped=_ENCRYPTED in values.get("include", ()),
        )
    except InvalidRequest as error:
        raise places.translated(error) from None
    for image in ask.conversation.image_urls:
        image.param = places.name(image.param)
    ask.ignored = header_names([*ignored, *offered.skipped, *said.ignored, *map(places.name, ask.ignored)])
    return ask


def _text(text: dict[str, Any], chat: dict[str, Any]) -> list[str]:
    """Here a format is flat: what chat has in `json_schema` stands beside its type."""
    form = text.get("format")
    if form is not None:
        if not isinstance(form, dict):
            raise wrong_type("text.format", "an object", form)
        kind = form.get("type")
        inner = {name: value for name, value in form.items() if name != "type"}
        chat["response_format"] = {"type": kind, "json_schema": inner} if kind == "json_schema" else {"type": kind}
    return [f"text.{name}" for name, value in text.items() if name != "format" and value is not None]


def _reasoning(body: dict[str, Any], values: dict[str, Any], chat: dict[str, Any]) -> list[str]:
    reasoning = values.get("reasoning", {})
    if "effort" in reasoning:
        chat["reasoning_effort"] = reasoning["effort"]
    known = ("effort", "summary", "generate_summary")
    return [f"reasoning.{name}" for name in body.get("reasoning") or () if name not in known]


def _include(values: dict[str, Any], chat: dict[str, Any]) -> list[str]:
    wanted = values.get("include", [])
    most = values.get("top_logprobs", 0)
    if _LOGPROBS in wanted or most:
        chat |= {"logprobs": True, "top_logprobs": most}
    return [f"include:{name}" for name in wanted if name not in (_ENCRYPTED, _LOGPROBS)]


def _echo(body: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """The request's part of every answer: what was sent, or what an absent field means.

    Tools and instructions are most of an agent's request, and a stream repeats them: so they are encoded once.
    """
    reasoning = values.get("reasoning", {})
    text = values.get("text", {})
    return {
        "instructions": _raw(values.get("instructions")),
        "max_output_tokens": values.get("max_output_tokens"),
        "max_tool_calls": None,
        "parallel_tool_calls": values.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": {
            "effort": reasoning.get("effort"),
            "summary": reasoning.get("summary", reasoning.get("generate_summary")),
        },
        "store": False,
        "temperature": values.get("temperature"),
        "text": _raw({"format": text.get("format") or {"type": "text"}}),
        "tool_choice": values.get("tool_choice", "auto"),
        "tools": _raw(values.get("tools", [])),
        "top_logprobs": values.get("top_logprobs", 0),
        "top_p": values.get("top_p"),
        "truncation": "disabled",
        "background": False,
        "service_tier": "default",
        "user": values.get("user"),
        "safety_identifier": None,
        "prompt_cache_key": None,
        "presence_penalty": values.get("presence_penalty", 0),
        "frequency_penalty": values.get("frequency_penalty", 0),
        "metadata": values.get("metadata", {}),
    }


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(sse.encode(value))
