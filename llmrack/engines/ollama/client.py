"""One Ollama, spoken to by its native API. Every way it can fail becomes an `UpstreamError`."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from typing import Any

import msgspec
import requests

from ...errors import UpstreamError
from ...settings import Settings
from ...wire import errors as wire_errors
from ...wire.ollama import EmbedReply, Reply
from ..base import ClientGone, EngineRequest, Installed, Loaded
from .connection import Pool, Response
from .framing import BadResponse

# Ollama's own runner limits a line to 8 MB (llm/llama_server.go), so a longer one is garbage.
MAX_LINE_BYTES = 8 * 1024 * 1024
MAX_ERROR_BYTES = 65536
MAX_EMBEDDINGS_BYTES = 512 * 1024 * 1024

# What decoding a line can raise: msgspec leaves invalid UTF-8 to the standard library, and deep nesting to Python.
BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_encode = msgspec.json.Encoder().encode
_decode_reply = msgspec.json.Decoder(Reply).decode
_decode_embeddings = msgspec.json.Decoder(EmbedReply).decode


class Ollama:
    """The engine behind live keys.

    `silence_timeout_s` bounds how long Ollama may say nothing to any request of this process while one waits for its
    first piece, and how long it may say nothing to a request between two pieces. `queue_timeout_s` bounds the whole
    wait for a first piece, which others' answers may fill: Ollama queues requests and does not tell who is in turn.
    """

    def __init__(
        self, url: str, *, connect_timeout_s: float, silence_timeout_s: float, queue_timeout_s: float = math.inf
    ) -> None:
        self.url = url.rstrip("/")
        self._pool = Pool(self.url, connect_timeout_s=connect_timeout_s)
        self._connect_timeout_s = connect_timeout_s
        self._silence_timeout_s = silence_timeout_s
        self._queue_timeout_s = queue_timeout_s
        self._heard_at = 0.0

    @classmethod
    def of(cls, url: str, settings: Settings) -> Ollama:
        """The Ollama at this address, with the bounds that the settings say."""
        return cls(
            url,
            connect_timeout_s=settings.ollama_connect_timeout_s,
            silence_timeout_s=settings.ollama_silence_timeout_s,
            queue_timeout_s=settings.ollama_queue_timeout_s,
        )

    def close(self) -> None:
        """End the idle connections."""
        self._pool.close()

    def chat(self, body: dict[str, Any], call: EngineRequest) -> Generator[list[Reply]]:
        return self._replies("/api/chat", body, call)

    def generate(self, body: dict[str, Any], call: EngineRequest) -> Generator[list[Reply]]:
        return self._replies("/api/generate", body, call)

    def embed(self, body: dict[str, Any], call: EngineRequest) -> EmbedReply:
        response = self._post("/api/embed", body, call)
        try:
            for _ in self._waited(response, call):
                pass
            data = response.read(MAX_EMBEDDINGS_BYTES)
            reply = _decode_embeddings(data)
        except (BadResponse, OSError, *BAD_JSON) as exc:
            raise _broken(exc, call) from exc
        finally:
            call.on_abandon(None)
            response.close()
        if len(reply.embeddings) != len(body["input"]):
            raise UpstreamError(
                "The model server returned another number of vectors than was asked for. Retry is safe."
            )
        return reply

    def load(self, body: dict[str, Any], *, is_embedding: bool, timeout_s: float, keep_alive: str) -> None:
        """Load a model with exactly what its requests carry, because Ollama loads it again for any other option.

        Returns when it is in memory. Raises UpstreamError.
        """
        path = "/api/embed" if is_embedding else "/api/generate"
        self._command(path, body | {"stream": False, "keep_alive": keep_alive}, timeout_s)

    def unload(self, name: str) -> None:
        """Tell Ollama to free a model's memory; it is free when `loaded` lists it no more. Raises UpstreamError."""
        self._command("/api/generate", {"model": name, "stream": False, "keep_alive": 0}, 30.0)

    def _command(self, path: str, body: dict[str, Any], timeout_s: float) -> None:
        try:
            answer = requests.post(self.url + path, json=body, timeout=(self._connect_timeout_s, timeout_s))
        except requests.ConnectionError as exc:
            raise UpstreamError(
                "The model server cannot be reached. Retry is safe.", code="upstream_unreachable"
            ) from exc
        except requests.RequestException as exc:
            raise UpstreamError(
                f"The model server did not load the model within {timeout_s:.0f} seconds. Retry is safe.",
                code="model_load_failed",
            ) from exc
        if answer.status_code != 200:
            raise wire_errors.from_ollama(answer.status_code, answer.content[:MAX_ERROR_BYTES])

    def version(self) -> str:
        return str(self._get("/api/version").get("version", ""))

    def model_info(self, name: str) -> dict[str, Any]:
        """What the file of a model says about its layers: `model_info` of /api/show."""
        found = self._ask("POST", "/api/show", {"model": name}).get("model_info")
        return found if isinstance(found, dict) else {}

    def installed(self) -> list[Installed]:
        return [
            Installed(row["name"], tuple(row.get("capabilities") or ()), int(row.get("size") or 0))
            for row in self._get("/api/tags").get("models") or ()
        ]

    def loaded(self) -> list[Loaded]:
        return [
            Loaded(row["name"], int(row.get("context_length") or 0)) for row in self._get("/api/ps").get("models") or ()
        ]

    def _get(self, path: str) -> dict[str, Any]:
        return self._ask("GET", path)

    def _ask(self, method: str, path: str, said: dict[str, Any] | None = None) -> dict[str, Any]:
        """One of Ollama's small questions. Raises UpstreamError."""
        try:
            answer = requests.request(method, self.url + path, json=said, timeout=(self._connect_timeout_s, 5))
            answer.raise_for_status()
            body = answer.json()
        except (requests.RequestException, ValueError) as exc:
            raise UpstreamError(f"No Ollama answers at {self.url}.") from exc
        if not isinstance(body, dict):
            raise UpstreamError(f"What answers at {self.url} is not an Ollama.")
        return body

    def _post(self, path: str, body: dict[str, Any], call: EngineRequest) -> Response:
        try:
            response = self._pool.post(path, _encode(body))
        except OSError as exc:
            if call.is_gone:
                raise ClientGone from exc
            raise UpstreamError(
                "The model server cannot be reached. Retry is safe.", code="upstream_unreachable"
            ) from exc
        call.on_abandon(response.hang_up)
        response.set_timeout(min(call.silence_s, self._silence_timeout_s, self._queue_timeout_s))
        return response

    def _waited(self, response: Response, call: EngineRequest) -> Generator[list[Reply]]:
        """Wait for a good status, with an empty batch for each stretch of silence. Raises what a bad status means."""
        started_at = time.monotonic()
        while True:
            try:
                status = response.read_head()
                break
            except TimeoutError:
                self._check_wait(started_at)
                yield []
        self._heard_at = time.monotonic()
        if status != 200:
            try:
                body = response.read(MAX_ERROR_BYTES)
            except TimeoutError:
                body = b""
            raise wire_errors.from_ollama(status, body, call.model, call.prompt_param)

    def _check_wait(self, started_at: float) -> None:
        """Raises UpstreamError when a request without a first piece has waited too long, or Ollama answers none."""
        now = time.monotonic()
        if now - started_at >= self._queue_timeout_s:
            raise UpstreamError(
                f"The model server did not begin an answer within {now - started_at:.0f} seconds, while it answered"
                " other requests. Retry is safe.",
                code="upstream_queue_timeout",
            )
        self._check_silence(max(started_at, self._heard_at), now)

    def _check_silence(self, since: float, now: float) -> None:
        if now - since >= self._silence_timeout_s:
            raise UpstreamError(
                f"The model server was silent for {now - since:.0f} seconds. Retry is safe.", code="upstream_timeout"
            )

    def _replies(self, path: str, body: dict[str, Any], call: EngineRequest) -> Generator[list[Reply]]:
        """Batches of replies up to and including the one with `done: true`."""
        response = self._post(path, body, call)
        del body  # As long as the prompt of an agent, and the answer may take minutes.
        try:
            yield from self._waited(response, call)
            lines, heard_at = _Lines(call), self._heard_at
            while not lines.is_done:
                try:
                    data = response.read_some()
                except TimeoutError:
                    self._check_silence(heard_at, time.monotonic())
                    yield []
                    continue
                self._heard_at = heard_at = time.monotonic()
                if replies := lines.take(data, is_last=response.is_done):
                    yield replies
                lines.check(is_last=response.is_done)
            _finish(response)
        except (BadResponse, OSError, *BAD_JSON) as exc:
            raise _broken(exc, call) from exc
        finally:
            call.on_abandon(None)
            response.close()


