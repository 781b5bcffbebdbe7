"""The server that pretends to be Ollama: connections, routes, and the handlers of its native API."""

from __future__ import annotations

import ipaddress
import re
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent import socket
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from gevent.server import StreamServer

from . import answers, checks, http, lines
from .checks import Refused
from .delivery import FAILED, Closed, Delivery, pause, reset
from .models import NAME, Loaded, Model, Shelf
from .records import Ledger, Record
from .scripts import Book, Script

CANNED = {
    "503_busy": (503, "server busy, please try again.  maximum pending requests exceeded"),
    "500_died": (500, "llama runner process has unexpectedly stopped"),
    "404_missing": (404, "model 'gone' not found"),
    "400_no_tools": (400, "registry.ollama.ai/library/gone:latest does not support tools"),
}
HTML = b"<html><head><title>500 Internal Server Error</title></head><body>nginx</body></html>\n"


class ClientLeft(Exception):
    """The client closed its side while its request was being answered."""


@dataclass
class Settings:
    """`parallel` slots for each model (None: no limit), seconds a load takes, seconds an idle connection may live."""

    version: str = "0.33.0"
    parallel: int | None = None
    load_s: float = 0.0
    idle_s: float | None = None


@dataclass
class Ollama:
    """The state and the listener. One instance to a process; `port` stays the same through `down` and `up`."""

    port: int = 0
    host: str = "127.0.0.1"
    settings: Settings = field(default_factory=Settings)
    shelf: Shelf = field(default_factory=Shelf)
    book: Book = field(default_factory=Book)
    ledger: Ledger = field(default_factory=Ledger)
    gates: defaultdict[str, Event] = field(default_factory=lambda: defaultdict(Event))
    slots: dict[str, BoundedSemaphore] = field(default_factory=dict)
    sockets: set[socket.socket] = field(default_factory=set)
    listener: StreamServer | None = None

    def up(self) -> None:
        if self.listener is None:
            self.listener = StreamServer((self.host, self.port), self.serve, backlog=4096)
            self.listener.start()
            self.port = self.listener.server_port

    def down(self) -> None:
        """Stop listening and reset every connection: from now on connecting is refused."""
        if self.listener is not None:
            self.listener.stop(timeout=0)
            self.listener = None
        for sock in list(self.sockets):
            reset(sock)

    def reset(self) -> None:
        """Back to the plain answers and an empty ledger; the models in memory and the held requests go too."""
        self.up()
        for gate in self.gates.values():
            gate.set()
        self.settings, self.shelf, self.book = Settings(), Shelf(), Book()
        self.gates, self.slots = defaultdict(Event), {}
        self.ledger.reset()

    def serve(self, sock: socket.socket, _address: Any) -> None:
        number = self.ledger.open()
        self.sockets.add(sock)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._converse(sock, number)
        except Closed as closed:
            if closed.reset:
                reset(sock)
        except (http.BadRequest, OSError, ClientLeft, gevent.GreenletExit):
            pass
        finally:
            self.sockets.discard(sock)
            self.ledger.connections_open -= 1

    def _converse(self, sock: socket.socket, number: int) -> None:
        reader = http.Reader(sock)
        while True:
            sock.settimeout(self.settings.idle_s)
            request = reader.next()
            sock.settimeout(None)
            if request is None:
                return
            exchange = Exchange(self, sock, number, request)
            exchange.answer()
            if not request.keep_alive or exchange.script.fault == "drop_after_reply":
                return

    def slot(self, model: Model) -> BoundedSemaphore:
        if model.name not in self.slots:
            self.slots[model.name] = BoundedSemaphore(self.settings.parallel or 1_000_000)
        return self.slots[model.name]


