"""The least a gevent process can do in the middle: bytes from one socket to the other, no HTTP."""

from __future__ import annotations

import argparse
from contextlib import suppress

import gevent
from gevent import socket
from gevent.server import StreamServer


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upstream", type=int, required=True)
    upstream = ("127.0.0.1", parser.parse_args().upstream)

    def serve(client: socket.socket, _address: object) -> None:
        server = socket.create_connection(upstream)
        for sock in (client, server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = gevent.spawn(_copy, server, client)
        _copy(client, server)
        back.join()
        server.close()

    relay = StreamServer(("127.0.0.1", 0), serve, backlog=4096)
    relay.start()
    print(relay.server_port, flush=True)
    relay.serve_forever()


if __name__ == "__main__":
    main()
