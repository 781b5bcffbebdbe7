"""Images are fetched from the public internet and from nowhere else, within a deadline, whatever the server does."""

from __future__ import annotations

import base64
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmrack.clients.images import Fetcher, is_public
from llmrack.errors import InvalidRequest
from llmrack.wire.chat.messages import Conversation, ImagePlace
from tests.support.programs import need
from tests.wire.test_images import png

PNG = png(4, 3)
PARAM = "messages[0].content[0].image_url"
# Reading the machine's certificates takes longer than everything else here.
TLS = ssl.create_default_context()


def fetched(url: str, fetcher: Fetcher) -> bytes:
    conversation = Conversation([{"role": "user", "content": "", "images": [""]}])
    conversation.image_urls.append(ImagePlace(PARAM, url, 0, 0))
    fetcher.fill(conversation)
    assert conversation.image_urls == []
    return base64.b64decode(conversation.messages[0]["images"][0])


def refusal(url: str, fetcher: Fetcher) -> str:
    with pytest.raises(InvalidRequest) as caught:
        fetched(url, fetcher)
    assert caught.value.param == PARAM
    return caught.value.message


class Loopback:
    """Every port a client could reach on this machine for an https URL counts its connections here."""

    def __init__(self) -> None:
        self.connections = 0

    def dial(self, address: tuple[str, int], timeout: float) -> socket.socket:
        self.connections += 1
        raise OSError("nothing may be reached in this test")


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/latest/meta-data/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://0x7f.0.0.1/",
        "https://0/",
        "https://0.0.0.0/",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://192.0.2.1/",
        "https://198.18.0.1/",
        "https://224.0.0.1/",
        "https://240.0.0.1/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[2001:0:7f00:1::]/",
        "https://[fe80::1]/",
        "https://[fe80::1%25lo]/",
        "https://[fc00::1]/",
        "https://[ff02::1]/",
        "https://localhost/",
        "https://localhost./",
        "https://LOCALHOST/",
        "http://example.com/a.png",
        "ftp://example.com/a.png",
        "file:///etc/passwd",
        "gopher://127.0.0.1:70/",
        "https://example.com:8443/",
        "https://example.com:22/",
        "https://user@example.com/",
        "https://user:pw@127.0.0.1/",
        "https:///a.png",
        "https://",
        "https://[::1",
        "https://exa mple.com/",
        "https://" + "a" * 70 + ".com/",
        "https://example.com/" + "a" * 3000,
        "https://example.invalid/",
    ],
)
def test_nothing_but_the_public_internet_is_ever_connected_to(url: str) -> None:
    loopback = Loopback()
    started = time.monotonic()
    assert "was not fetched" in refusal(url, Fetcher(dial=loopback.dial, tls=TLS))
    assert loopback.connections == 0
    assert time.monotonic() - started < 6


def answers(*addresses: str) -> Callable[..., list[Any]]:
    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        resolve.calls += 1  # type: ignore[attr-defined]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    resolve.calls = 0  # type: ignore[attr-defined]
    return resolve


def test_a_name_is_resolved_once_and_what_was_judged_is_what_is_dialled() -> None:
    dialled: list[Any] = []

    def dial(address: tuple[str, int], timeout: float) -> socket.socket:
        dialled.append(address)
        raise OSError("far away")

    resolve = answers("93.184.215.14")
    refusal("https://rebinding.example/", Fetcher(resolve=resolve, dial=dial, tls=TLS))
    assert dialled == [("93.184.215.14", 443)]
    assert resolve.calls == 1  # type: ignore[attr-defined]


def test_a_name_with_one_address_that_is_not_public_is_refused_as_a_whole() -> None:
    loopback = Loopback()
    fetcher = Fetcher(resolve=answers("93.184.215.14", "127.0.0.1"), dial=loopback.dial, tls=TLS)
    assert "public internet" in refusal("https://two.example/", fetcher)
    assert loopback.connections == 0


def test_a_resolver_that_hangs_is_not_waited_for() -> None:
    def resolve(*_: Any, **__: Any) -> list[Any]:
        time.sleep(2)
        return []

    started = time.monotonic()
    refusal("https://slow.example/", Fetcher(resolve=resolve, total_s=0.3, tls=TLS))
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("address", "is_fine"),
    [
        ("93.184.215.14", True),
        ("8.8.8.8", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::808:808", True),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
        ("::ffff:10.0.0.1", False),
        ("239.1.1.1", False),
    ],
)
def test_which_addresses_are_public(address: str, is_fine: bool) -> None:
    assert is_public(address) == is_fine


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = [need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(path), "-out", f"{path}.crt", "-days", "2", "-subj", "/CN=img.example"]
    command += ["-addext", "subjectAltName=DNS:img.example"]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