class _Lines:
    """The replies of an answer, one to a line, out of what is received."""

    __slots__ = ("_call", "_failure", "_rest", "is_done")

    def __init__(self, call: EngineRequest) -> None:
        self._call = call
        self._rest = b""
        self._failure: Exception | None = None
        self.is_done = False

    def take(self, data: bytes, *, is_last: bool) -> list[Reply]:
        """What is complete, up to the first bad line; that one is for `check`, so that nothing good is lost."""
        lines = (self._rest + data if self._rest else data).split(b"\n")
        # A whole body needs no newline after its last line: that is how a plain answer looks.
        self._rest = b"" if is_last else lines.pop()
        replies, self._failure = _decoded(lines, self._call)
        self.is_done = bool(replies) and replies[-1].done
        return replies

    def check(self, *, is_last: bool) -> None:
        """Raises what the bad line means: garbage, a failure told by Ollama, or an end before the end."""
        if self.is_done:
            return
        if self._failure is not None:
            raise self._failure
        if len(self._rest) > MAX_LINE_BYTES:
            raise UpstreamError("The model server sent a line that never ends. Retry is safe.")
        if is_last:
            raise BadResponse("the answer ended without its last line")


def _decoded(lines: list[bytes], call: EngineRequest) -> tuple[list[Reply], Exception | None]:
    """The good lines before the first bad one, and what that one means: garbage, or a failure told by Ollama."""
    replies: list[Reply] = []
    for line in lines:
        if line:
            try:
                reply = _decode_reply(line)
            except BAD_JSON as exc:
                return replies, exc
            if reply.error is not None:
                said = _encode({"error": reply.error})
                return replies, wire_errors.from_ollama(200, said, call.model, call.prompt_param)
            replies.append(reply)
    return replies, None


def _finish(response: Response) -> None:
    """Read the end of the framing, so that the connection can be used again; not worth more than a moment."""
    if not response.is_done:
        response.set_timeout(1.0)
        try:
            while response.read_some():
                pass
        except (TimeoutError, BadResponse, OSError):
            response.hang_up()


def _broken(exc: Exception, call: EngineRequest) -> Exception:
    if call.is_gone:
        return ClientGone()
    if isinstance(exc, TimeoutError):
        return UpstreamError("The model server stopped answering. Retry is safe.", code="upstream_timeout")
    return UpstreamError("The model server broke off its answer. Retry is safe.", code="upstream_reset")
