"""The scripted Ollama itself: its plain answers, what it refuses, every fault, and what it records."""

from __future__ import annotations

import json
import math
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.fake_ollama import FakeOllama
from tests.support.shapes import assert_same_shape, differences

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get current weather for a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module")
def running() -> Iterator[FakeOllama]:
    with FakeOllama() as fake:
        yield fake


@pytest.fixture
def fake(running: FakeOllama) -> FakeOllama:
    running.reset()
    return running


def ask(fake: FakeOllama, prompt: str, model: str = "llama3.1:8b", **more: Any) -> requests.Response:
    body = {"model": model, "messages": [{"role": "user", "content": prompt}]} | more
    return requests.post(f"{fake.url}/api/chat", json=body, timeout=5)


def lines(reply: requests.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in reply.text.splitlines()]


def said(rows: list[dict[str, Any]]) -> str:
    return "".join(row.get("message", {}).get("content", "") for row in rows)


def connect(fake: FakeOllama, prompt: str, **more: Any) -> socket.socket:
    body = json.dumps({"model": "phi3:mini", "messages": [{"role": "user", "content": prompt}]} | more).encode()
    sock = socket.create_connection(("127.0.0.1", fake.port), timeout=5)
    sock.sendall(b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    return sock


def received(sock: socket.socket) -> tuple[bytes, str]:
    """Everything until the end, and how the end came: fin, reset or silence."""
    data = b""
    try:
        while part := sock.recv(65536):
            data += part
    except ConnectionResetError:
        return data, "reset"
    except TimeoutError:
        return data, "silence"
    finally:
        sock.close()
    return data, "fin"


def test_chat_streams_one_piece_a_line_and_counts_on_the_last(fake: FakeOllama) -> None:
    reply = ask(fake, "Reply with the single word PONG", model="phi3:mini")
    rows = lines(reply)
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    assert [row["message"]["content"] for row in rows] == ["P", "ONG", ".", ""]
    assert [row["done"] for row in rows] == [False, False, False, True]
    assert (rows[-1]["prompt_eval_count"], rows[-1]["eval_count"], rows[-1]["done_reason"]) == (18, 4, "stop")
    record = fake.last()
    assert (record["outcome"], record["pieces"], record["content"], record["status"]) == ("complete", 3, "PONG.", 200)


def test_chat_without_streaming_is_one_object(fake: FakeOllama) -> None:
    reply = ask(fake, "Count from 1 to 5", stream=False)
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    assert reply.json()["message"] == {"role": "assistant", "content": "Here it goes: 1, 2, 3, 4, 5."}
    assert reply.json()["done"] is True


def test_a_weather_question_with_the_tool_gives_its_call_and_a_result_gives_prose(fake: FakeOllama) -> None:
    first = ask(fake, "What is the weather in Paris?", tools=[TOOL], stream=False).json()
    call = first["message"]["tool_calls"][0]
    assert first["message"]["content"] == ""
    assert call["function"] == {"index": 0, "name": "get_weather", "arguments": {"city": "Paris"}}
    messages = [
        {"role": "user", "content": "What is the weather in Paris?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": '{"temp_c": 21, "condition": "sunny"}', "tool_name": "get_weather"},
    ]
    second = ask(fake, "", tools=[TOOL], stream=False, messages=messages).json()
    prose = "The weather in Paris is currently sunny with a temperature of 21 degrees Celsius."
    assert second["message"]["content"] == prose


def test_two_cities_give_two_calls(fake: FakeOllama) -> None:
    rows = lines(ask(fake, "What is the weather in Paris and Rome?", tools=[TOOL]))
    calls = rows[0]["message"]["tool_calls"]
    assert [(c["function"]["index"], c["function"]["arguments"]["city"]) for c in calls] == [(0, "Paris"), (1, "Rome")]
    assert "tool_calls" not in rows[-1]["message"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("json", {"name": "Ada", "age": 36}),
        ({"properties": {"city": {"type": "string"}, "ok": {"type": "boolean"}}}, {"city": "Paris", "ok": True}),
        ({"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer", "minimum": 9}}}, [9]),
        ({"properties": {"unit": {"enum": ["C", "F"]}, "k": {"const": 4}}}, {"unit": "C", "k": 4}),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
    ],
)  # fmt: skip
def test_a_format_gives_an_instance_of_it(fake: FakeOllama, wanted: Any, expected: Any) -> None:
    reply = ask(fake, "Give me some", format=wanted, stream=False)
    assert json.loads(reply.json()["message"]["content"]) == expected