Script = Callable[[ssl.SSLSocket], None]


class Server:
    """A TLS server on loopback that does to each connection what its script says."""

    def __init__(self, certificate: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.script: Script = lambda connection: None
        self.is_silent = False
        self.request = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(raw,), daemon=True).start()

    def _answer(self, raw: socket.socket) -> None:
        with raw:
            if self.is_silent:
                time.sleep(2)
                return
            try:
                with self._context.wrap_socket(raw, server_side=True) as connection:
                    self.request = connection.recv(65536)
                    self.script(connection)
            except OSError:
                return

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def server(certificate: Path) -> Iterator[Server]:
    server = Server(certificate)
    yield server
    server.close()


def near(server: Server, certificate: Path, **more: Any) -> Fetcher:
    """A fetcher for which this machine is the internet."""
    return Fetcher(
        port=server.port,
        resolve=answers("127.0.0.1"),
        may_reach=lambda address: True,
        tls=ssl.create_default_context(cafile=f"{certificate}.crt"),
        **{"total_s": 0.8, **more},
    )


def says(head: str, body: bytes = b"") -> Script:
    return lambda connection: connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)


def drips(connection: ssl.SSLSocket) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + PNG:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


def test_an_image_is_fetched_and_put_into_its_place(server: Server, certificate: Path) -> None:
    server.script = says(f"HTTP/1.1 200 OK\nContent-Length: {len(PNG)}\n", PNG)
    assert fetched("https://img.example/a b/ü.png?q=1 2#x", near(server, certificate)) == PNG
    assert server.request.startswith(b"GET /a%20b/%C3%BC.png?q=1%202 HTTP/1.1\r\nHost: img.example\r\n")
    assert b"cookie" not in server.request.lower()
    assert b"authorization" not in server.request.lower()


def test_an_image_in_chunks_is_fetched(server: Server, certificate: Path) -> None:
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(PNG), PNG)
    server.script = says("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n", chunks)
    assert fetched("https://img.example/", near(server, certificate)) == PNG


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (says("HTTP/1.1 302 Found\nLocation: https://127.0.0.1/\n"), "redirects are not followed"),
        (says("HTTP/1.1 404 Not Found\n"), "answered 404"),
        (says("HTTP/1.1 200 OK\nContent-Encoding: gzip\n", PNG), "compressed"),
        (says("HTTP/1.1 200 OK\n", b"<html>"), "is not a PNG, JPEG or WebP"),
        (says("HTTP/1.1 200 OK\n", png(100_000, 100_000)), "pixels"),
        (says("HTTP/1.1 200 OK\n", PNG * 200), "has more than 4096 bytes"),
        (says("HTTP/1.1 200 OK\nContent-Length: 10000000000\n", PNG * 200), "has more than 4096 bytes"),
        (says("HTTP/1.1 200 OK\nContent-Length: 500\n", PNG), "before it was whole"),
        (says("nonsense\n"), "did not answer properly"),
        (lambda connection: None, "did not answer properly"),
        (drips, "took too long"),
        (lambda connection: time.sleep(2), "took too long"),
    ],
)
def test_a_server_that_misbehaves_is_a_400_in_time(
    server: Server, certificate: Path, script: Script, reason: str
) -> None:
    server.script = script
    started = time.monotonic()
    assert reason in refusal("https://img.example/", near(server, certificate, max_bytes=4096))
    assert time.monotonic() - started < 2


def test_a_handshake_that_never_comes_is_not_waited_for(server: Server, certificate: Path) -> None:
    server.is_silent = True
    assert "took too long" in refusal("https://img.example/", near(server, certificate, total_s=0.4))


def test_a_certificate_for_another_name_is_refused(server: Server, certificate: Path) -> None:
    server.script = says("HTTP/1.1 200 OK\n", PNG)
    assert "did not answer properly" in refusal("https://other.example/", near(server, certificate))
    assert server.request == b""


def test_proxies_of_the_environment_are_not_used(
    server: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    server.script = says("HTTP/1.1 200 OK\n", PNG)
    assert fetched("https://img.example/", near(server, certificate)) == PNG
