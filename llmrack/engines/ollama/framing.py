"""Where the body of an HTTP/1.1 response ends (RFC 9112 section 6): by length, by chunks, or with the connection."""

from __future__ import annotations

MAX_LINE_BYTES = 65536


class BadResponse(Exception):
    """The peer broke HTTP, or hung up before the response was whole."""


def of(headers: dict[bytes, bytes], status: int) -> Framing:
    """The framing that these headers, by lower-case name, announce. Raises BadResponse."""
    if status in (204, 304):
        return Sized(0)
    if headers.get(b"transfer-encoding") == b"chunked":
        return Chunked()
    if b"content-length" in headers:
        if not headers[b"content-length"].isdigit():
            raise BadResponse("the response has an invalid Content-Length")
        return Sized(int(headers[b"content-length"]))
    return UntilClose()


class Framing:
    """How the end of a body is found. `take` hands out what is complete; `feed` adds what was received."""

    ends_with_close = False

    def __init__(self) -> None:
        self._buffer = b""
        self.is_done = False

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left over, so that the connection can carry another request."""
        return not self._buffer

    def feed(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data

    def feed_first(self, data: bytes) -> None:
        self._buffer = data

    def take(self) -> bytes:
        raise NotImplementedError


class Sized(Framing):
    def __init__(self, size: int) -> None:
        super().__init__()
        self._left = size

    def take(self) -> bytes:
        out, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
        self._left -= len(out)
        self.is_done = self._left == 0
        return out


class UntilClose(Framing):
    ends_with_close = True

    def feed(self, data: bytes) -> None:
        super().feed(data)
        self.is_done = not data

    @property
    def is_clean(self) -> bool:
        return False

    def take(self) -> bytes:
        out, self._buffer = self._buffer, b""
        return out


class Chunked(Framing):
    """Transfer-Encoding: chunked (RFC 9112 section 7.1); extensions and trailers are skipped."""

    def __init__(self) -> None:
        super().__init__()
        self._left = 0
        self._is_last = False
        self._fault: BadResponse | None = None

    def take(self) -> bytes:
        """What is complete; broken framing behind it is raised by the next call, so that nothing good is lost."""
        out: list[bytes] = []
        if self._fault is None:
            try:
                self._take(out)
            except BadResponse as fault:
                self._fault = fault
        if self._fault is not None and not out:
            raise self._fault
        return out[0] if len(out) == 1 else b"".join(out)

    def _take(self, out: list[bytes]) -> None:
        buffer, at = self._buffer, 0
        while not self.is_done:
            if self._left > 2:
                piece = buffer[at : at + self._left - 2]
                out.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left > 2:
                    break
            if self._left:
                if len(buffer) - at < self._left:
                    break
                if buffer[at : at + 2] != b"\r\n":
                    raise BadResponse("a chunk is longer than it says")
                at, self._left = at + 2, 0
            end = buffer.find(b"\r\n", at)
            if end < 0:
                if len(buffer) - at > MAX_LINE_BYTES:
                    raise BadResponse("a chunk header is too long")
                break
            at = self._header(buffer[at:end], end + 2)
        self._buffer = buffer[at:]

    def _header(self, line: bytes, after: int) -> int:
        """Read a chunk's size line, or a trailer line once the last chunk was seen; the empty one ends the body."""
        if self._is_last:
            self.is_done = not line
            return after
        try:
            size = int(line.split(b";", 1)[0], 16)
        except ValueError:
            raise BadResponse("a chunk header is not a number") from None
        if size < 0:
            raise BadResponse("a chunk header is not a number")
        self._is_last = size == 0
        self._left = size + 2 if size else 0
        return after
