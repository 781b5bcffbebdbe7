"""The conversation: OpenAI's messages as Ollama's, whose content is always one string."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...catalog import Model
from ...errors import InvalidRequest
from .. import images
from ..json_body import missing, wrong_type
from ..parsed import Features, length_bytes
from . import tool_calls, tools

MAX_MESSAGES = 4096
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_OLLAMA_ROLES = {"developer": "system", "function": "tool"}


@dataclass
class ImagePlace:
    """An image given by its URL: which image of which message it becomes, and the request's name for it."""

    param: str
    url: str
    message: int
    image: int


@dataclass
class Conversation:
    """The messages for Ollama, and their weight.

    `image_urls` are the places that someone with a network must fill before the messages are sent, `replaced` those
    where characters of a call's arguments were replaced.
    """

    messages: list[dict[str, Any]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    size_bytes: int = 0
    images: int = 0
    image_urls: list[ImagePlace] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)

    def instruct(self, text: str) -> None:
        """Add to the system message, which is made when there is none."""
        if self.messages[0]["role"] == "system":
            self.messages[0]["content"] += "\n\n" + text
        else:
            self.messages.insert(0, {"role": "system", "content": text})
            for place in self.image_urls:
                place.message += 1
        self.texts.append(text)
        self.size_bytes += length_bytes(text)


def read(value: Any, model: Model, features: Features) -> Conversation:
    """Raises InvalidRequest with `param` down to the part, such as `messages[1].content[0].text`."""
    if not isinstance(value, list):
        raise wrong_type("messages", "an array", value)
    if not value:
        raise InvalidRequest("messages must hold at least one message.", param="messages")
    if len(value) > MAX_MESSAGES:
        raise InvalidRequest(f"messages takes at most {MAX_MESSAGES} messages.", param="messages")
    reader = _Reader(model, features)
    for index, message in enumerate(value):
        reader.add(message, f"messages[{index}]")
    return reader.conversation


class _Reader:
    def __init__(self, model: Model, features: Features) -> None:
        self._model = model
        self._features = features
        self._names: dict[str, str] = {}
        self.conversation = Conversation()

    def add(self, message: Any, param: str) -> None:
        if not isinstance(message, dict):
            raise wrong_type(param, "an object", message)
        role = message.get("role")
        if role not in ROLES:
            raise InvalidRequest(
                f"{param}.role must be one of system, developer, user, assistant, tool.", param=f"{param}.role"
            )
        known = self.conversation
        ours: dict[str, Any] = {"role": _OLLAMA_ROLES.get(role, role), "content": ""}
        self._content(message, ours, param)
        if role == "assistant":
            self._assistant(message, ours, param)
        elif ours["role"] == "tool":
            self._tool_result(message, ours, param)
        known.messages.append(ours)
        known.texts.append(ours["content"])
        known.size_bytes += length_bytes(ours["content"])

    def _content(self, message: dict[str, Any], ours: dict[str, Any], param: str) -> None:
        content = message.get("content")
        param += ".content"
        if isinstance(content, str):
            ours["content"] = content
        elif isinstance(content, list):
            self._parts(content, ours, param)
        elif content is not None:
            raise wrong_type(param, "a string or an array of parts", content)
        elif "content" not in message and message["role"] != "assistant":
            raise missing(param)

    def _parts(self, parts: list[Any], ours: dict[str, Any], param: str) -> None:
        texts = []
        for index, part in enumerate(parts):
            where = f"{param}[{index}]"
            if not isinstance(part, dict):
                raise wrong_type(where, "an object", part)
            kind = part.get("type")
            if kind in ("text", "input_text", "output_text", "refusal"):
                key = "refusal" if kind == "refusal" else "text"
                texts.append(_text(part.get(key), f"{where}.{key}"))
            elif kind == "image_url":
                self._image(part, ours, where)
            else:
                raise InvalidRequest(f"{where}.type must be text or image_url.", param=f"{where}.type")
        ours["content"] = "\n".join(texts)

    def _image(self, part: dict[str, Any], ours: dict[str, Any], param: str) -> None:
        if not self._model.can("vision"):
            raise InvalidRequest(f"{self._model.id} does not take images.", param=param, code="unsupported_parameter")
        if ours["role"] not in ("user", "tool"):
            raise InvalidRequest("Only messages of the roles user and tool take images.", param=param)
        known = self.conversation
        known.images += 1
        if known.images > images.MAX_IMAGES:
            raise InvalidRequest(f"A request takes at most {images.MAX_IMAGES} images.", param=param)
        image = images.read(part.get("image_url"), f"{param}.image_url", urls=self._features.image_urls)
        held = ours.setdefault("images", [])
        if isinstance(image, images.Url):
            known.image_urls.append(ImagePlace(f"{param}.image_url", image.url, len(known.messages), len(held)))
        held.append("" if isinstance(image, images.Url) else image)

    def _assistant(self, message: dict[str, Any], ours: dict[str, Any], param: str) -> None:
        thinking = message.get("reasoning_content")
        if isinstance(thinking, str) and thinking and self._model.can("reasoning"):
            ours["thinking"] = thinking
            self.conversation.size_bytes += length_bytes(thinking)
        made = message.get("tool_calls")
        if made is None:
            return
        if not isinstance(made, list):
            raise wrong_type(f"{param}.tool_calls", "an array", made)
        if made:
            ours["tool_calls"] = [
                self._call(call, number, f"{param}.tool_calls[{number}]") for number, call in enumerate(made)
            ]

    def _call(self, call: Any, number: int, param: str) -> dict[str, Any]:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise wrong_type(f"{param}.function", "an object", function)
        name = tools.read_name(function.get("name"), f"{param}.function.name")
        arguments = tool_calls.arguments_from_client(
            function.get("arguments", ""), f"{param}.function.arguments", self.conversation.replaced
        )
        self.conversation.size_bytes += len(name) + len(str(arguments))
        ours: dict[str, Any] = {"function": {"index": number, "name": name, "arguments": arguments}}
        id_ = call.get("id")
        if isinstance(id_, str) and id_:
            self._names[id_] = name
            ours["id"] = id_
        return ours

    def _tool_result(self, message: dict[str, Any], ours: dict[str, Any], param: str) -> None:
        """Ollama's templates name the tool; OpenAI's messages point at the call by its id."""
        id_ = message.get("tool_call_id")
        if id_ is not None and not isinstance(id_, str):
            raise wrong_type(f"{param}.tool_call_id", "a string", id_)
        name = message.get("name")
        if not isinstance(name, str) or not name:
            name = self._names.get(id_ or "")
        if name:
            ours["tool_name"] = name
        if id_:
            ours["tool_call_id"] = id_


def _text(value: Any, param: str) -> str:
    if not isinstance(value, str):
        raise wrong_type(param, "a string", value)
    return value
