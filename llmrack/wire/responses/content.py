"""What an item says: text and images in parts, or the result of a tool in whatever form the tool gave it."""

from __future__ import annotations

import json
from typing import Any

from ...catalog import Model
from ...errors import InvalidRequest
from .. import json_body
from ..json_body import wrong_type

_TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")
_NO_IMAGES = "[image omitted: the model takes no images]"
_NO_FILES = "[file omitted: the model takes no files]"

# A part as chat takes it, text alone as it stands, and the client's name of its place.
Part = tuple[dict[str, Any] | str, str]


class Content:
    """Reads the contents of one conversation. `ignored` are the places of what was left out of them."""

    def __init__(self, model: Model) -> None:
        self.ignored: list[str] = []
        self._model = model

    def result(self, output: Any, kind: str, param: str) -> list[Part]:
        is_of_parts = kind in ("function_call_output", "custom_tool_call_output")
        if output is None and not is_of_parts:
            output = ""
        if isinstance(output, str) or (is_of_parts and isinstance(output, list)):
            return self.parts(output, param, in_output=True)
        if isinstance(output, dict | list):
            return [(json.dumps(output, ensure_ascii=False), param)]
        raise wrong_type(param, "a string or an array of parts", output)

    def parts(self, content: Any, param: str, *, in_output: bool) -> list[Part]:
        if content is None:
            raise json_body.missing(param)
        if isinstance(content, str):
            return [(content, param)]
        if not isinstance(content, list):
            raise wrong_type(param, "a string or an array of parts", content)
        return [self._part(part, f"{param}[{index}]", in_output=in_output) for index, part in enumerate(content)]

    def _part(self, part: Any, param: str, *, in_output: bool) -> Part:
        if not isinstance(part, dict):
            raise wrong_type(param, "an object", part)
        kind = part.get("type")
        if kind in _TEXTS or kind == "refusal":
            key = "refusal" if kind == "refusal" else "text"
            if not isinstance(part.get(key), str):
                raise wrong_type(f"{param}.{key}", "a string", part.get(key))
            return part[key], param
        if kind == "input_image":
            return self._image(part, param, in_output=in_output)
        if kind == "input_file":
            if in_output:
                self.ignored.append(f"{param}:input_file")
                return _NO_FILES, param
            raise InvalidRequest(
                "Files are not supported: send their text as input_text.", param=param, code="unsupported_parameter"
            )
        raise InvalidRequest(f"{param}.type must be input_text, output_text or input_image.", param=f"{param}.type")

    def _image(self, part: dict[str, Any], param: str, *, in_output: bool) -> Part:
        if in_output and not self._model.can("vision"):
            # It stays in the conversation, so that a refusal would be repeated for ever.
            self.ignored.append(f"{param}:input_image")
            return _NO_IMAGES, param
        if part.get("image_url") is None and part.get("file_id") is not None:
            raise InvalidRequest(
                "Files are not kept here: send the image itself as a data URI in image_url.",
                param=f"{param}.file_id",
                code="unsupported_parameter",
            )
        return {"type": "image_url", "image_url": part.get("image_url")}, param