class Exchange:
    """One request and its answer."""

    def __init__(self, ollama: Ollama, sock: socket.socket, connection: int, request: http.Request) -> None:
        self.ollama, self.sock, self.request = ollama, sock, request
        self.body, self.refusal = self._decoded()
        routed = (request.method, request.path) in ROUTES and request.method == "POST"
        self.script = ollama.book.choose(self.body) if routed else Script()
        self.record = Record(
            id=ollama.ledger.requests_total + 1,
            connection=connection,
            method=request.method,
            path=request.path,
            headers=request.headers,
            body=self.body,
            tag=self.script.tag,
            fault=self.script.fault,
        )
        ollama.ledger.add(self.record)
        self.delivery = Delivery(sock, self.record, self.script, lambda name: ollama.gates[name])

    def _decoded(self) -> tuple[Any, Refused | None]:
        if self.request.method != "POST":
            return None, None
        try:
            return checks.decode(self.request.body), None
        except Refused as refusal:
            return self.request.body.decode("utf-8", "replace"), refusal

    def answer(self) -> None:
        watcher = gevent.spawn(self._watch, gevent.getcurrent())
        try:
            self._route()
            self.record.end("complete" if (self.record.status or 0) < 400 else "refused")
        except (ClientLeft, OSError) as error:
            self.record.client_left_at = self.record.client_left_at or time.time()
            self.record.end("client_left")
            raise ClientLeft from error
        except Closed:
            self.record.end("fault")
            raise
        finally:
            watcher.kill()
            self.record.end("fault")

    def _watch(self, answering: gevent.Greenlet) -> None:
        """Notice at once that the client has closed, as Go's server does, also while nothing is being written."""
        try:
            if self.sock.recv(1, socket.MSG_PEEK):
                return
        except OSError:
            pass
        self.record.client_left_at = time.time()
        answering.kill(ClientLeft, block=False)

    def _route(self) -> None:
        method, path = self.request.method, self.request.path
        if not _is_local(self.request.headers.get("host", "")):
            self.delivery.send(http.head(403, {"Content-Length": "0"}))
            self.record.status = 403
            return
        if method == "HEAD" and ("GET", path) in ROUTES:
            self.record.status = 200
            self.delivery.send(http.head(200, {"Content-Type": http.JSON}))
            return
        handler = ROUTES.get((method, path))
        if handler is None:
            known = any(route == path for _, route in ROUTES)
            text = b"405 method not allowed" if known else b"404 page not found"
            self.delivery.whole(405 if known else 404, text, "text/plain")
            return
        try:
            if self.refusal:
                raise self.refusal
            handler(self)
        except _Canned as canned:
            self.delivery.whole(canned.status, canned.body, canned.content_type, canned.headers)
        except Refused as refusal:
            self.delivery.whole(refusal.status, refusal.body)

    def root(self) -> None:
        self.delivery.whole(200, b"Ollama is running", "text/plain; charset=utf-8")

    def version(self) -> None:
        self.delivery.whole(200, {"version": self.ollama.settings.version})

    def tags(self) -> None:
        self.delivery.whole(200, {"models": [model.listed() for model in self.ollama.shelf.installed.values()]})

    def ps(self) -> None:
        self.delivery.whole(200, {"models": self.ollama.shelf.in_memory()})

    def show(self) -> None:
        name = self.body.get("model") or self.body.get("name") or ""
        if not name:
            raise Refused(400, "model is required")
        model = self.ollama.shelf.find(name)
        if model is None:
            raise Refused(404, f"model '{name}' not found")
        self.delivery.whole(200, model.shown())

    def chat(self) -> None:
        checks.chat(self.body)
        model = self._model("model is required", 400)
        needs = ["completion"] + (["tools"] if self.body.get("tools") else [])
        self._generate(model, needs, "chat", is_empty=not self.body.get("messages"))

    def generate(self) -> None:
        checks.generate(self.body)
        model = self._model(f"model '{self.body.get('model')}' not found", 404)
        needs = ["completion"] + (["insert"] if self.body.get("suffix") else [])
        self._generate(model, needs, "generate", is_empty=not self.body.get("prompt"))

    def _generate(self, model: Model, needs: list[str], verb: str, *, is_empty: bool) -> None:
        body, script, shelf = self.body, self.script, self.ollama.shelf
        keep_alive_s = checks.keep_alive_s(body.get("keep_alive"))
        if is_empty and keep_alive_s == 0:
            shelf.loaded.pop(model.name, None)
            self._loaded_only("unload")
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
        loaded = self._load(model, keep_alive_s)
        load_ns = time.monotonic_ns() - began
        if is_empty:
            self._loaded_only("load")
            return
        self._canned()
        with _Running(self.ollama, model):
            is_chat = verb == "chat"
            prompt_tokens = self._prompt_tokens(loaded, is_chat)
            checks.response_format(body.get("format"))
            plain = answers.to_chat(body) if is_chat else answers.to_generate(body)
            wants_thinking = thinks and body.get("think") is not False
            answer = lines.shaped(plain, script, body.get("options") or {}, wants_thinking)
            turn = lines.Turn(body, script, answer, prompt_tokens, is_chat, load_ns, time.monotonic_ns())
            self._tell(turn)
        if keep_alive_s == 0:
            shelf.loaded.pop(model.name, None)

    def _tell(self, turn: lines.Turn) -> None:
        counted = {"prompt_eval_count": turn.prompt_tokens, "eval_count": turn.answer.tokens()}
        self.record.counted = counted
        self.delivery.before()
        if self.body.get("stream") is not False:
            self.delivery.stream(lines.stream(turn))
            return
        self._pace_whole(turn)
        if self.script.fault == "error_line":
            raise Refused(500, FAILED)
        self.delivery.whole(200, lines.joined(turn))
        self.record.pieces = len(turn.answer.content) + len(turn.answer.thinking)
        self.record.content, self.record.thinking = "".join(turn.answer.content), "".join(turn.answer.thinking)
        self.record.is_done_sent = self.script.fault != "clean_end_no_done"

    def _pace_whole(self, turn: lines.Turn) -> None:
        """Without streaming, the pace of the pieces is silence before the one answer."""
        if self.script.fault == "never_ends":
            Event().wait()
        if self.script.hold:
            self.ollama.gates[self.script.hold].wait()
        pause(self.script.pace_s * len(turn.answer.content))

    def _prompt_tokens(self, loaded: Loaded, is_chat: bool) -> int:
        """Counts the prompt; a long one is cut in silence or refused, as the real server's two ways have it."""
        count = answers.chat_prompt_tokens(self.body) if is_chat else answers.generate_prompt_tokens(self.body)
        if count < loaded.context:
            return count
        if self.body.get("truncate") is False:
            raise _overflow(count, loaded.context)
        if self.body.get("shift") is False:
            raise Refused(400, "the prompt is longer than the context length currently available to the model")
        return loaded.context // 2

    def embed(self) -> None:
        texts = checks.embed(self.body)
        model = self._model(f"model '{self.body.get('model')}' not found", 404)
        checks.options(self.body.get("options") or {})
        loaded = self._load(model, checks.keep_alive_s(self.body.get("keep_alive")))
        if not texts:
            self.delivery.whole(200, {"model": self.body["model"], "embeddings": []})
            return
        self._canned()
        with _Running(self.ollama, model):
            counts = [min(len(answers.pieces(text)) + 2, loaded.context) for text in texts]
            too_long = any(len(answers.pieces(text)) + 2 > loaded.context for text in texts)
            if too_long and self.body.get("truncate") is False:
                raise Refused(400, "the input length exceeds the context length")
            self.record.counted = {"prompt_eval_count": sum(counts)}
            self.delivery.before()
            if self.script.hold:
                self.ollama.gates[self.script.hold].wait()
            width, dimensions = model.width, self.body.get("dimensions")
            vectors = [answers.embedding(text, width, dimensions) for text in texts]
            self.delivery.whole(200, self._embedded(vectors, sum(counts)))
            self.record.is_done_sent = True

    def _embedded(self, vectors: list[list[float]], tokens: int) -> dict[str, Any]:
        counted = {"total_duration": 14_143_917, "load_duration": 1_019_500, "prompt_eval_count": tokens}
        said = self.script.counters_said(counted)
        said.pop("eval_count", None)
        return {"model": self.body["model"], "embeddings": vectors} | said

    def _model(self, sentence: str, status: int) -> Model:
        name = self.body.get("model") or ""
        if not NAME.match(name):
            raise Refused(status, sentence)
        if re.search(r"(:|-)cloud$", name):
            raise Refused(401, "unauthorized", signin_url="https://ollama.example/connect")
        model = self.ollama.shelf.find(name)
        if model is None:
            raise Refused(404, f"model '{name}' not found")
        return model

    def _load(self, model: Model, keep_alive_s: float | None) -> Loaded:
        """A client that leaves while the model loads aborts the load."""
        shelf, options = self.ollama.shelf, self.body.get("options") or {}
        if shelf.needs_load(model, options, self.body.get("shift")):
            pause(self.script.load_s or self.ollama.settings.load_s)
        return shelf.load(model, options, self.body.get("shift"), keep_alive_s)

    def _loaded_only(self, reason: str) -> None:
        row: dict[str, Any] = {"model": self.body["model"], "created_at": lines.now()}
        if self.request.path == "/api/chat":
            row["message"] = {"role": "assistant", "content": ""}
        else:
            row["response"] = ""
        self.delivery.whole(200, row | {"done": True, "done_reason": reason})

    def _canned(self) -> None:
        """Answers that need no model: faults with a status, and whatever a script spells out."""
        script = self.script
        if script.status is not None:
            kind = script.headers.get("Content-Type", http.JSON)
            body = script.body.encode() if isinstance(script.body, str) else script.body
            raise _Canned(script.status, body, kind, script.headers)
        if script.fault == "500_html":
            raise _Canned(500, HTML, "text/html", {})
        if script.fault == "400_overflow":
            raise _overflow(9000, 4096)
        if script.fault in CANNED:
            raise Refused(*CANNED[script.fault])


