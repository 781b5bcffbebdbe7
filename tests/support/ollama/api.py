"""The handlers of the native API (server/routes.go of ollama/ollama), in the order in which the real ones check."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from gevent.event import Event

from . import answers, checks, http, lines
from .checks import Refused
from .delivery import FAILED, pause
from .models import NAME, Loaded, Model
from .state import State

if TYPE_CHECKING:
    from .exchange import Exchange

CANNED = {
    "503_busy": (503, "server busy, please try again.  maximum pending requests exceeded"),
    "500_died": (500, "llama runner process has unexpectedly stopped"),
    "404_missing": (404, "model 'gone' not found"),
    "400_no_tools": (400, "registry.ollama.ai/library/gone:latest does not support tools"),
}
HTML = b"<html><head><title>500 Internal Server Error</title></head><body>nginx</body></html>\n"


class Canned(Refused):
    def __init__(self, status: int, body: Any, content_type: str, headers: dict[str, str]) -> None:
        super().__init__(status, "")
        self.body, self.content_type, self.headers = body, content_type, headers


class Running:
    """A slot of the model, and a place among the answers in flight, for as long as the block runs."""

    def __init__(self, state: State, model: Model) -> None:
        self.ledger, self.slot = state.ledger, state.slot(model)

    def __enter__(self) -> None:
        self.ledger.waiting += 1
        try:
            self.slot.acquire()
        finally:
            self.ledger.waiting -= 1
        self.ledger.begin()

    def __exit__(self, *_: object) -> None:
        self.ledger.in_flight -= 1
        self.slot.release()


def root(call: Exchange) -> None:
    call.delivery.whole(200, b"Ollama is running", "text/plain; charset=utf-8")


def version(call: Exchange) -> None:
    call.delivery.whole(200, {"version": call.state.settings.version})


def tags(call: Exchange) -> None:
    call.delivery.whole(200, {"models": [model.listed() for model in call.state.shelf.installed.values()]})


def ps(call: Exchange) -> None:
    call.delivery.whole(200, {"models": call.state.shelf.in_memory()})


def show(call: Exchange) -> None:
    name = call.body.get("model") or call.body.get("name") or ""
    if not name:
        raise Refused(400, "model is required")
    model = call.state.shelf.find(name)
    if model is None:
        raise Refused(404, f"model '{name}' not found")
    call.delivery.whole(200, model.shown())


def chat(call: Exchange) -> None:
    checks.chat(call.body)
    model = _model(call, "model is required", 400)
    needs = ["completion"] + (["tools"] if call.body.get("tools") else [])
    _generate(call, model, needs, "chat", is_empty=not call.body.get("messages"))


def generate(call: Exchange) -> None:
    checks.generate(call.body)
    model = _model(call, f"model '{call.body.get('model')}' not found", 404)
    needs = ["completion"] + (["insert"] if call.body.get("suffix") else [])
    _generate(call, model, needs, "generate", is_empty=not call.body.get("prompt"))


def _generate(call: Exchange, model: Model, needs: list[str], verb: str, *, is_empty: bool) -> None:
    body, script, shelf = call.body, call.script, call.state.shelf
    keep_alive_s = checks.keep_alive_s(body.get("keep_alive"))
    if is_empty and keep_alive_s == 0:
        shelf.loaded.pop(model.name, None)
        _loaded_only(call, "unload")
        return
    thinks = "thinking" in model.capabilities
    if body.get("think") and not thinks:
        raise Refused(400, f'"{body["model"]}" does not support thinking')
    if "completion" not in model.capabilities:
        raise Refused(400, f'"{body["model"]}" does not support {verb}')
    if missing := [name for name in needs if name not in model.capabilities]:
        raise Refused(400, f"registry.ollama.ai/library/{model.name} does not support {' '.join(missing)}")
    checks.options(body.get("options") or {})
    began = time.monotonic_ns()
    loaded = _load(call, model, keep_alive_s)
    load_ns = time.monotonic_ns() - began
    if is_empty:
        _loaded_only(call, "load")
        return
    _canned(call)
    with Running(call.state, model):
        is_chat = verb == "chat"
        prompt_tokens = _prompt_tokens(call, loaded, is_chat)
        checks.response_format(body.get("format"))
        plain = answers.to_chat(body) if is_chat else answers.to_generate(body)
        wants_thinking = thinks and body.get("think") is not False
        answer = lines.shaped(plain, script, body.get("options") or {}, wants_thinking)
        turn = lines.Turn(body, script, answer, prompt_tokens, is_chat, load_ns, time.monotonic_ns())
        _tell(call, turn)
    if keep_alive_s == 0:
        shelf.loaded.pop(model.name, None)


def _tell(call: Exchange, turn: lines.Turn) -> None:
    counted = {"prompt_eval_count": turn.prompt_tokens, "eval_count": turn.answer.tokens()}
    call.record.counted = counted
    call.delivery.before()
    if call.body.get("stream") is not False:
        call.delivery.stream(lines.stream(turn))
        return
    _pace_whole(call, turn)
    if call.script.fault == "error_line":
        raise Refused(500, FAILED)
    call.delivery.whole(200, lines.joined(turn))
    call.record.pieces = len(turn.answer.content) + len(turn.answer.thinking)
    call.record.content, call.record.thinking = "".join(turn.answer.content), "".join(turn.answer.thinking)
    call.record.is_done_sent = call.script.fault != "clean_end_no_done"


def _pace_whole(call: Exchange, turn: lines.Turn) -> None:
    """Without streaming, the pace of the pieces is silence before the one answer."""
    if call.script.fault == "never_ends":
        Event().wait()
    if call.script.hold:
        call.state.gates[call.script.hold].wait()
    pause(call.script.pace_s * len(turn.answer.content))


def _prompt_tokens(call: Exchange, loaded: Loaded, is_chat: bool) -> int:
    """Counts the prompt; a long one is cut in silence or refused, as the real server's two ways have it."""
    count = answers.chat_prompt_tokens(call.body) if is_chat else answers.generate_prompt_tokens(call.body)
    if count < loaded.context:
        return count
    if call.body.get("truncate") is False:
        raise overflow(count, loaded.context)
    if call.body.get("shift") is False:
        raise Refused(400, "the prompt is longer than the context length currently available to the model")
    return loaded.context // 2


