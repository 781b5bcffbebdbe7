"""Fetches images that messages point at, without ever reaching anything that is not on the public internet.

A guard that resolves a name and lets a client resolve it again can be fooled by a second answer, so the address that
was checked is the one that is connected to. There are no redirects, no proxies, no cookies, and one deadline for all.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

from ..errors import InvalidRequest
from ..wire import images
from ..wire.chat.messages import Conversation

TOTAL_S = 5.0
MAX_BYTES = 10_485_760
HTTPS_PORT = 443
MAX_URL = 2048

_SAFE = "/%:=&?~+!$,;'@()*"

Resolve = Callable[..., list[Any]]
Dial = Callable[[tuple[str, int], float], socket.socket]


class _NotFetched(Exception):
    """Why an image did not come, as the end of a sentence."""


# 6to4 relays of old (RFC 7526 gave them up), which the standard library still counts as public.
_RELAY = ipaddress.ip_network("192.88.99.0/24")


def is_public(address: str) -> bool:
    """Whether an IP address is on the public internet, also when an IPv4 address hides inside an IPv6 one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip in _RELAY)
    if ip.ipv4_mapped is not None:
        return is_public(str(ip.ipv4_mapped))
    if ip in _NAT64:
        return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    # 6to4 and Teredo tunnel to an IPv4 address of the sender's choice, and no site serves images from them.
    return ip.is_global and ip in _UNICAST and ip.sixtofour is None and ip.teredo is None


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST = ipaddress.IPv6Network("2000::/3")


class Fetcher:
    """`may_reach` judges an IP address; the other arguments exist so that tests can stand in for the internet."""

    def __init__(
        self,
        *,
        total_s: float = TOTAL_S,
        max_bytes: int = MAX_BYTES,
        port: int = HTTPS_PORT,
        may_reach: Callable[[str], bool] = is_public,
        resolve: Resolve = socket.getaddrinfo,
        dial: Dial = socket.create_connection,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._total_s = total_s
        self._max_bytes = max_bytes
        self._port = port
        self._may_reach = may_reach
        self._resolve = resolve
        self._dial = dial
        self._tls = tls or ssl.create_default_context()

    def fill(self, conversation: Conversation) -> None:
        """Put every image the messages point at into them. Raises InvalidRequest naming the part."""
        deadline = time.monotonic() + self._total_s
        for place in conversation.image_urls:
            try:
                data = self._fetched(place.url, deadline)
            except _NotFetched as exc:
                raise InvalidRequest(f"{place.param} was not fetched: {exc}.", param=place.param) from exc
            images.check(data, place.param)
            conversation.messages[place.message]["images"][place.image] = base64.b64encode(data).decode("ascii")
        conversation.image_urls.clear()

    def _fetched(self, url: str, deadline: float) -> bytes:
        host, target = _parts(url)
        address = self._address(host, deadline)
        try:
            sock = self._dial((address, self._port), _left_s(deadline))
        except OSError as exc:
            raise _NotFetched("its server cannot be reached") from exc
        # Whatever waits when time is up, a handshake or a byte, wakes up because its connection is gone. TLS takes the
        # socket over, so the alarm has a handle of its own on the same connection.
        handle = sock.dup()
        alarm = threading.Timer(max(0.0, deadline - time.monotonic()), _hang_up, (handle,))
        alarm.daemon = True
        alarm.start()
        try:
            return self._exchange(sock, host, target, deadline)
        except (OSError, http.client.HTTPException, ValueError) as exc:
            reason = "it took too long" if time.monotonic() >= deadline else "its server did not answer properly"
            raise _NotFetched(reason) from exc
        finally:
            alarm.cancel()
            handle.close()
            sock.close()

    def _address(self, host: str, deadline: float) -> str:
        """The one address to connect to; a name with any address that is not public is refused as a whole."""
        found: list[str] = []

        def look_up() -> None:
            try:
                answers = self._resolve(host, self._port, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError):
                return
            found.extend(str(answer[4][0]) for answer in answers)

        # A resolver cannot be told how long it may take, so it is waited for from outside.
        thread = threading.Thread(target=look_up, daemon=True)
        thread.start()
        thread.join(_left_s(deadline))
        addresses = list(found)
        if not addresses:
            raise _NotFetched("its host is not known")
        if not all(self._may_reach(address) for address in addresses):
            raise _NotFetched("its host is not on the public internet")
        return addresses[0]

    def _exchange(self, sock: socket.socket, host: str, target: str, deadline: float) -> bytes:
        sock.settimeout(_left_s(deadline))
        with self._tls.wrap_socket(sock, server_hostname=host) as secure:
            secure.sendall(_request(host, target))
            with contextlib.closing(http.client.HTTPResponse(secure)) as response:
                response.begin()
                if response.status != 200:
                    raise _NotFetched(f"its server answered {response.status}; redirects are not followed")
                if response.getheader("Content-Encoding", "identity").lower() != "identity":
                    raise _NotFetched("its server sent it compressed")
                return self._body(response, secure, deadline)

    def _body(self, response: http.client.HTTPResponse, sock: socket.socket, deadline: float) -> bytes:
        data = io.BytesIO()
        while data.tell() <= self._max_bytes:
            sock.settimeout(_left_s(deadline))
            piece = response.read1(65536)
            if not piece:
                break
            data.write(piece)
        if data.tell() > self._max_bytes:
            raise _NotFetched(f"it has more than {self._max_bytes} bytes")
        if response.length:
            raise _NotFetched("it ended before it was whole")
        return data.getvalue()


def _parts(url: str) -> tuple[str, str]:
    """(host, path with query) of a URL that is https on the usual port, with no user in it."""
    if len(url) > MAX_URL:
        raise _NotFetched(f"its URL has more than {MAX_URL} characters")
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = parts.port
    except (ValueError, UnicodeError) as exc:
        raise _NotFetched("its URL is not one") from exc
    if parts.scheme != "https" or not host or port not in (None, HTTPS_PORT) or "@" in parts.netloc:
        raise _NotFetched("only https URLs on the usual port, without a user name, are fetched")
    # Nothing but printable ASCII may stand in a request line.
    query = f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
    return host, quote(parts.path or "/", safe=_SAFE) + query


def _request(host: str, target: str) -> bytes:
    lines = (
        f"GET {target} HTTP/1.1",
        f"Host: {host}",
        "User-Agent: LLMRack",
        "Accept: image/png, image/jpeg, image/webp",
        "Accept-Encoding: identity",
        "Connection: close",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")


def _left_s(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise _NotFetched("it took too long")
    return left


def _hang_up(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        # The other side, or the exchange itself, has closed it already.
        return