class _Canned(Refused):
    def __init__(self, status: int, body: Any, content_type: str, headers: dict[str, str]) -> None:
        super().__init__(status, "")
        self.body, self.content_type, self.headers = body, content_type, headers


class _Running:
    """A slot of the model, and a place among the answers in flight, for as long as the block runs."""

    def __init__(self, ollama: Ollama, model: Model) -> None:
        self.ledger, self.slot = ollama.ledger, ollama.slot(model)

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


def _overflow(tokens: int, context: int) -> Refused:
    """The inner server's whole body arrives as a string inside `error`."""
    message = f"request ({tokens} tokens) exceeds the available context size ({context} tokens), try increasing it"
    inner = {"code": 400, "message": message, "type": "exceed_context_size_error"}
    inner |= {"n_prompt_tokens": tokens, "n_ctx": context}
    return Refused(400, http.encode({"error": inner}).decode())


def _is_local(host: str) -> bool:
    """Bound to loopback, the real server answers only to local names (`allowedHostsMiddleware`)."""
    name = re.sub(r":\d+$", "", host).strip("[]").lower()
    if name in ("", "localhost", socket.gethostname().lower()) or name.endswith((".local", ".internal", ".localhost")):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_private or address.is_unspecified


ROUTES = {
    ("GET", "/"): Exchange.root,
    ("GET", "/api/version"): Exchange.version,
    ("GET", "/api/tags"): Exchange.tags,
    ("GET", "/api/ps"): Exchange.ps,
    ("POST", "/api/show"): Exchange.show,
    ("POST", "/api/chat"): Exchange.chat,
    ("POST", "/api/generate"): Exchange.generate,
    ("POST", "/api/embed"): Exchange.embed,
}
