"""Names of fields in the two vocabularies: a refusal of chat's is told in the words of the request that was sent."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidRequest


@dataclass
class Places:
    """What the client calls the places of a chat request that was made from its own: `messages[2]` is `input[5]`."""

    names: dict[str, str]

    def name(self, param: str) -> str:
        """The client's name of a place, by the longest beginning that is known."""
        end = len(param)
        while end > 0:
            known = self.names.get(param[:end])
            if known is not None:
                return known + param[end:]
            end = max(param.rfind(".", 0, end), param.rfind("[", 0, end))
        return param

    def translated(self, error: InvalidRequest) -> InvalidRequest:
        param = None if error.param is None else self.name(error.param)
        message = error.message
        if error.param is not None and param is not None:
            message = message.replace(error.param, param)
        if "response_format" in self.names:
            message = message.replace("response_format", self.names["response_format"])
        return InvalidRequest(
            message, param=param, code=error.code, retry_after_s=error.retry_after_s, headers=error.headers
        )
