"""POST /v1/messages: from the request body to a chat's request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...catalog import Catalog
from ...errors import InvalidRequest, NotFound
from .. import json_body
from ..chat import request as chat_request
from ..chat.messages import Conversation as ChatConversation
from ..chat.request import ChatRequest
from ..fields import rows
from ..fields.messages import MESSAGES
from ..parsed import Features, header_names
from ..places import Places
from . import conversation, tools
from .plain import MessagesPlain
from .stream import MessagesStream

# Chat's names of what has another name here.
_FIELDS = {
    "max_completion_tokens": "max_tokens",
    "stop": "stop_sequences",
    "reasoning_effort": "output_config.effort",
    "response_format.json_schema.schema": "output_config.format.schema",
    "response_format": "output_config.format",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    "user": "metadata.user_id",
}


@dataclass
class MessagesRequest(ChatRequest):
    """A checked request."""

    endpoint: str = "messages"
    id_prefix: str = "msg_"

    def open_stream(self, id: str, created: int) -> MessagesStream:
        self.conversation = ChatConversation()
        return MessagesStream(self, id, created)

    def open_plain(self, id: str, created: int) -> MessagesPlain:
        return MessagesPlain(self, id, created)


def parse(raw: bytes, catalog: Catalog, features: Features) -> MessagesRequest:
    """The request in a body. Raises InvalidRequest with the field at fault."""
    body, replaced = json_body.decode(raw)
    return _read(body, replaced, catalog, features)


def parse_to_count(raw: bytes, catalog: Catalog, features: Features) -> MessagesRequest:
    """The request whose prompt is to be counted: one that asks for no answer."""
    body, replaced = json_body.decode(raw)
    if body.get("max_tokens") is None:
        body["max_tokens"] = 1
    return _read(body, replaced, catalog, features)


def _read(body: dict[str, Any], replaced: list[str], catalog: Catalog, features: Features) -> MessagesRequest:
    try:
        model = rows.model(body, catalog, embeds=False)
    except InvalidRequest as error:
        if error.code != "model_not_found":
            raise
        # Agents repeat a 400 and say after a 404 that there is no such model.
        raise NotFound(f"model: {error.message}", param="model", code="model_not_found") from None
    values, ignored = rows.read(MESSAGES, body)
    # It is on every request of most clients, and says nothing but that a cache would be welcome.
    ignored = [name for name in ignored if name != "cache_control"]
    said = conversation.read(values["messages"], values.get("system"), model)
    offered, places, skipped = tools.read(values.get("tools", []), said.seen_tools)
    names = Places({**_FIELDS, **places, **said.places})
    chat: dict[str, Any] = {
        "model": values["model"],
        "messages": said.messages,
        "tools": offered,
        "max_completion_tokens": max(1, values["max_tokens"]),
        "stream": values.get("stream", False),
    }
    chat |= {name: values[name] for name in ("temperature", "top_p") if name in values}
    if stops := [text for text in values.get("stop_sequences", []) if text.strip()]:
        chat["stop"] = stops
    if "tool_choice" in values and offered:
        tools.read_choice(values["tool_choice"], chat)
    user = values.get("metadata", {}).get("user_id")
    if isinstance(user, str):
        chat["user"] = user[:512]
    ignored += _thinking(values, chat, can_reason=model.can("reasoning"))
    ignored += _output(values, chat)
    try:
        ask = chat_request.read(MessagesRequest, chat, catalog, features, replaced)
    except InvalidRequest as error:
        raise names.translated(error) from None
    for image in ask.conversation.image_urls:
        image.param = names.name(image.param)
    if "top_k" in values:
        ask.options["top_k"] = values["top_k"]
    ask.ignored = header_names([*ignored, *skipped, *said.ignored, *map(names.name, ask.ignored)])
    return ask


def _thinking(values: dict[str, Any], chat: dict[str, Any], *, can_reason: bool) -> list[str]:
    """A model thinks when it is told to, in this API; absent means that it does not."""
    thinking = values.get("thinking", {})
    kind = thinking.get("type", "disabled")
    if kind not in ("enabled", "adaptive", "between_tools", "disabled"):
        raise InvalidRequest("thinking.type must be enabled, adaptive or disabled.", param="thinking.type")
    if not can_reason:
        return ["thinking"] if kind != "disabled" else []
    effort = values.get("output_config", {}).get("effort")
    chat["reasoning_effort"] = "none" if kind == "disabled" else effort
    return ["thinking.budget_tokens"] if "budget_tokens" in thinking else []


def _output(values: dict[str, Any], chat: dict[str, Any]) -> list[str]:
    config = values.get("output_config", {})
    form = config.get("format") or values.get("output_format")
    if form is not None:
        if not isinstance(form, dict) or form.get("type") != "json_schema":
            raise InvalidRequest("output_config.format.type must be json_schema.", param="output_config.format.type")
        schema = {"name": "answer", "schema": form.get("schema"), "strict": True}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    return [f"output_config.{name}" for name in config if name not in ("format", "effort")]
