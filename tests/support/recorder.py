"""A relay in front of a server that keeps the bodies it passes on."""

from __future__ import annotations

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class Recorder:
    """`bodies` are the JSON bodies in the order in which they came."""

    def __init__(self, target: str) -> None:
        self.bodies: list[Any] = []
        host = urlsplit(target).netloc
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                bodies.append(json.loads(body))
                connection = http.client.HTTPConnection(host, timeout=30)
                names = ("Authorization", "Content-Type", "Accept")
                connection.request("POST", self.path, body, {n: self.headers[n] for n in names if self.headers[n]})
                reply = connection.getresponse()
                data = reply.read()
                connection.close()
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.headers["Content-Type"])
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Recorder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
