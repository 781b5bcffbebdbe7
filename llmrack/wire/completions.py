"""POST /v1/completions: from the request body to Ollama's /api/generate, one call for each prompt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..catalog import Catalog, Model
from ..errors import InvalidRequest
from . import fields, jsonbody, rows
from .asks import (
    Features,
    PromptSize,
    estimate,
    header_names,
    least_tokens,
    length_bytes,
    load_body,
    refuse_too_long,
    room,
    shares,
)
from .chat import options, require_logprobs
from .textanswer import TextPlain, TextStream


@dataclass
class CompletionAsk:
    """A checked request; see `asks.Ask`. Every prompt makes one choice; `bounds` are their output tokens."""

    model: Model
    stream: bool
    user: str | None
    ignored: tuple[str, ...]
    prompts: list[str]
    prompt_sizes: list[PromptSize]
    bounds: list[int]
    suffix: str
    options: dict[str, Any]
    echo: bool
    top_logprobs: int | None
    has_usage_chunk: bool
    endpoint: str = "completions"
    id_prefix: str = "cmpl-"
    must_call: bool = False
    schemas: dict[str, Any] = field(default_factory=dict)
    prompt_tokens: int = field(init=False)
    output_tokens: int = field(init=False)

    def __post_init__(self) -> None:
        self.prompt_tokens = sum(size.estimate for size in self.prompt_sizes)
        self.output_tokens = sum(self.bounds)

    def least_prompt_tokens(self) -> int:
        return least_tokens(self.prompts, sum(size.bytes for size in self.prompt_sizes), self.model.num_ctx)

    def bodies(self, output_tokens: int) -> list[dict[str, Any]]:
        bounds = shares(self.bounds, output_tokens)
        return [self._body(prompt, bound) for prompt, bound in zip(self.prompts, bounds, strict=True)]

    def _body(self, prompt: str, output_tokens: int) -> dict[str, Any]:
        body = load_body(self.model)
        body["prompt"] = prompt
        body["stream"] = self.stream
        body["options"] |= {**self.options, "num_predict": output_tokens}
        if self.suffix:
            body["suffix"] = self.suffix
        if self.model.can("reasoning"):
            # A text completion has no place for reasoning.
            body["think"] = False
        if self.top_logprobs is not None:
            body["logprobs"] = True
            body["top_logprobs"] = self.top_logprobs
        return body

    def open_stream(self, id: str, created: int) -> TextStream:
        return TextStream(self, id, created)

    def open_plain(self, id: str, created: int) -> TextPlain:
        return TextPlain(self, id, created)


def parse(raw: bytes, catalog: Catalog, features: Features) -> CompletionAsk:
    """The request in a body. Raises InvalidRequest with the field at fault."""
    body = jsonbody.decode(raw)
    model = rows.model(body, catalog, embeds=False)
    values, unknown = rows.read(fields.COMPLETIONS, body)
    suffix = values.get("suffix", "")
    _check_together(values, suffix, model, features)
    prompts = values["prompt"]
    sizes = [length_bytes(prompt) + length_bytes(suffix) for prompt in prompts]
    for prompt, size in zip(prompts, sizes, strict=True):
        refuse_too_long(model, [prompt, suffix], size, "prompt")
    estimates = [estimate(model, size, 1) for size in sizes]
    return CompletionAsk(
        model=model,
        stream=values.get("stream", False),
        user=values.get("user"),
        ignored=header_names(unknown),
        prompts=prompts,
        prompt_sizes=[PromptSize(size, tokens) for size, tokens in zip(sizes, estimates, strict=True)],
        bounds=[room(model, tokens, values.get("max_tokens")) for tokens in estimates],
        suffix=suffix,
        options=options(fields.COMPLETIONS, values),
        echo=values.get("echo", False),
        top_logprobs=values.get("logprobs"),
        has_usage_chunk=values.get("stream_options", {}).get("include_usage", False),
    )


def _check_together(values: dict[str, Any], suffix: str, model: Model, features: Features) -> None:
    """Raises InvalidRequest for fields that this model or their company rules out."""
    if suffix and not model.can("insert"):
        raise InvalidRequest(f"{model.id} does not support suffix.", param="suffix", code="unsupported_parameter")
    if "logprobs" in values:
        require_logprobs(features)
        if values.get("echo"):
            raise InvalidRequest("echo does not go with logprobs: the model server has none for prompts.", param="echo")