def test_generate_answers_with_response_and_context(fake: FakeOllama) -> None:
    body = {"model": "mistral:7b", "prompt": "Reply with the single word PONG"}
    rows = lines(requests.post(f"{fake.url}/api/generate", json=body, timeout=5))
    assert "".join(row["response"] for row in rows) == "PONG."
    assert rows[-1]["context"]
    raw = lines(requests.post(f"{fake.url}/api/generate", json=body | {"raw": True}, timeout=5))
    assert "context" not in raw[-1]
    assert rows[-1]["prompt_eval_count"] > raw[-1]["prompt_eval_count"] > 0


def test_embeddings_are_unit_vectors_that_depend_on_the_text_alone(fake: FakeOllama) -> None:
    def embed(**more: Any) -> dict[str, Any]:
        body = {"model": "nomic-embed-text", **more}
        return requests.post(f"{fake.url}/api/embed", json=body, timeout=5).json()

    two = embed(input=["the quick brown fox", "hello world"])
    one = embed(input="hello world")
    assert [len(v) for v in two["embeddings"]] == [768, 768]
    assert two["embeddings"][1] == one["embeddings"][0]
    assert math.isclose(sum(x * x for x in one["embeddings"][0]), 1, abs_tol=1e-5)
    assert two["prompt_eval_count"] == 6 + 4
    assert len(embed(input="a", dimensions=64)["embeddings"][0]) == 64
    assert embed(input="") == {"model": "nomic-embed-text", "embeddings": []}


def test_installed_and_loaded_models_are_listed(fake: FakeOllama) -> None:
    assert requests.get(f"{fake.url}/api/ps", timeout=5).json() == {"models": []}
    ask(fake, "hi", options={"num_ctx": 8192})
    loaded = requests.get(f"{fake.url}/api/ps", timeout=5).json()["models"]
    assert [(row["name"], row["context_length"]) for row in loaded] == [("llama3.1:8b", 8192)]
    tags = requests.get(f"{fake.url}/api/tags", timeout=5).json()["models"]
    assert {row["name"] for row in tags} >= {"phi3:mini", "nomic-embed-text:latest"}
    shown = requests.post(f"{fake.url}/api/show", json={"model": "nomic-embed-text"}, timeout=5).json()
    assert shown["model_info"]["nomic-bert.context_length"] == 2048
    assert requests.get(f"{fake.url}/api/version", timeout=5).json() == {"version": "0.33.0"}
    assert requests.get(fake.url, timeout=5).text == "Ollama is running"


