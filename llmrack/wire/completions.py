"""POST /v1/completions: from the request body to Ollama's /api/generate, one call for each prompt, and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..catalog import Catalog, Model
from ..errors import ApiError, InvalidRequest
from . import fields, json_body, sse
from .chat import logprobs
from .chat.request import options, require_logprobs
from .fields import rows
from .ollama import Reply
from .parsed import (
    Features,
    PromptSize,
    Tally,
    Usage,
    estimate,
    header_names,
    least_tokens,
    length_bytes,
    load_body,
    refuse_too_long,
    room,
    shares,
    total,
)


@dataclass
class CompletionRequest:
    """A checked request; see `asks.Ask`. Every prompt makes one choice; `bounds` are their output tokens."""

    model: Model
    stream: bool
    user: str | None
    ignored: tuple[str, ...]
    replaced: tuple[str, ...]
    prompts: list[str]
    prompt_sizes: list[PromptSize]
    bounds: list[int]
    suffix: str
    options: dict[str, Any]
    echo: bool
    top_logprobs: int | None
    has_usage_chunk: bool
    endpoint: str = "completions"
    is_chat: bool = False
    prompt_param: str = "prompt"
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


def parse(raw: bytes, catalog: Catalog, features: Features) -> CompletionRequest:
    """The request in a body. Raises InvalidRequest with the field at fault."""
    body, replaced = json_body.decode(raw)
    model = rows.model(body, catalog, embeds=False)
    values, ignored = rows.read(fields.COMPLETIONS, body)
    suffix = values.get("suffix", "")
    _check_together(values, suffix, model, features)
    prompts = values["prompt"]
    sizes = [length_bytes(prompt) + length_bytes(suffix) for prompt in prompts]
    for prompt, size in zip(prompts, sizes, strict=True):
        refuse_too_long(model, [prompt, suffix], size, "prompt")
    estimates = [estimate(model, size, 1) for size in sizes]
    return CompletionRequest(
        model=model,
        stream=values.get("stream", False),
        user=values.get("user"),
        ignored=header_names(ignored),
        replaced=header_names(replaced),
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


class _Answer:
    def __init__(self, ask: CompletionRequest, id: str, created: int) -> None:
        self._ask = ask
        self._head = {"id": id, "object": "text_completion", "created": created, "model": ask.model.id}
        self._tallies = [Tally(ask.model, size.estimate) for size in ask.prompt_sizes]
        # Where the next token stands in the choice's text, which `text_offset` counts in characters.
        self._offsets = [len(prompt) if ask.echo else 0 for prompt in ask.prompts]

    @property
    def usage(self) -> Usage:
        return total([tally.usage for tally in self._tallies])

    def _logprobs(self, choice: int, entries: list[dict[str, Any]] | None) -> dict[str, Any] | None:
        if self._ask.top_logprobs is None or not entries:
            return None
        columns = logprobs.completions(entries, self._offsets[choice], self._ask.top_logprobs)
        self._offsets[choice] += sum(len(token) for token in columns["tokens"])
        return columns

    def _require_ends(self) -> None:
        for tally in self._tallies:
            tally.require_end()

    def _finish_reason(self, choice: int) -> str:
        return "length" if self._tallies[choice].is_cut else "stop"


class TextStream(_Answer):
    """Chunks as they come; each choice ends with a chunk that has its finish reason."""

    def __init__(self, ask: CompletionRequest, id: str, created: int) -> None:
        super().__init__(ask, id, created)
        self.delivered = 0
        self._started: set[int] = set()
        head = sse.encode({**self._head, "choices": []})
        self._open = sse.START + head.removesuffix(b"]}")
        self._before = [self._open + b'{"index":%d,"text":' % choice for choice in range(len(ask.prompts))]
        self._after = b',"logprobs":null,"finish_reason":null}]}' + sse.END

    def feed(self, choice: int, replies: list[Reply]) -> bytes:
        out: list[bytes] = []
        if self._ask.echo and choice not in self._started:
            self._started.add(choice)
            out.append(self._chunk(choice, self._ask.prompts[choice]))
        tally = self._tallies[choice]
        before = self._before[choice]
        for reply in replies:
            if reply.done or reply.error is not None:
                tally.note(reply)
            columns = self._logprobs(choice, reply.logprobs)
            if not reply.response and columns is None:
                continue
            if reply.response:
                tally.pieces += 1
                self.delivered += 1
            if columns is None:
                out += (before, sse.encode(reply.response), self._after)
            else:
                out.append(self._chunk(choice, reply.response, columns))
        return b"".join(out)

    def _chunk(
        self, choice: int, text: str, columns: dict[str, Any] | None = None, finish_reason: str | None = None
    ) -> bytes:
        part = {"index": choice, "text": text, "logprobs": columns, "finish_reason": finish_reason}
        return self._open + sse.encode(part) + b"]}" + sse.END

    def close(self) -> bytes:
        self._require_ends()
        out = [
            self._chunk(choice, "", finish_reason=self._finish_reason(choice)) for choice in range(len(self._tallies))
        ]
        if self._ask.has_usage_chunk:
            out.append(sse.event({**self._head, "choices": [], "usage": self.usage.body()}))
        out.append(sse.DONE)
        return b"".join(out)

    def ping(self, note: str) -> bytes:
        return sse.comment(note)

    def failure(self, error: ApiError) -> bytes:
        return sse.event(
            {
                **self._head,
                "choices": [{"index": 0, "text": "", "logprobs": None, "finish_reason": "error"}],
                "error": error.body(),
            }
        ) + sse.failure(error)


class TextPlain(_Answer):
    """All choices as one JSON object."""

    def __init__(self, ask: CompletionRequest, id: str, created: int) -> None:
        super().__init__(ask, id, created)
        self._texts: list[list[str]] = [[prompt] if ask.echo else [] for prompt in ask.prompts]
        self._entries: list[list[dict[str, Any]]] = [[] for _ in ask.prompts]

    def feed(self, choice: int, replies: list[Reply]) -> None:
        tally = self._tallies[choice]
        for reply in replies:
            tally.note(reply)
            if reply.response:
                tally.pieces += 1
                self._texts[choice].append(reply.response)
            self._entries[choice] += reply.logprobs or []

    def repair(self, output_tokens: int) -> None:
        """Text promises nothing that could be broken."""
        return None

    def body(self) -> bytes:
        self._require_ends()
        choices = [
            {
                "index": choice,
                "text": "".join(texts),
                "logprobs": self._logprobs(choice, self._entries[choice]),
                "finish_reason": self._finish_reason(choice),
            }
            for choice, texts in enumerate(self._texts)
        ]
        return sse.encode({**self._head, "choices": choices, "usage": self.usage.body()})
