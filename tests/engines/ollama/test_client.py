"""The engine behind live keys, against a scripted Ollama over real sockets."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses

from llmrack.engines.base import ClientGone, EngineRequest
from llmrack.engines.ollama.client import Ollama
from llmrack.errors import InvalidRequest, UpstreamError
from llmrack.wire.ollama import Reply
from tests.support.fake_ollama import FakeOllama
from tests.wire.support import CATALOG


@pytest.fixture
def engine(fake_ollama: FakeOllama) -> Iterator[Ollama]:
    engine = Ollama(fake_ollama.url, connect_timeout_s=2, silence_timeout_s=1.5)
    yield engine
    engine.close()


def call(silence_s: float = 15) -> EngineRequest:
    return EngineRequest("req_0", silence_s)


def body(prompt: str, *, stream: bool = True, **fields: Any) -> dict[str, Any]:
    options = {"num_ctx": 8192, "num_predict": 200}
    messages = [{"role": "user", "content": prompt}]
    return {
        "model": "phi3:mini",
        "messages": messages,
        "stream": stream,
        "options": options,
        "truncate": False,
    } | fields


def text(batches: list[list[Reply]]) -> str:
    return "".join(reply.message.content for batch in batches for reply in batch if reply.message)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
def test_an_answer_ends_with_the_counts(engine: Ollama, stream: bool) -> None:
    batches = list(engine.chat(body("Count from 1 to 5", stream=stream), call()))
    last = batches[-1][-1]
    assert text(batches) == "Here it goes: 1, 2, 3, 4, 5."
    assert (last.done, last.done_reason) == (True, "stop")
    assert last.eval_count
    assert last.prompt_eval_count


def test_what_arrives_together_stays_together(engine: Ollama) -> None:
    batches = list(engine.chat(body("Count from 1 to 30 [[lines_per_write:10]]"), call()))
    assert max(len(batch) for batch in batches) >= 5


def test_lines_split_over_writes_are_put_together(engine: Ollama) -> None:
    batches = list(engine.chat(body("Count from 1 to 5 [[write_sizes:7]]"), call()))
    assert text(batches) == "Here it goes: 1, 2, 3, 4, 5."


def test_a_generated_text_and_embeddings_come_back(engine: Ollama) -> None:
    generated = list(
        engine.generate({"model": "phi3:mini", "prompt": "Count from 1 to 3", "stream": False, "options": {}}, call())
    )
    assert "1, 2, 3" in generated[-1][-1].response
    reply = engine.embed({"model": "nomic-embed-text", "input": ["a", "b"], "truncate": False}, call())
    assert [len(vector) for vector in reply.embeddings] == [768, 768]
    assert reply.prompt_eval_count


def test_a_silent_model_shows_as_empty_batches(engine: Ollama) -> None:
    batches = list(engine.chat(body("Count from 1 to 5 [[first:0.5]]"), call(silence_s=0.1)))
    assert batches[0] == []
    assert text(batches) == "Here it goes: 1, 2, 3, 4, 5."


def test_a_connection_is_used_again(engine: Ollama, fake_ollama: FakeOllama) -> None:
    before = fake_ollama.state()["connections_total"]
    for _ in range(3):
        list(engine.chat(body("hi"), call()))
    assert fake_ollama.state()["connections_total"] - before <= 1


FAULTS = [
    ("accept_no_reply", "upstream_timeout"),
    ("fin_no_reply", "upstream_reset"),
    ("headers_then_stall", "upstream_timeout"),
    ("rst_at_chunk:3", "upstream_reset"),
    ("fin_at_chunk:3", "upstream_reset"),
    ("stall_at_chunk:3", "upstream_timeout"),
    ("clean_end_no_done", "upstream_reset"),
    ("half_line", "upstream_reset"),
    ("error_line", "upstream_died"),
    ("garbage_chunk", "upstream_reset"),
    ("garbage_line", "upstream_reset"),
    ("500_html", "upstream_error"),
    ("500_died", "upstream_died"),
    ("wrong_usage:string", "upstream_reset"),
]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@pytest.mark.parametrize(("fault", "code"), FAULTS, ids=[row[0] for row in FAULTS])
def test_every_way_to_fail_is_an_upstream_error(engine: Ollama, fault: str, code: str, stream: bool) -> None:
    started = time.monotonic()
    with pytest.raises(UpstreamError) as caught:
        list(engine.chat(body(f"Count from 1 to 50 [[fault:{fault}]]", stream=stream), call()))
    assert time.monotonic() - started < 3
    assert caught.value.code == code


def test_a_line_that_never_ends_is_given_up(engine: Ollama) -> None:
    with pytest.raises(UpstreamError, match="never ends"):
        list(engine.chat(body("hi [[fault:huge_line]]"), call()))


def test_a_busy_server_says_when_to_come_back(engine: Ollama) -> None:
    with pytest.raises(UpstreamError) as caught:
        list(engine.chat(body("hi [[fault:503_busy]]"), call()))
    assert caught.value.retry_after_s


def test_a_prompt_longer_than_the_window_is_the_clients_error(engine: Ollama) -> None:
    with pytest.raises(InvalidRequest) as caught:
        list(engine.chat(body("hi [[fault:400_overflow]]"), call()))
    assert caught.value.code == "context_length_exceeded"


def test_an_answer_given_byte_by_byte_is_whole(engine: Ollama) -> None:
    batches = list(engine.chat(body("Reply with the single word PONG [[fault:slice_1_byte]]"), call()))
    assert text(batches) == "PONG."


def test_nobody_listening_is_an_upstream_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    engine = Ollama(f"http://127.0.0.1:{port}", connect_timeout_s=1, silence_timeout_s=1)
    with pytest.raises(UpstreamError) as caught:
        list(engine.chat(body("hi"), call()))
    assert caught.value.code == "upstream_unreachable"
    with pytest.raises(UpstreamError):
        engine.version()


@pytest.mark.parametrize("prompt", ["hi [[first:5]]", "Count from 1 to 50 [[pace:0.2]]"], ids=["silent", "streaming"])
def test_abandoning_a_call_closes_the_connection_at_once(engine: Ollama, fake_ollama: FakeOllama, prompt: str) -> None:
    ours = call()
    prompt += f"[[tag:gone-{len(prompt)}]]"
    timer = threading.Timer(0.3, ours.abandon)
    timer.start()
    started = time.monotonic()
    with pytest.raises(ClientGone):
        list(engine.chat(body(prompt), ours))
    assert time.monotonic() - started < 0.8
    timer.join()
    deadline = time.monotonic() + 1
    while not (record := fake_ollama.last(tag=f"gone-{len(prompt.partition('[[tag')[0])}"))["client_left_at"]:
        assert time.monotonic() < deadline, record
        time.sleep(0.02)


def test_a_call_abandoned_before_it_began_never_waits(engine: Ollama) -> None:
    ours = call()
    ours.abandon()
    with pytest.raises(ClientGone):
        list(engine.chat(body("hi [[first:5]]"), ours))


def test_closing_the_iterator_stops_the_generation(engine: Ollama, fake_ollama: FakeOllama) -> None:
    batches = engine.chat(body("Count from 1 to 50 [[pace:0.05]] [[tag:closed]]"), call())
    next(batches)
    batches.close()
    time.sleep(0.3)
    assert fake_ollama.last(tag="closed")["client_left_at"]


@responses.activate
def test_version_and_models_are_read_from_the_small_gets() -> None:
    engine = Ollama("http://ollama.test", connect_timeout_s=1, silence_timeout_s=1)
    responses.get("http://ollama.test/api/version", json={"version": "0.33.0"})
    tags = {"models": [{"name": "phi3:mini", "size": 5, "capabilities": ["completion"]}, {"name": "old"}]}
    responses.get("http://ollama.test/api/tags", json=tags)
    responses.get("http://ollama.test/api/ps", json={"models": [{"name": "phi3:mini", "context_length": 4096}]})
    assert engine.version() == "0.33.0"
    assert [(row.name, row.capabilities) for row in engine.installed()] == [("phi3:mini", ("completion",)), ("old", ())]
    assert [(row.name, row.context_tokens) for row in engine.loaded()] == [("phi3:mini", 4096)]


@responses.activate
@pytest.mark.parametrize(
    "answer", [{"body": "<html>"}, {"json": []}, {"status": 500}, {"body": requests.ConnectionError()}]
)
def test_what_is_not_an_ollama_is_an_upstream_error(answer: dict[str, Any]) -> None:
    responses.get("http://ollama.test/api/version", **answer)
    with pytest.raises(UpstreamError, match=r"http://ollama\.test"):
        Ollama("http://ollama.test", connect_timeout_s=1, silence_timeout_s=1).version()


def serve_once(data: bytes) -> tuple[str, socket.socket]:
    """The address of a server that answers one connection with `data`, and the server to close."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(data)

    threading.Thread(target=answer, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}", server


