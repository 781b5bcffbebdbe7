"""Images inside messages: data URIs checked and unwrapped, other URLs handed on to be fetched."""

from __future__ import annotations

import base64
import binascii
import re
import struct
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidRequest
from .json_body import wrong_type

MAX_IMAGES = 16
# A picture of this many pixels takes 200 MB once it is unpacked.
MAX_PIXELS = 50_000_000

_DATA_URI = re.compile(r"data:image/(?:jpeg|jpg|png|webp);base64,", re.IGNORECASE)


@dataclass(frozen=True)
class Url:
    url: str


def read(value: Any, param: str, *, urls: bool) -> str | Url:
    """The base64 of an `image_url` part, given as {"url": ...} or as a string. Raises InvalidRequest."""
    url = value.get("url") if isinstance(value, dict) else value
    if not isinstance(url, str):
        where = f"{param}.url" if isinstance(value, dict) else param
        raise wrong_type(where, "a string" if isinstance(value, dict) else "an object with a url", url)
    match = _DATA_URI.match(url)
    if match:
        data = url[match.end() :]
        check(_decoded(data, param), param)
        return data
    if re.match("https?:", url, re.IGNORECASE):
        if urls:
            return Url(url)
        raise InvalidRequest(
            "This server does not fetch images; send them as data:image/png;base64,... (or jpeg, webp).", param=param
        )
    raise InvalidRequest(f"{param} must be a data URI: data:image/png;base64,... (or jpeg, webp).", param=param)


def _decoded(data: str, param: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"{param} is not valid base64.", param=param) from None


def check(data: bytes, param: str) -> None:
    """Refuse what is not a PNG, JPEG or WebP by its first bytes, or has too many pixels. Raises InvalidRequest."""
    size = pixel_size(data)
    if size is None:
        raise InvalidRequest(f"{param} is not a PNG, JPEG or WebP image.", param=param)
    width, height = size
    if width * height > MAX_PIXELS or not width or not height:
        raise InvalidRequest(f"{param} is {width} x {height} pixels; at most {MAX_PIXELS} are taken.", param=param)


def pixel_size(data: bytes) -> tuple[int, int] | None:
    """Width and height as the header declares them, without unpacking anything; None when it is no such image."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
            return struct.unpack(">II", data[16:24])
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg_size(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp_size(data)
    except (struct.error, IndexError):
        return None
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walk the segments to the start-of-frame, which holds height and width (ITU-T T.81, B.2.2)."""
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """The three kinds of WebP container (RFC 9649, section 2)."""
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None
