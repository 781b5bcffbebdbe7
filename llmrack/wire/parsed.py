"""What a parsed request offers to the code that runs it, and how what it used is counted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..catalog import Model
from ..errors import ApiError, InvalidRequest, UpstreamError
from . import errors
from .ollama import EmbedReply, Reply

# What an image costs in a prompt, in tokens (server/prompt.go of ollama/ollama counts the same).
IMAGE_TOKENS = 768
MESSAGE_TOKENS = 16
# The longest tokens of the vocabularies in use are runs of 128 blanks, so no token holds more bytes than this.
LONGEST_TOKEN_BYTES = 256
# A piece of an answer that is longer than any usual token holds several.
LUMP_BYTES = 64
HEADER_NAMES = 20


@dataclass(frozen=True)
class Features:
    """What the engine in use and the operator allow."""

    logprobs: bool = True
    image_urls: bool = False


@dataclass(frozen=True)
class PromptSize:
    """What is known of one prompt without its tokenizer. `estimate` is its usual number of tokens, rather too high."""

    bytes: int
    estimate: int
    messages: int = 1
    images: int = 0
    has_tools: bool = False


@dataclass
class Usage:
    """Tokens; `cached_tokens` is the part of the prompt that needed no work, where the model server says so."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None = None

    def body(self) -> dict[str, Any]:
        counts: dict[str, Any] = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }
        if self.cached_tokens is not None:
            counts["prompt_tokens_details"] = {"cached_tokens": self.cached_tokens}
        return counts


class Stream(Protocol):
    """An answer on its way as server-sent events."""

    @property
    def usage(self) -> Usage:
        """The counts of the last lines; before those, the prompt's estimate and the pieces delivered."""

    @property
    def delivered(self) -> int:
        """Output tokens handed to the client so far."""

    def feed(self, choice: int, replies: list[Reply]) -> bytes:
        """The events this batch gives, possibly none."""

    def ping(self, note: str) -> bytes:
        """What a silent stream sends to stay open; `note` says what it waits for, and may be empty."""

    def close(self) -> bytes:
        """The end of the stream, once every body ended with `done`. Raises UpstreamError instead of a false success."""

    def failure(self, error: ApiError) -> bytes:
        """The last chunk of a stream that broke; no `[DONE]` follows it."""


class Plain(Protocol):
    """An answer that is collected and sent whole."""

    @property
    def usage(self) -> Usage: ...

    def feed(self, choice: int, replies: list[Reply]) -> None: ...

    def repair(self, output_tokens: int) -> dict[str, Any] | None:
        """The body of one more call when a strict answer does not hold what was promised; at most once."""

    def body(self) -> bytes:
        """The JSON answer. Raises UpstreamError when it cannot pass as success."""


class ParsedRequest(Protocol):
    """A checked request for an answer in text, of any dialect.

    `endpoint` is the name on the receipt; `is_chat` says that the model's chat template makes the prompt.
    `prompt_param` is the field that holds the prompt, `prompt_tokens` estimates all prompts, each of `prompt_sizes` is
    one; `output_tokens` are wanted at most; `ignored` names what had no effect, `replaced` where characters
    were replaced, see `json_body`.
    `schemas` and `must_call` are for engines that can hold more of a schema than a body says; see
    `engines.base.EngineRequest`.
    """

    endpoint: str
    is_chat: bool
    prompt_param: str
    id_prefix: str
    model: Model
    stream: bool
    user: str | None
    ignored: tuple[str, ...]
    replaced: tuple[str, ...]
    prompt_tokens: int
    output_tokens: int
    must_call: bool
    schemas: dict[str, Any]

    @property
    def prompt_sizes(self) -> Sequence[PromptSize]: ...

    def least_prompt_tokens(self) -> int:
        """So many tokens the prompts have whatever the tokenizer."""

    def bodies(self, output_tokens: int) -> list[dict[str, Any]]:
        """One body for Ollama's native API per choice; together they make at most `output_tokens` tokens."""

    def open_stream(self, id: str, created: int) -> Stream: ...

    def open_plain(self, id: str, created: int) -> Plain: ...


class ParsedEmbedding(Protocol):
    """A checked embeddings request."""

    endpoint: str
    is_chat: bool
    prompt_param: str
    model: Model
    stream: bool
    user: str | None
    ignored: tuple[str, ...]
    replaced: tuple[str, ...]
    prompt_tokens: int
    output_tokens: int

    @property
    def prompt_sizes(self) -> Sequence[PromptSize]: ...

    def least_prompt_tokens(self) -> int: ...

    def body(self) -> dict[str, Any]: ...

    def answer(self, reply: EmbedReply) -> bytes:
        """The JSON answer. Raises UpstreamError when the vectors do not fit the inputs."""

    def usage(self, reply: EmbedReply) -> Usage: ...


