"""POST /api/chat and /api/generate: Ollama's fields as chat's, which are checked, metered and answered as there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...catalog import Catalog, Model
from ...errors import InvalidRequest
from .. import fields, json_body
from ..chat import request as chat_request
from ..chat.messages import Conversation
from ..chat.request import ChatRequest
from ..fields import rows
from ..parsed import Features, header_names
from . import messages, names
from .answers import LineStream, WholeAnswer
from .load import Load
from .names import Allowed

# Chat's names of fields, for what it reports as without effect.
_OURS = {"reasoning_effort": "think", "response_format": "format"}
# What chat has no field for, but Ollama takes with each request.
_FURTHER_OPTIONS = ("top_k", "min_p", "typical_p", "repeat_penalty", "repeat_last_n", "stop")


@dataclass
class OllamaRequest(ChatRequest):
    """A checked request of either endpoint.

    A `direct` one of /api/generate goes there with these fields: the prompt as it is, or the text around a gap. Every
    other one is a conversation.
    """

    endpoint: str = "ollama_chat"
    name: str = ""
    is_generate: bool = False
    direct: dict[str, Any] | None = None

    def body(self, conversation: list[dict[str, Any]], output_tokens: int) -> dict[str, Any]:
        body = super().body(conversation, output_tokens)
        if self.direct is None:
            return body
        del body["messages"]
        if self.model.can("reasoning"):
            body["think"] = False
        return {**body, **self.direct}

    def open_stream(self, id: str, created: int) -> LineStream:
        self.conversation = Conversation()
        return LineStream(self, id, created)

    def open_plain(self, id: str, created: int) -> WholeAnswer:
        return WholeAnswer(self, id, created)


def parse_chat(raw: bytes, catalog: Catalog, features: Features, allowed: Allowed = None) -> OllamaRequest | Load:
    """The request in a body of /api/chat; `allowed` are the models of its key. Raises InvalidRequest, NotFound."""
    body, replaced = json_body.decode(raw)
    name, model = names.for_text(body, catalog, allowed)
    values, ignored = _values(fields.OLLAMA_CHAT, {**body, "messages": _or(body.get("messages"), [])}, model)
    if not values["messages"]:
        return Load(model, name, header_names(ignored), header_names(replaced), _nothing(is_generate=False))
    asked = _asked(values, model)
    asked["messages"] = values["messages"]
    if "tools" in values:
        asked["tools"] = values["tools"]
    with names.said_by(names.CHAT):
        ask = chat_request.read(OllamaRequest, asked, catalog, features, replaced, name=name)
    return _finished(ask, values, ignored)


def parse_generate(raw: bytes, catalog: Catalog, features: Features, allowed: Allowed = None) -> OllamaRequest | Load:
    """The same for /api/generate."""
    body, replaced = json_body.decode(raw)
    name, model = names.for_text(body, catalog, allowed)
    values, ignored = _values(fields.OLLAMA_GENERATE, {**body, "prompt": _or(body.get("prompt"), "")}, model)
    if not values["prompt"]:
        return Load(model, name, header_names(ignored), header_names(replaced), _nothing(is_generate=True))
    direct = _direct(values, model)
    asked = _asked(values, model)
    asked["messages"] = _as_messages(values)
    with names.said_by(names.GENERATE):
        ask = chat_request.read(
            OllamaRequest,
            asked,
            catalog,
            features,
            replaced,
            endpoint="ollama_generate",
            is_chat=direct is None,
            prompt_param="prompt",
            name=name,
            is_generate=True,
            direct=direct,
        )
    if direct is not None and values.get("think") and "think" not in ignored:
        ignored.append("think")
    return _finished(ask, values, ignored)


def _or(value: Any, empty: Any) -> Any:
    return empty if value is None else value


def _nothing(*, is_generate: bool) -> dict[str, Any]:
    return {"response": ""} if is_generate else {"message": {"role": "assistant", "content": ""}}


def _values(known: rows.Rows, body: dict[str, Any], model: Model) -> tuple[dict[str, Any], list[str]]:
    """The checked values, and the names of what has no effect. Raises InvalidRequest."""
    with names.said_by(names.CHAT):
        values, ignored = rows.read(known, body)
    options, known_options = body.get("options"), fields.OLLAMA_OPTIONS
    if isinstance(options, dict):
        ignored += [
            f"options.{name}" for name, value in options.items() if value is not None and name not in known_options
        ]
    if values.get("think") and not model.can("reasoning"):
        ignored.append("think")
    if values.get("top_logprobs") and not values.get("logprobs"):
        ignored.append("top_logprobs")
    return values, ignored


def _asked(values: dict[str, Any], model: Model) -> dict[str, Any]:
    """The fields that both endpoints share, as chat's."""
    options = values.get("options", {})
    asked: dict[str, Any] = {"model": model.id, "stream": values.get("stream", True)}
    for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty"):
        if name in options:
            asked[name] = options[name]
    # Minus one stands for none in both.
    if options.get("seed", -1) != -1:
        asked["seed"] = options["seed"]
    if options.get("num_predict", -1) > 0:
        asked["max_tokens"] = options["num_predict"]
    if values.get("format") is not None:
        asked["response_format"] = values["format"]
    think = values.get("think")
    if model.can("reasoning") and think is not None and think is not True:
        asked["reasoning_effort"] = think or "none"
    if values.get("logprobs"):
        asked["logprobs"] = True
        asked["top_logprobs"] = values.get("top_logprobs", 0)
    return asked


def _finished(ask: OllamaRequest, values: dict[str, Any], ignored: list[str]) -> OllamaRequest:
    options = values.get("options", {})
    ask.options |= {name: options[name] for name in _FURTHER_OPTIONS if name in options and options[name] != []}
    ask.ignored = header_names([*ignored, *(_ours(name) for name in ask.ignored)])
    return ask


def _ours(name: str) -> str:
    return _OURS.get(name) or names.translated(name, names.CHAT)


def _as_messages(values: dict[str, Any]) -> list[dict[str, Any]]:
    """A prompt as the conversation that Ollama makes of it."""
    system = values.get("system")
    # What is around a gap is all prompt, so all of it is weighed.
    prompt = values["prompt"] + values.get("suffix", "")
    content = messages.with_images(prompt, values.get("images"), "images")
    user = {"role": "user", "content": content}
    return [{"role": "system", "content": system}, user] if system else [user]


def _direct(values: dict[str, Any], model: Model) -> dict[str, Any] | None:
    """What no conversation can say: the body of /api/generate for it. Raises InvalidRequest."""
    suffix, raw = values.get("suffix"), values.get("raw", False)
    if not suffix and not raw:
        return None
    if suffix and not model.can("insert"):
        raise InvalidRequest(f"{model.id} does not support suffix.", param="suffix", code="unsupported_parameter")
    direct: dict[str, Any] = {"prompt": values["prompt"]}
    if raw:
        if values.get("system"):
            raise InvalidRequest("system does not go with raw: true, which takes the prompt as it is.", param="system")
        direct["raw"] = True
    if suffix:
        direct["suffix"] = suffix
    if values.get("system"):
        direct["system"] = values["system"]
    if values.get("images"):
        raise InvalidRequest("images do not go with raw or suffix.", param="images")
    if values.get("format") is not None:
        raise InvalidRequest("format does not go with raw or suffix.", param="format")
    return direct
