"""One request and its answer: chosen script, record, route, and the watch for a client that leaves."""

from __future__ import annotations

import ipaddress
import re
import time
from typing import Any

import gevent
from gevent import socket

from . import api, checks, http
from .api import Canned
from .checks import Refused
from .delivery import Closed, Delivery
from .records import Record
from .scripts import Script
from .state import State


class ClientLeft(Exception):
    """The client closed its side while its request was being answered."""


class Exchange:
    """One request and its answer."""

    def __init__(self, state: State, sock: socket.socket, connection: int, request: http.Request) -> None:
        self.state, self.sock, self.request = state, sock, request
        self.body, self.refusal = self._decoded()
        routed = (request.method, request.path) in api.ROUTES and request.method == "POST"
        self.script = state.book.choose(self.body) if routed else Script()
        self.record = Record(
            id=state.ledger.requests_total + 1,
            connection=connection,
            method=request.method,
            path=request.path,
            headers=request.headers,
            body=self.body,
            tag=self.script.tag,
            fault=self.script.fault,
        )
        state.ledger.add(self.record)
        self.delivery = Delivery(sock, self.record, self.script, lambda name: state.gates[name])

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
        if method == "HEAD" and ("GET", path) in api.ROUTES:
            self.record.status = 200
            self.delivery.send(http.head(200, {"Content-Type": http.JSON}))
            return
        handler = api.ROUTES.get((method, path))
        if handler is None:
            known = any(route == path for _, route in api.ROUTES)
            text = b"405 method not allowed" if known else b"404 page not found"
            self.delivery.whole(405 if known else 404, text, "text/plain")
            return
        try:
            if self.refusal:
                raise self.refusal
            handler(self)
        except Canned as canned:
            self.delivery.whole(canned.status, canned.body, canned.content_type, canned.headers)
        except Refused as refusal:
            self.delivery.whole(refusal.status, refusal.body)


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