@dataclass
class Tally:
    """Counts one choice of an answer. `prompt_tokens` is the estimate, used until the model server reports its own."""

    model: Model
    prompt_tokens: int
    pieces: int = 0
    last: Reply | None = field(default=None)

    def note(self, reply: Reply) -> None:
        """Remember the last line. Raises UpstreamError for a line that reports a failure."""
        if reply.error is not None:
            raise errors.from_ollama(500, reply.error, self.model)
        if reply.done:
            self.last = reply

    def require_end(self) -> None:
        """Raises UpstreamError for an answer whose last line never came: what there is of it is no success."""
        if self.last is None:
            raise UpstreamError("The model server ended its answer early. Retry is safe.", code="upstream_incomplete")

    @property
    def is_cut(self) -> bool:
        return self.last is not None and self.last.done_reason == "length"

    @property
    def usage(self) -> Usage:
        """Servers leave counters out, and broken ones send nonsense: then what we saw ourselves stands."""
        last = self.last
        if last is None:
            return Usage(self.prompt_tokens if self.pieces else 0, self.pieces)
        window = self.model.num_ctx
        prompt = _plausible(last.prompt_eval_count, window)
        completion = _plausible(last.eval_count, 2 * window)
        cached = _plausible(last.prompt_eval_cached_count, window)
        return Usage(
            usual_tokens(self.prompt_tokens) if prompt is None else prompt,
            self.pieces if completion is None else completion,
            cached,
        )


def usual_tokens(estimate: int) -> int:
    """What a prompt of this estimate usually has: an estimate counts 3 bytes to a token, and 4 is the usual length."""
    return estimate * 3 // 4


def _plausible(count: int | None, limit: int) -> int | None:
    return count if count is not None and 0 <= count <= limit else None


def total(usages: list[Usage]) -> Usage:
    cached = [usage.cached_tokens for usage in usages if usage.cached_tokens is not None]
    return Usage(
        sum(usage.prompt_tokens for usage in usages),
        sum(usage.completion_tokens for usage in usages),
        sum(cached) if cached else None,
    )


def load_body(model: Model) -> dict[str, Any]:
    """What every chat and generate body of a model has in common.

    Ollama reloads the model when any of it differs from the call before, so nothing else here may vary and every
    body, also one that only warms the model up, starts from this. `shift` off and `truncate` off are the promise
    that nothing is cut silently: neither the prompt before the answer nor its beginning while the answer grows.
    """
    return {
        "model": model.ollama,
        "truncate": False,
        "shift": False,
        "options": {"num_ctx": model.num_ctx},
    }


def length_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def estimate(model: Model, size_bytes: int, messages: int = 0, images: int = 0) -> int:
    """Prompt tokens to reserve: rather too many than too few, but never more than the window holds."""
    tokens = size_bytes // 3 + 1 + MESSAGE_TOKENS * messages + IMAGE_TOKENS * images
    return min(tokens, model.num_ctx)


def room(model: Model, prompt_tokens: int, asked: int | None) -> int:
    """The most tokens an answer can have. At least half of a prompt's estimate is real."""
    left = max(1, model.num_ctx - prompt_tokens // 2)
    return left if asked is None else min(asked, left)


def shares(bounds: list[int], output_tokens: int) -> list[int]:
    """`bounds` cut down so that they add up to `output_tokens` at most, as long as each can have at least one."""
    share = output_tokens // len(bounds)
    return bounds if sum(bounds) <= output_tokens else [max(1, min(bound, share)) for bound in bounds]


def refuse_too_long(model: Model, texts: list[str], size_bytes: int, param: str) -> None:
    """Refuse a prompt that cannot fit the window whatever the tokenizer: a token never spans two words.

    Raises InvalidRequest. What might fit is left to the model server, which refuses it by its exact count.
    """
    if size_bytes <= 2 * model.num_ctx:
        return
    least = least_tokens(texts, size_bytes, model.num_ctx)
    if least > model.num_ctx:
        raise InvalidRequest(
            f"The prompt has at least {least} tokens, but the context of {model.id} holds {model.num_ctx}. Send less.",
            param=param,
            code="context_length_exceeded",
        )


def least_tokens(texts: Iterable[str], size_bytes: int, enough: int) -> int:
    """So many tokens some texts have whatever the tokenizer; counting stops soon after `enough`."""
    return max(_words(texts, enough), size_bytes // LONGEST_TOKEN_BYTES)


def _words(texts: Iterable[str], enough: int) -> int:
    """How many words there are, at least: counting stops soon after `enough`."""
    words = 0
    for text in texts:
        for start in range(0, len(text), _SLICE):
            words += len(text[start : start + _SLICE].split())
            # A slice may have cut a word in two.
            words -= start > 0
            if words > enough:
                return words
    return words


_SLICE = 65_536


def header_names(names: list[str]) -> tuple[str, ...]:
    """Names and places of fields as they may stand in a response header: printable, short, and not too many of them."""
    shown = [re.sub(r"[^A-Za-z0-9_.:\[\]-]", "?", name)[:64] or "?" for name in names[:HEADER_NAMES]]
    if len(names) > HEADER_NAMES:
        shown.append(f"and-{len(names) - HEADER_NAMES}-more")
    return tuple(shown)
