"""The server that pretends to be Ollama: its listener and its connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent import socket
from gevent.server import StreamServer

from . import http
from .delivery import Closed, reset
from .exchange import ClientLeft, Exchange
from .state import State


@dataclass
class Ollama(State):
    """The listener on top of the state. One instance to a process; `port` stays the same through `down` and `up`."""

    port: int = 0
    host: str = "127.0.0.1"
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
        self.up()
        self.forget()

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
