"""Bodies that are not the JSON object we take."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmrack.errors import InvalidRequest
from llmrack.wire import json_body


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "is not JSON"),
        (b"null", "must be a JSON object, not null"),
        (b"[]", "must be a JSON object, not an array"),
        (b'"text"', "must be a JSON object, not a string"),
        (b"1", "must be a JSON object, not a number"),
        (b"true", "must be a JSON object, not a boolean"),
        (b"{} {}", "is not JSON"),
        (b'{"a": 1,}', "is not JSON"),
        (b"{'a': 1}", "is not JSON"),
        (b'{"a": 1', "is not JSON"),
        (b"model=phi-3-mini", "is not JSON"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e999}', "out of range"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too many digits"),
        (b'{"a": [' + b"0," * 500_001 + b"0]}", "500000 values"),
        (b'{"a": "\x00"}', "is not JSON"),
        (b'{"a": "\xff"}', "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b"\xef\xbb\xbf{}", "byte order mark (U+FEFF)"),
        (b'{"a": "\\ud800", "b": 1e999}', "out of range"),
        (b'{"\\ud800": 1, "\\ud801": 2}', "twice"),
        (b'{"a": "\\ud800", "b": ' + b"[" * 200 + b"]" * 200 + b"}", "levels deep"),
        (b'{"a": 1, "a": 2}', '"a" twice'),
        (b'{"m": [{"role": 1, "role": 2}]}', '"role" twice'),
        (b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}", "levels deep"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "levels deep"),
        (b'{"a":' * 50_000, "levels deep"),
    ],
)
def test_what_is_not_a_plain_json_object_is_refused_in_words(raw: bytes, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        json_body.decode(raw)
    assert says in caught.value.message
    assert caught.value.code == "invalid_json"
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b' {"a": [1, 2.5, -0, 1e3, true, null, "\\ud83d\\ude00", {}]} \n',
        b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"a": 18446744073709551616}',
        b'{"a": {"x": 1}, "b": {"x": 1}}',
    ],
)
def test_plain_json_objects_are_taken_as_they_are(raw: bytes) -> None:
    assert json_body.decode(raw) == (json.loads(raw), [])


@pytest.mark.parametrize(
    ("raw", "value", "replaced"),
    [
        (b'{"a": "x\\u0000y"}', {"a": "x\ufffdy"}, ["a"]),
        (b'{"a": "\\ud83d"}', {"a": "\ufffd"}, ["a"]),
        (b'{"a": "\\uDFFF"}', {"a": "\ufffd"}, ["a"]),
        # As Go reads them: each half by itself, a half before a pair, a half before a letter.
        (b'{"a": "\\ud800\\ud800"}', {"a": "\ufffd\ufffd"}, ["a"]),
        (b'{"a": "\\ud83d\\ud83d\\ude00"}', {"a": "\ufffd\U0001f600"}, ["a"]),
        (b'{"a": "\\ud83dA\\ude00"}', {"a": "\ufffdA\ufffd"}, ["a"]),
        (b'{"a": "\\\\ud800 and \\\\u0000"}', {"a": "\\ud800 and \\u0000"}, []),
        (b'{"m": [{}, {"c": [{"t": "\\uD800"}, "\\u0000"]}]}', {"m": [{}, {"c": [{"t": "\ufffd"}, "\ufffd"]}]},
         ["m[1].c[0].t", "m[1].c[1]"]),
        (b'{"k\\ud800": {"\\u0000": 1.5}}', {"k\ufffd": {"\ufffd": 1.5}}, ["k\ufffd", "k\ufffd.\ufffd"]),
    ],
)  # fmt: skip
def test_what_text_cannot_hold_is_replaced_and_its_places_are_told(raw: bytes, value: Any, replaced: list[str]) -> None:
    assert json_body.decode(raw) == (value, replaced)