def test_a_line_of_invalid_utf_8_is_a_failure_of_the_model_server_and_loses_nothing_before_it() -> None:
    good = b'{"message":{"role":"assistant","content":"one"},"done":false}\n'
    bad = b'{"message":{"role":"assistant","content":"\xff\xfe"},"done":false}\n'
    url, server = serve_once(b"HTTP/1.1 200 OK\r\n\r\n" + good * 3 + bad)
    engine = Ollama(url, connect_timeout_s=1, silence_timeout_s=2)
    batches: list[list[Reply]] = []
    with server, pytest.raises(UpstreamError) as failed:
        batches.extend(engine.chat(body("hi"), call()))
    assert text(batches) == "oneoneone"
    assert failed.value.code == "upstream_reset"


def test_waiting_while_ollama_answers_others_is_no_silence(fake_ollama: FakeOllama) -> None:
    engine = Ollama(fake_ollama.url, connect_timeout_s=2, silence_timeout_s=0.6)
    other = threading.Thread(target=lambda: list(engine.chat(body("Count from 1 to 20 [[pace:0.1]]"), call())))
    other.start()
    waited = list(engine.chat(body("Count from 1 to 5 [[first:1.4]]"), call(silence_s=0.1)))
    assert text(waited) == "Here it goes: 1, 2, 3, 4, 5."
    other.join()
    with pytest.raises(UpstreamError, match="silent for") as failed:
        list(engine.chat(body("Count from 1 to 5 [[first:1.4]]"), call(silence_s=0.1)))
    assert failed.value.code == "upstream_timeout"
    engine.close()


def test_a_wait_behind_others_is_bounded_and_named(fake_ollama: FakeOllama) -> None:
    engine = Ollama(fake_ollama.url, connect_timeout_s=2, silence_timeout_s=0.6, queue_timeout_s=1)
    other = threading.Thread(target=lambda: list(engine.chat(body("Count from 1 to 20 [[pace:0.1]]"), call())))
    other.start()
    with pytest.raises(UpstreamError, match="did not begin an answer within 1 seconds") as failed:
        list(engine.chat(body("Count from 1 to 5 [[first:1.8]]"), call(silence_s=0.1)))
    assert failed.value.code == "upstream_queue_timeout"
    other.join()
    engine.close()


def test_a_failure_of_ollama_names_the_model_as_the_catalogue_does(engine: Ollama) -> None:
    asked = call()
    asked.model = CATALOG.get("phi-3-mini")
    with pytest.raises(UpstreamError, match="^phi-3-mini is on offer but not installed"):
        list(engine.chat(body("hi [[fault:404_missing]]"), asked))
