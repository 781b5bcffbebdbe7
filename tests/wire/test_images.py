"""Data URIs and the headers of images."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from llmrack.errors import InvalidRequest
from llmrack.wire import images


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", width, height) + b"\x08" * 9


def jpeg(width: int, height: int) -> bytes:
    app = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF" + b"\0" * 10
    return b"\xff\xd8" + app + b"\xff\xff\xc0" + struct.pack(">HBHH", 17, 8, height, width) + b"\0" * 10


def webp(kind: bytes, body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + kind + struct.pack("<I", len(body)) + body


WEBPS = [
    webp(b"VP8X", b"\0" * 4 + (39).to_bytes(3, "little") + (29).to_bytes(3, "little")),
    webp(b"VP8 ", b"\0" * 3 + b"\x9d\x01\x2a" + struct.pack("<HH", 40, 30)),
    webp(b"VP8L", b"\x2f" + struct.pack("<I", 39 | 29 << 14)),
]


@pytest.mark.parametrize("data", [png(40, 30), jpeg(40, 30), *WEBPS])
def test_the_size_is_read_from_the_header(data: bytes) -> None:
    assert images.pixel_size(data) == (40, 30)


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a" + b"\0" * 20, b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"<svg/>"]
)
def test_what_is_no_such_image_has_no_size(data: bytes) -> None:
    assert images.pixel_size(data) is None


def uri(data: bytes, kind: str = "png") -> dict[str, Any]:
    return {"url": f"data:image/{kind};base64,{base64.b64encode(data).decode()}"}


def test_a_data_uri_is_unwrapped() -> None:
    assert images.read(uri(png(1, 1)), "p", urls=False) == base64.b64encode(png(1, 1)).decode()
    assert images.read(uri(jpeg(1, 1), "JPEG")["url"], "p", urls=False) == base64.b64encode(jpeg(1, 1)).decode()


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        {},
        {"url": 7},
        {"url": "data:image/png;base64,%%%"},
        {"url": "data:image/png;base64,AAAA"},
        {"url": "data:image/gif;base64,AAAA"},
        {"url": "data:text/html,x"},
        uri(png(100_000, 100_000)),
        uri(png(0, 10)),
        {"url": "http://example.com/a.png"},
        {"url": "javascript:alert(1)"},
    ],
)
def test_anything_else_is_refused_naming_the_part(value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        images.read(value, "messages[0].content[1].image_url", urls=False)
    has_no_text = isinstance(value, dict) and not isinstance(value.get("url"), str)
    assert caught.value.param == f"messages[0].content[1].image_url{'.url' if has_no_text else ''}"
