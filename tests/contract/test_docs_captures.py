"""The recorded answers of the documentation: asked again, the server answers with the same keys and types."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from llmrack.docsite import captures
from llmrack.docsite.facts import CONTENT
from tests.support.servers import flask
from tests.support.shapes import assert_same_shape
from tests.support.testmode import Started, start

FOLDER = CONTENT / "captures"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    started = start(tmp_path_factory.mktemp("captures"))
    with started.server:
        yield started


@pytest.mark.parametrize("name", captures.names(FOLDER))
def test_a_recorded_answer_has_the_shape_of_todays(name: str, started: Started) -> None:
    stored = captures.load(FOLDER, name)
    status, _, body, events = captures.ask(started.server.url, started.key, stored.request)
    assert status == stored.status
    assert_same_shape(body, stored.body)
    assert len(events) == len(stored.events)
    for now, then in zip(events, stored.events, strict=True):
        assert_same_shape(_read(now), _read(then))


def _read(event: str) -> object:
    return event if event == "[DONE]" else json.loads(event)


@pytest.mark.parametrize("name", captures.names(FOLDER))
def test_a_recorded_answer_says_when_and_from_what_it_was_captured(name: str) -> None:
    source = captures.load(FOLDER, name).source
    assert source.keys() == {"at", "by", "version"}
    assert all(source.values())


def test_a_stream_keeps_one_id_and_says_pong_as_documented() -> None:
    stream = captures.load(FOLDER, "stream")
    assert len({json.loads(event)["id"] for event in stream.events[:-1]}) == 1
    assert stream.events[-1] == "[DONE]"
    body = captures.load(FOLDER, "pong").body
    assert (body["choices"][0]["message"]["content"], body["usage"]["total_tokens"]) == ("PONG.", 22)
    assert captures.load(FOLDER, "stream-error").events[-1] != "[DONE]"


def test_the_command_records_them_anew(started: Started) -> None:
    path = FOLDER / "pong.json"
    before = path.read_text(encoding="utf-8")
    try:
        arguments = ("--url", started.server.url, "--key", started.key)
        assert flask(started.server.settings, "captures", "record", "pong", *arguments) == "pong: 200 from test mode\n"
        after = captures.load(FOLDER, "pong")
        assert after.source["by"] == "test mode"
        assert_same_shape(after.body, json.loads(before)["response"]["body"])
    finally:
        path.write_text(before, encoding="utf-8")