def embed(call: Exchange) -> None:
    texts = checks.embed(call.body)
    model = _model(call, f"model '{call.body.get('model')}' not found", 404)
    checks.options(call.body.get("options") or {})
    loaded = _load(call, model, checks.keep_alive_s(call.body.get("keep_alive")))
    if not texts:
        call.delivery.whole(200, {"model": call.body["model"], "embeddings": []})
        return
    _canned(call)
    with Running(call.state, model):
        counts = [min(len(answers.pieces(text)) + 2, loaded.context) for text in texts]
        too_long = any(len(answers.pieces(text)) + 2 > loaded.context for text in texts)
        if too_long and call.body.get("truncate") is False:
            raise Refused(400, "the input length exceeds the context length")
        call.record.counted = {"prompt_eval_count": sum(counts)}
        call.delivery.before()
        if call.script.hold:
            call.state.gates[call.script.hold].wait()
        width, dimensions = model.width, call.body.get("dimensions")
        vectors = [answers.embedding(text, width, dimensions) for text in texts]
        call.delivery.whole(200, _embedded(call, vectors, sum(counts)))
        call.record.is_done_sent = True


def _embedded(call: Exchange, vectors: list[list[float]], tokens: int) -> dict[str, Any]:
    counted = {"total_duration": 14_143_917, "load_duration": 1_019_500, "prompt_eval_count": tokens}
    said = call.script.counters_said(counted)
    said.pop("eval_count", None)
    return {"model": call.body["model"], "embeddings": vectors} | said


def _model(call: Exchange, sentence: str, status: int) -> Model:
    name = call.body.get("model") or ""
    if not NAME.match(name):
        raise Refused(status, sentence)
    if re.search(r"(:|-)cloud$", name):
        raise Refused(401, "unauthorized", signin_url="https://ollama.example/connect")
    model = call.state.shelf.find(name)
    if model is None and call.request.path == "/api/embed":
        raise Refused(404, f'model "{name}" not found, try pulling it first')
    if model is None:
        raise Refused(404, f"model '{name}' not found")
    return model


def _load(call: Exchange, model: Model, keep_alive_s: float | None) -> Loaded:
    """A client that leaves while the model loads aborts the load."""
    shelf, options = call.state.shelf, call.body.get("options") or {}
    if shelf.needs_load(model, options, call.body.get("shift")):
        pause(call.script.load_s or call.state.settings.load_s)
    return shelf.load(model, options, call.body.get("shift"), keep_alive_s)


def _loaded_only(call: Exchange, reason: str) -> None:
    row: dict[str, Any] = {"model": call.body["model"], "created_at": lines.now()}
    if call.request.path == "/api/chat":
        row["message"] = {"role": "assistant", "content": ""}
    else:
        row["response"] = ""
    call.delivery.whole(200, row | {"done": True, "done_reason": reason})


def _canned(call: Exchange) -> None:
    """Answers that need no model: faults with a status, and whatever a script spells out."""
    script = call.script
    if script.status is not None:
        kind = script.headers.get("Content-Type", http.JSON)
        body = script.body.encode() if isinstance(script.body, str) else script.body
        raise Canned(script.status, body, kind, script.headers)
    if script.fault == "500_html":
        raise Canned(500, HTML, "text/html", {})
    if script.fault == "400_overflow":
        raise overflow(9000, 4096)
    if script.fault in CANNED:
        raise Refused(*CANNED[script.fault])


def overflow(tokens: int, context: int) -> Refused:
    """The inner server's whole body arrives as a string inside `error`."""
    message = f"request ({tokens} tokens) exceeds the available context size ({context} tokens), try increasing it"
    inner = {"code": 400, "message": message, "type": "exceed_context_size_error"}
    inner |= {"n_prompt_tokens": tokens, "n_ctx": context}
    return Refused(400, http.encode({"error": inner}).decode())


ROUTES = {
    ("GET", "/"): root,
    ("GET", "/api/version"): version,
    ("GET", "/api/tags"): tags,
    ("GET", "/api/ps"): ps,
    ("POST", "/api/show"): show,
    ("POST", "/api/chat"): chat,
    ("POST", "/api/generate"): generate,
    ("POST", "/api/embed"): embed,
}
