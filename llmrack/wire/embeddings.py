"""POST /v1/embeddings: from the request body to Ollama's /api/embed and back."""

from __future__ import annotations

import base64
import sys
from array import array
from dataclasses import dataclass
from typing import Any, TypeVar

from ..catalog import Catalog, Model
from ..errors import InvalidRequest, UpstreamError
from . import fields, json_body, sse
from .fields import rows
from .ollama import EmbedReply
from .parsed import PromptSize, Usage, estimate, header_names, least_tokens, length_bytes, refuse_too_long


@dataclass
class EmbeddingRequest:
    """A checked request; see `asks.EmbedAsk`."""

    model: Model
    user: str | None
    ignored: tuple[str, ...]
    replaced: tuple[str, ...]
    prompt_tokens: int
    inputs: list[str]
    dimensions: int
    is_base64: bool
    prompt_sizes: tuple[PromptSize, ...]
    endpoint: str = "embeddings"
    is_chat: bool = False
    prompt_param: str = "input"
    stream: bool = False
    output_tokens: int = 0

    def least_prompt_tokens(self) -> int:
        return least_tokens(self.inputs, sum(size.bytes for size in self.prompt_sizes), self.model.num_ctx)

    def body(self) -> dict[str, Any]:
        return {
            "model": self.model.ollama,
            "input": self.inputs,
            # A text that does not fit is an error, not a vector of its beginning.
            "truncate": False,
            "dimensions": self.dimensions,
            "options": {"num_ctx": self.model.num_ctx},
        }

    def require_vectors(self, reply: EmbedReply) -> None:
        """Raises UpstreamError when the vectors do not fit the inputs."""
        width = self.dimensions
        if len(reply.embeddings) != len(self.inputs) or any(len(vector) != width for vector in reply.embeddings):
            raise UpstreamError(
                f"The model server did not return one vector of {width} dimensions for each input. Retry is safe."
            )

    def answer(self, reply: EmbedReply) -> bytes:
        self.require_vectors(reply)
        vectors: list[Any] = [_base64(vector) for vector in reply.embeddings] if self.is_base64 else reply.embeddings
        usage = self.usage(reply)
        return sse.encode(
            {
                "object": "list",
                "data": [
                    {"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)
                ],
                "model": self.model.id,
                "usage": {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens},
            }
        )

    def usage(self, reply: EmbedReply) -> Usage:
        """What the server counted; one that counts nothing leaves the length in characters divided by four."""
        count = reply.prompt_eval_count
        if count is not None and 0 < count <= self.model.num_ctx * len(self.inputs):
            return Usage(count, 0)
        return Usage(sum(max(1, len(text) // 4) for text in self.inputs), 0)


def _base64(vector: list[float]) -> str:
    """Little-endian float32, as OpenAI's SDKs read it."""
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return base64.b64encode(floats.tobytes()).decode("ascii")


R = TypeVar("R", bound=EmbeddingRequest)


def parse(raw: bytes, catalog: Catalog) -> EmbeddingRequest:
    """The request in a body. Raises InvalidRequest with the field at fault."""
    body, replaced = json_body.decode(raw)
    return read(EmbeddingRequest, body, catalog, replaced)


def read(kind: type[R], body: dict[str, Any], catalog: Catalog, replaced: list[str], **more: Any) -> R:
    """The request in decoded fields of this endpoint; see `chat.request.read`."""
    model = rows.model(body, catalog, embeds=True)
    values, ignored = rows.read(fields.EMBEDDINGS, body)
    inputs: list[str] = values["input"]
    sizes = [length_bytes(text) for text in inputs]
    for index, size in enumerate(sizes):
        refuse_too_long(model, [inputs[index]], size, f"input[{index}]" if len(inputs) > 1 else "input")
    estimates = [estimate(model, size, 1) for size in sizes]
    return kind(
        model=model,
        user=values.get("user"),
        ignored=header_names(ignored),
        replaced=header_names(replaced),
        prompt_tokens=sum(estimates),
        inputs=inputs,
        dimensions=_dimensions(values.get("dimensions"), model),
        prompt_sizes=tuple(PromptSize(size, tokens) for size, tokens in zip(sizes, estimates, strict=True)),
        is_base64=values.get("encoding_format") == "base64",
        **more,
    )


def _dimensions(asked: int | None, model: Model) -> int:
    """Ollama ignores more dimensions than there are without a word. Raises InvalidRequest."""
    if asked is not None and asked > model.dimensions:
        raise InvalidRequest(f"{model.id} has {model.dimensions} dimensions.", param="dimensions")
    return asked or model.dimensions
