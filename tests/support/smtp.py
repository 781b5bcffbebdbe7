"""A mail server that keeps what it is given: enough of SMTP (RFC 5321) for smtplib, on a free port."""

from __future__ import annotations

import email
import socketserver
import threading
import time
from email.message import Message
from typing import Any


class Smtp:
    """`with Smtp() as server:` serves at `server.port`; `server.wait(to)` returns the newest message to an address."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.messages: list[tuple[list[str], Message]] = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer._serve(self, refuses)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Smtp:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait(self, to: str, timeout_s: float = 10.0) -> Message:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for recipients, message in reversed(self.messages):
                if to in recipients:
                    return message
            time.sleep(0.02)
        raise AssertionError(f"no mail to {to} within {timeout_s} s")

    def _serve(self, connection: Any, refuses: bool) -> None:
        def say(line: str) -> None:
            connection.wfile.write(f"{line}\r\n".encode())

        recipients: list[str] = []
        say("220 test ESMTP")
        while line := connection.rfile.readline():
            word, _, rest = line.decode().strip().partition(" ")
            if word.upper() in ("EHLO", "HELO"):
                say("250 test")
            elif word.upper() == "RCPT":
                recipients.append(rest.partition("<")[2].partition(">")[0])
                say("550 no such mailbox" if refuses else "250 ok")
            elif word.upper() == "DATA":
                say("354 go on")
                self.messages.append((recipients, email.message_from_bytes(_data(connection.rfile))))
                recipients = []
                say("250 kept")
            elif word.upper() == "QUIT":
                say("221 bye")
                return
            else:
                say("250 ok")


def _data(lines: Any) -> bytes:
    kept = []
    for line in lines:
        if line == b".\r\n":
            break
        kept.append(line[1:] if line.startswith(b"..") else line)
    return b"".join(kept)