@pytest.mark.parametrize(
    ("change", "status", "fragment"),
    [
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}, 400, "cannot unmarshal array"),
        ({"messages": [{"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]}, 400, "expected object"),
        ({"messages": [{"role": "user", "images": ["data:image/png;base64,AAAA"]}]}, 400, "illegal base64"),
        ({"options": {"stop": "\n"}}, 500, 'option "stop" must be of type array'),
        ({"options": {"stop": [1]}}, 500, "must be of an array of strings"),
        ({"options": {"num_predict": "9"}}, 500, 'option "num_predict" must be of type integer'),
        ({"options": {"temperature": "hot"}}, 500, 'option "temperature" must be of type float32'),
        ({"model": "gone:1b"}, 404, "model 'gone:1b' not found"),
        ({"model": ""}, 400, "model is required"),
        ({"model": "gpt-oss:120b-cloud"}, 401, "unauthorized"),
        ({"model": "phi3:mini", "tools": [TOOL]}, 400, "does not support tools"),
        ({"model": "phi3:mini", "think": True}, 400, "does not support thinking"),
        ({"model": "nomic-embed-text"}, 400, "does not support chat"),
        ({"think": "very"}, 400, "invalid think value"),
        ({"format": "xml"}, 500, "invalid format"),
        ({"top_logprobs": 21}, 400, "top_logprobs must be"),
        ({"stream": "yes"}, 400, "cannot unmarshal string"),
        ({"keep_alive": "soon"}, 400, "invalid duration"),
        ({"truncate": False, "options": {"num_ctx": 16}}, 400, "exceeds the available context size"),
        ({"shift": False, "options": {"num_ctx": 16}}, 400, "longer than the context length"),
        ({"tools": [{"type": "function", "function": {"name": 4}}]}, 400, "cannot unmarshal number"),
    ],
)  # fmt: skip
def test_what_ollama_refuses_is_refused(fake: FakeOllama, change: dict[str, Any], status: int, fragment: str) -> None:
    reply = ask(fake, "Reply with the single word PONG, if you please", **change)
    assert reply.status_code == status
    assert fragment in reply.json()["error"]
    assert fake.last()["outcome"] == "refused"


def test_the_overflow_error_holds_the_inner_servers_body(fake: FakeOllama) -> None:
    reply = ask(fake, "one two three four five six seven eight", truncate=False, options={"num_ctx": 8})
    inner = json.loads(reply.json()["error"])["error"]
    assert (inner["type"], inner["n_ctx"]) == ("exceed_context_size_error", 8)


def test_a_long_prompt_is_cut_in_silence_by_default(fake: FakeOllama) -> None:
    assert ask(fake, "word " * 500, stream=False, options={"num_ctx": 200}).json()["prompt_eval_count"] == 100


@pytest.mark.parametrize(
    ("path", "body", "status", "fragment"),
    [
        ("/api/embed", {"model": "nomic-embed-text", "input": [1, 2]}, 400, "invalid input type"),
        ("/api/embed", {"model": "nomic-embed-text", "input": 4}, 400, "invalid input type"),
        ("/api/embed", {"model": "nomic-embed-text", "input": "a " * 3000, "truncate": False}, 400, "the input length"),
        ("/api/embed", {"model": "gone", "input": "a"}, 404, "not found"),
        ("/api/generate", {"model": "phi3:mini", "prompt": "a", "suffix": "b"}, 400, "does not support insert"),
        ("/api/generate", {"model": "phi3:mini", "prompt": "a", "raw": True, "system": "b"}, 400, "raw mode does not"),
        ("/api/generate", {"model": "phi3:mini", "prompt": ["a"]}, 400, "cannot unmarshal array"),
        ("/api/show", {"model": "gone"}, 404, "model 'gone' not found"),
    ],
)  # fmt: skip
def test_other_endpoints_refuse_too(fake: FakeOllama, path: str, body: Any, status: int, fragment: str) -> None:
    reply = requests.post(fake.url + path, json=body, timeout=5)
    assert reply.status_code == status
    assert fragment in reply.json()["error"]


def test_a_foreign_host_header_is_refused_with_an_empty_403(fake: FakeOllama) -> None:
    reply = requests.get(f"{fake.url}/api/tags", headers={"Host": "ollama.example.com"}, timeout=5)
    assert (reply.status_code, reply.content) == (403, b"")


def test_stop_and_num_predict_cut_the_answer(fake: FakeOllama) -> None:
    stopped = ask(fake, "Count from 1 to 5", stream=False, options={"stop": [", 3"]}).json()
    assert (stopped["message"]["content"], stopped["done_reason"]) == ("Here it goes: 1, 2", "stop")
    short = ask(fake, "Count from 1 to 5", stream=False, options={"num_predict": 3}).json()
    assert (short["message"]["content"], short["done_reason"], short["eval_count"]) == ("Here it goes", "length", 3)


def test_a_thinking_model_thinks_unless_told_not_to(fake: FakeOllama) -> None:
    rows = lines(ask(fake, "hi", model="qwen3:4b"))
    assert "".join(row["message"].get("thinking", "") for row in rows) == "Let me think about that for a moment."
    assert "thinking" not in ask(fake, "hi", model="qwen3:4b", think=False).text


def test_logprobs_come_with_each_piece(fake: FakeOllama) -> None:
    rows = lines(ask(fake, "Reply with the single word PONG", logprobs=True, top_logprobs=2))
    first = rows[0]["logprobs"][0]
    assert (first["token"], first["bytes"], len(first["top_logprobs"])) == ("P", [80], 2)
    assert "logprobs" not in rows[-1]


@pytest.mark.parametrize(
    ("fault", "end", "fragment"),
    [
        ("refuse", "reset", b""),
        ("fin_no_reply", "fin", b""),
        ("rst_at_chunk:3", "reset", b'" goes"'),
        ("fin_at_chunk:3", "fin", b'" goes"'),
        ("garbage_chunk:1", "fin", b"zz\r\nthis is no chunk"),
    ],
)
def test_faults_that_end_the_connection(fake: FakeOllama, fault: str, end: str, fragment: bytes) -> None:
    data, how = received(connect(fake, f"[[fault:{fault}]]Count from 1 to 5"))
    assert how == end
    assert fragment in data
    assert b"0\r\n\r\n" not in data
    assert fake.last()["outcome"] == "fault"


@pytest.mark.parametrize(
    ("fault", "lines_before", "tail"),
    [
        ("clean_end_no_done", 1, b'"done":false}\n'),
        ("clean_end_no_done:4", 4, b'"done":false}\n'),
        ("half_line:2", 2, b""),
        ("error_line:2", 3, b'{"error":"an error was encountered while running the model"}\n'),
    ],
)
def test_faults_that_end_the_stream_properly_but_too_soon(
    fake: FakeOllama, fault: str, lines_before: int, tail: bytes
) -> None:
    reply = ask(fake, f"[[fault:{fault}]] Count from 1 to 5")
    assert reply.status_code == 200
    assert reply.content.count(b"\n") == lines_before
    assert reply.content.endswith(tail)
    assert b'"done":true' not in reply.content


@pytest.mark.parametrize(
    ("fault", "status", "fragment"),
    [
        ("503_busy", 503, "server busy"),
        ("500_html", 500, "<html>"),
        ("500_died", 500, "unexpectedly stopped"),
        ("404_missing", 404, "not found"),
        ("400_overflow", 400, "exceed_context_size_error"),
        ("400_no_tools", 400, "does not support tools"),
    ],
)
def test_faults_with_a_status(fake: FakeOllama, fault: str, status: int, fragment: str) -> None:
    reply = ask(fake, f"[[fault:{fault}]] hi")
    assert reply.status_code == status
    assert fragment in reply.text


@pytest.mark.parametrize("fault", ["accept_no_reply", "headers_then_stall", "stall_at_chunk:2", "silent:30"])
def test_faults_that_say_nothing_end_when_the_client_leaves(fake: FakeOllama, fault: str) -> None:
    sock = connect(fake, f"[[fault:{fault}]][[tag:quiet]] hi")
    sock.settimeout(0.2)
    data, how = received(sock)
    left_at = time.time()
    assert how == "silence"
    assert data.count(b'"done":false') == (2 if fault.startswith("stall") else 0)
    assert (b"200 OK" in data) == (not fault.startswith(("accept", "silent")))
    record = fake.wait_for("quiet", outcome="client_left")
    assert abs(record["client_left_at"] - left_at) < 0.1
    assert fake.state()["in_flight"] == 0


def test_bytes_may_come_one_by_one(fake: FakeOllama) -> None:
    assert said(lines(ask(fake, "[[fault:slice_1_byte]] Count from 1 to 3"))) == "Here it goes: 1, 2, 3."
    sock = connect(fake, "[[fault:1_byte_per_s:0.01]] hi")
    sock.settimeout(0.3)
    first = sock.recv(65536)
    data, how = received_until(sock, 0.2)
    assert first.startswith(b"HTTP/1.1 200 OK")
    assert how == "open"
    assert 2 < data.count(b"1\r\n") < 40


def received_until(sock: socket.socket, seconds: float) -> tuple[bytes, str]:
    data, deadline = b"", time.monotonic() + seconds
    while time.monotonic() < deadline:
        part = sock.recv(65536)
        if not part:
            return data, "fin"
        data += part
    sock.close()
    return data, "open"


def test_silence_may_come_in_the_middle(fake: FakeOllama) -> None:
    began = time.monotonic()
    assert said(lines(ask(fake, "[[fault:silent:0.15:2]] Count from 1 to 3"))) == "Here it goes: 1, 2, 3."
    assert time.monotonic() - began > 0.15


def test_a_line_may_be_huge(fake: FakeOllama) -> None:
    reply = ask(fake, "[[fault:huge_line:10000000]] hi")
    assert len(lines(reply)[0]["message"]["content"]) == 10_000_000


@pytest.mark.parametrize(("kind", "value"), [("-1", -1), ("null", None), ("10^12", 10**12), ("string", "many")])
def test_usage_may_be_wrong(fake: FakeOllama, kind: str, value: Any) -> None:
    last = lines(ask(fake, f"[[fault:wrong_usage:{kind}]] hi"))[-1]
    assert (last["prompt_eval_count"], last["eval_count"]) == (value, value)


def test_an_answer_that_never_ends_ends_with_its_reader_and_counts_what_was_written(fake: FakeOllama) -> None:
    sock = connect(fake, "[[fault:never_ends]][[pace:0.005]][[tag:endless]] hi")
    data, _ = received_until(sock, 0.3)
    record = fake.wait_for("endless", outcome="client_left")
    assert 10 < record["pieces"] < 100
    assert abs(data.count(b'"content"') - record["pieces"]) <= 2


def test_a_connection_may_be_dropped_after_a_reply_without_notice(fake: FakeOllama) -> None:
    with requests.Session() as session:
        body = {"model": "phi3:mini", "messages": [{"role": "user", "content": "[[fault:drop_after_reply]] hi"}]}
        first = session.post(f"{fake.url}/api/chat", json=body, timeout=5)
        assert "Connection" not in first.headers
        fake.wait_until(lambda: fake.state()["connections_open"] == 0)


def test_calls_may_be_early_or_final_with_equal_indexes_and_without_ids(fake: FakeOllama) -> None:
    calls = [{"name": "f", "arguments": {"a": 1}}, {"name": "g"}]
    early = lines(ask(fake, fake.define("early", calls=calls, calls_at="split", equal_indexes=True) + "go"))
    assert [row["message"]["tool_calls"][0]["function"]["index"] for row in early[:2]] == [0, 0]
    final = lines(ask(fake, fake.define("final", calls=calls, calls_at="final", call_ids=False) + "go"))
    assert len(final) == 1
    assert [set(call) for call in final[0]["message"]["tool_calls"]] == [{"function"}, {"function"}]


def test_counters_may_be_missing_wrong_or_cached(fake: FakeOllama) -> None:
    assert "eval_count" not in lines(ask(fake, "[[counters:false]] hi"))[-1]
    assert lines(ask(fake, "[[cached:5]] hi"))[-1]["prompt_eval_cached_count"] == 5
    usage = lines(ask(fake, '[[usage:{"eval_count": "absent", "prompt_eval_count": 2.5}]] hi'))[-1]
    assert "eval_count" not in usage
    assert usage["prompt_eval_count"] == 2.5


def test_literal_lines_can_share_a_write_and_be_split_across_writes(fake: FakeOllama) -> None:
    given = [
        {"message": {"content": "a"}},
        {"wait_s": 0.01},
        {"message": {"content": "b"}},
        "not json\n",
        {"done": True},
    ]
    shared = ask(fake, fake.define("shared", lines=given, lines_per_write=3))
    assert shared.text == '{"message":{"content":"a"}}\n{"message":{"content":"b"}}\nnot json\n{"done":true}\n'
    cut = connect(fake, fake.define("cut", lines=given[:1], write_sizes=[5, 2]))
    cut.settimeout(0.1)
    data, _ = received(cut)
    assert b'5\r\n{"mes\r\n2\r\nsa\r\n' in data


def test_queued_scripts_serve_the_next_unmarked_requests(fake: FakeOllama) -> None:
    fake.queue({"fault": "503_busy"}, {"text": "queued"})
    assert ask(fake, "[[text:marked]]", stream=False).json()["message"]["content"] == "marked"
    assert ask(fake, "hi").status_code == 503
    assert said(lines(ask(fake, "hi"))) == "queued"
    assert said(lines(ask(fake, "hi"))).startswith("Hello!")
    fake.always(status=418, body={"error": "tea"}, headers={"X-Pot": "yes"})
    reply = ask(fake, "hi")
    assert (reply.status_code, reply.json(), reply.headers["X-Pot"]) == (418, {"error": "tea"}, "yes")


def test_an_unknown_fault_or_field_is_an_error_of_the_test(fake: FakeOllama) -> None:
    with pytest.raises(ValueError, match="no such fault"):
        fake.queue({"fault": "explode"})
    with pytest.raises(ValueError, match="no such script field"):
        fake.always(colour="red")


def test_an_answer_is_held_until_it_is_released(fake: FakeOllama) -> None:
    sock = connect(fake, "[[hold:gate]][[hold_at:2]][[tag:held]] Count from 1 to 3")
    record = fake.wait_for("held", pieces=2)
    assert record["outcome"] == "running"
    assert fake.state()["in_flight"] == 1
    fake.release("gate")
    assert fake.wait_for("held", outcome="complete")["is_done_sent"]
    sock.close()


def test_requests_wait_for_one_of_the_models_slots(fake: FakeOllama) -> None:
    fake.settings(parallel=1)
    first = connect(fake, "[[hold:slot]][[tag:first]] hi")
    fake.wait_until(lambda: fake.state()["in_flight"] == 1)
    second = connect(fake, "[[tag:second]] hi")
    fake.wait_until(lambda: fake.state()["waiting"] == 1)
    second.close()
    assert fake.wait_for("second", outcome="client_left")["bytes"] == 0
    fake.release("slot")
    fake.wait_for("first", outcome="complete")
    first.close()


def test_other_load_options_reload_the_model_and_keep_alive_zero_unloads_it(fake: FakeOllama) -> None:
    ask(fake, "hi")
    ask(fake, "hi", options={"temperature": 0})
    assert (fake.state()["loads"], fake.state()["reloads"]) == (1, 0)
    ask(fake, "hi", options={"num_ctx": 2048})
    assert fake.state()["reloads"] == 1
    assert fake.state()["loaded"] == ["llama3.1:8b"]
    unloaded = ask(fake, "", messages=[], keep_alive=0).json()
    assert unloaded["done_reason"] == "unload"
    assert fake.state()["loaded"] == []
    assert ask(fake, "", messages=[]).json()["done_reason"] == "load"


def test_a_client_that_leaves_while_the_model_loads_aborts_the_load(fake: FakeOllama) -> None:
    sock = connect(fake, "[[load_s:5]][[tag:loading]] hi")
    fake.wait_for("loading")
    sock.close()
    fake.wait_for("loading", outcome="client_left")
    assert fake.state()["loads"] == 0


def test_it_can_go_down_and_come_up_on_the_same_port(fake: FakeOllama) -> None:
    sock = connect(fake, "[[fault:accept_no_reply]] hi")
    fake.wait_until(lambda: fake.state()["in_flight"] == 1)
    fake.down()
    assert received(sock) == (b"", "reset")
    with pytest.raises(requests.ConnectionError):
        ask(fake, "hi")
    fake.up()
    assert ask(fake, "hi").status_code == 200


def test_it_can_hang_as_a_whole(fake: FakeOllama) -> None:
    fake.freeze()
    sock = connect(fake, "hi")
    sock.settimeout(0.1)
    with pytest.raises(TimeoutError):
        sock.recv(1)
    fake.thaw()
    sock.settimeout(5)
    assert sock.recv(15) == b"HTTP/1.1 200 OK"
    sock.close()


def test_connections_are_reused_and_counted(fake: FakeOllama) -> None:
    with requests.Session() as session:
        for _ in range(3):
            session.get(f"{fake.url}/api/version", timeout=5)
    state = fake.state()
    assert (state["connections_total"], state["requests_total"]) == (1, 3)


def test_shapes_compare_keys_and_types_only() -> None:
    assert_same_shape({"a": 1, "b": [{"c": "x"}]}, {"a": 2.5, "b": [{"c": ""}]})
    assert differences({"a": True, "b": [{"c": None}], "d": 1}, {"a": 1, "b": [{"c": ""}], "e": 1}) == [
        "$.a: boolean instead of number",
        "$.b[0].c: null instead of string",
        "$.d: unexpected",
        "$.e: missing",
    ]
