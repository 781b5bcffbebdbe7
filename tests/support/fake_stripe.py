"""The small Stripe as a server: its API under /v1, the pages it hosts under /pay and /portal, and its webhooks."""

from __future__ import annotations

import hashlib
import hmac
import html
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.stripe.objects import Books, Declined, Object

SECRET_KEY, WEBHOOK_SECRET = "sk_test_fake", "whsec_fake"


class FakeStripe(Books):
    """`with FakeStripe() as stripe`. With `webhook_url` set, every event is delivered there as soon as it happens."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self.webhook_url: str | None = None
        self.requests: list[tuple[str, str]] = []
        self._answers: dict[str, tuple[int, Object]] = {}
        self._delivered = 0
        handler = type("Handler", (_Handler,), {"stripe": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> FakeStripe:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def sign(self, event: Object, secret: str = WEBHOOK_SECRET, at: float | None = None) -> tuple[bytes, str]:
        """The body of a webhook and its `Stripe-Signature`."""
        return signed(json.dumps(event).encode(), secret, int(self.clock() if at is None else at))

    def deliver_new(self) -> None:
        """Send what happened since the last time to `webhook_url`, in order."""
        while self.webhook_url and self._delivered < len(self.events):
            event = self.events[self._delivered]
            self._delivered += 1
            body, signature = self.sign(event)
            headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
            request = urllib.request.Request(self.webhook_url, body, headers)
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.status == 200

    def call(self, method: str, path: str, params: Object, key: str | None) -> tuple[int, Object]:
        """One API request. The same idempotency key gets the same answer again."""
        with self.lock:
            self.requests.append((method, path))
            if key is not None and key in self._answers:
                return self._answers[key]
            try:
                answer = 200, self._route(method, path, params)
            except Declined:
                answer = 402, _error("card_error", "Your card was declined.", code="card_declined")
            except KeyError as missing:
                answer = 404, _error("invalid_request_error", f"No such object: {missing}", code="resource_missing")
            if key is not None:
                self._answers[key] = answer
            return answer

    def _route(self, method: str, path: str, params: Object) -> Object:
        if (method, path) == ("POST", "/v1/customers"):
            return self.make("cus", "customer", email=params.get("email"), metadata=params.get("metadata", {}))
        if (method, path) == ("POST", "/v1/checkout/sessions"):
            return self.open_session(params, self.url)
        if (method, path) == ("POST", "/v1/billing_portal/sessions"):
            facts = {"customer": params["customer"], "return_url": params["return_url"]}
            session = self.make("bps", "billing_portal.session", **facts)
            return session | {"url": f"{self.url}/portal/{session['id']}"}
        if found := re.fullmatch(r"/v1/checkout/sessions/(\w+)/expire", path):
            return self.expire(found[1])
        if method == "POST" and (found := re.fullmatch(r"/v1/subscriptions/(\w+)", path)):
            return self.update(found[1], params)
        if method == "GET" and (found := re.fullmatch(r"/v1/(?:checkout/)?\w+/(\w+)", path)):
            return self.get(found[1])
        raise KeyError(path)


def signed(body: bytes, secret: str, at: int) -> tuple[bytes, str]:
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return body, f"t={at},v1={digest}"


def _error(type: str, message: str, **more: str) -> Object:
    return {"error": {"type": type, "message": message, **more}}


def nested(flat: list[tuple[str, str]]) -> Object:
    """Stripe's form encoding: `line_items[0][price]=x` is {"line_items": [{"price": "x"}]}."""
    root: Object = {}
    for name, value in flat:
        at: Any = root
        keys = re.findall(r"[^\[\]]+", name)
        for key in keys[:-1]:
            at = at.setdefault(key, {})
        at[keys[-1]] = value
    return _lists(root)


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(inner) for key, inner in value.items()}


PAGE = """<!doctype html><html lang="en"><title>{title}</title><h1>{title}</h1>{text}
<form method="post">{buttons}</form><p><a href="{back}">Back</a></p></html>"""
BUTTON = '<button name="do" value="{}">{}</button> '


class _Handler(BaseHTTPRequestHandler):
    stripe: FakeStripe
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/v1/"):
            self._api("GET", path)
        elif path.startswith("/pay/"):
            self._show_payment(self.stripe.get(path.removeprefix("/pay/")))
        elif path.startswith("/portal/"):
            self._show_portal(self.stripe.get(path.removeprefix("/portal/")))
        else:
            self._send(404, "text/plain", b"not found")

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/v1/"):
            self._api("POST", path)
            self.stripe.deliver_new()
        elif path.startswith("/pay/"):
            self._pay(self.stripe.get(path.removeprefix("/pay/")))
        else:
            self._manage(self.stripe.get(path.removeprefix("/portal/")))

    def _api(self, method: str, path: str) -> None:
        params = nested(parse_qsl(self._body().decode(), keep_blank_values=True))
        if self.headers["Authorization"] != f"Bearer {SECRET_KEY}":
            self._json(401, _error("invalid_request_error", "Invalid API Key provided"))
            return
        self._json(*self.stripe.call(method, path, params, self.headers["Idempotency-Key"]))

    def _show_payment(self, session: Object) -> None:
        text = f"<p>{session['amount_total'] / 100:.2f} {session['currency']}</p>"
        buttons = BUTTON.format("pay", "Pay") + BUTTON.format("slow", "Pay by bank") + BUTTON.format("bad", "Bad card")
        self._page("Checkout", text, buttons, session["cancel_url"])

    def _pay(self, session: Object) -> None:
        what = dict(parse_qsl(self._body().decode()))["do"]
        if what == "bad":
            self._page("Your card was declined", "", BUTTON.format("pay", "Pay"), session["cancel_url"])
            return
        self.stripe.pay(session["id"], is_slow=what == "slow")
        self._go(session["success_url"])
        self.stripe.deliver_new()

    def _show_portal(self, portal: Object) -> None:
        subscriptions = [row for row in self.stripe.all("subscription") if row["customer"] == portal["customer"]]
        live = [row for row in subscriptions if row["status"] != "canceled"]
        text = "".join(f"<p>{row['id']}: {row['status']}</p>" for row in live)
        buttons = BUTTON.format("cancel", "Cancel plan") + BUTTON.format("keep", "Keep plan") if live else ""
        self._page("Portal", text, buttons, portal["return_url"])

    def _manage(self, portal: Object) -> None:
        what = dict(parse_qsl(self._body().decode()))["do"]
        for row in self.stripe.all("subscription"):
            if row["customer"] == portal["customer"] and row["status"] != "canceled":
                self.stripe.update(row["id"], {"cancel_at_period_end": what == "cancel"})
        self._go(portal["return_url"])
        self.stripe.deliver_new()

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def _page(self, title: str, text: str, buttons: str, back: str) -> None:
        page = PAGE.format(title=html.escape(title), text=text, buttons=buttons, back=html.escape(back))
        self._send(200, "text/html; charset=utf-8", page.encode())

    def _go(self, url: str) -> None:
        self._send(303, "text/plain", b"", Location=url)
        self.wfile.flush()

    def _json(self, status: int, answer: Object) -> None:
        shown = {name: value for name, value in answer.items() if not name.startswith("_")}
        self._send(status, "application/json", json.dumps(shown).encode(), **{"Request-Id": "req_fake"})

    def _send(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
