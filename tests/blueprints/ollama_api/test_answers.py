"""Ollama's own API in front of the scripted Ollama: what goes in, what comes back, and how it is booked."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.blueprints.ollama_api.conftest import OllamaApi, lines
from tests.support.fake_ollama import FakeOllama

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
COUNTS = {"total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration"}


def receipt(ollama: OllamaApi, answer: TestResponse) -> Any:
    """As the client of /v1 reads it."""
    return ollama.api.get(f"/requests/{answer.headers['x-request-id']}").get_json()


def test_a_chat_streams_lines_unless_told_otherwise(ollama: OllamaApi) -> None:
    answer = ollama.chat("Reply with the single word PONG")
    assert (answer.status_code, answer.mimetype) == (200, "application/x-ndjson")
    *pieces, last = lines(answer)
    assert "".join(line["message"]["content"] for line in pieces) == "PONG."
    assert {(line["model"], line["done"], line["message"]["role"]) for line in pieces} == {
        ("phi3:mini", False, "assistant")
    }
    assert (last["done"], last["done_reason"], last["message"]["content"]) == (True, "stop", "")
    assert last.keys() >= COUNTS
    assert all(line["created_at"].endswith("Z") for line in (*pieces, last))
    booked = receipt(ollama, answer)
    assert (booked["endpoint"], booked["stream"], booked["outcome"]) == ("ollama_chat", True, "completed")
    assert (booked["usage"]["prompt_tokens"], booked["usage"]["completion_tokens"]) == (
        last["prompt_eval_count"],
        last["eval_count"],
    )


def test_a_chat_without_a_stream_is_one_object(ollama: OllamaApi) -> None:
    answer = ollama.chat("Reply with the single word PONG", stream=False)
    assert answer.mimetype == "application/json"
    body = answer.get_json()
    assert body["message"] == {"role": "assistant", "content": "PONG."}
    assert (body["model"], body["done"], body["done_reason"]) == ("phi3:mini", True, "stop")
    assert body.keys() >= COUNTS
    assert answer.headers["x-ratelimit-limit-requests"]


@pytest.mark.parametrize("name", ["phi-3-mini", "phi-3-mini:latest", "phi3:mini", "PHI3:MINI"])
def test_ids_and_names_of_ollama_name_a_model_and_come_back_as_they_were_written(ollama: OllamaApi, name: str) -> None:
    assert ollama.chat("hi", model=name, stream=False).get_json()["model"] == name


def test_a_name_without_a_tag_is_the_latest(ollama: OllamaApi) -> None:
    for name in ("nomic-embed-text", "nomic-embed-text:latest"):
        assert ollama.post("/embed", {"model": name, "input": "a"}).status_code == 200


def test_options_reach_ollama_but_for_those_that_load_the_model_anew(
    ollama: OllamaApi, fake_ollama: FakeOllama
) -> None:
    options = {"temperature": 0.5, "top_k": 7, "stop": ["x"], "seed": -1, "num_predict": -1, "num_ctx": 64}
    answer = ollama.chat("hi [[tag:ollama-options]]", options=options, keep_alive="1h", stream=False)
    assert answer.headers["x-llmrack-ignored"] == "keep_alive, options.num_ctx"
    sent = fake_ollama.last("ollama-options")["body"]
    assert "keep_alive" not in sent
    assert sent["options"] | {"temperature": 0.5, "top_k": 7, "stop": ["x"], "num_ctx": 8192} == sent["options"]
    assert "seed" not in sent["options"]


@pytest.mark.parametrize("stream", [True, False])
def test_calls_have_objects_as_arguments_and_their_results_name_the_tool(ollama: OllamaApi, *, stream: bool) -> None:
    answer = ollama.chat("Weather in Paris?", model="llama3.1:8b", tools=[WEATHER], stream=stream)
    calls = [call for line in lines(answer) for call in line["message"].get("tool_calls", [])]
    assert [call["function"] for call in calls] == [{"index": 0, "name": "get_weather", "arguments": {"city": "Paris"}}]
    assert lines(answer)[-1]["done_reason"] == "stop"
    messages = [
        {"role": "user", "content": "Weather in Paris?"},
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_name": "get_weather", "content": '{"temp_c": 18, "condition": "cloudy"}'},
    ]
    after = ollama.post("/chat", {"model": "llama3.1:8b", "messages": messages, "tools": [WEATHER], "stream": False})
    assert "Paris" in after.get_json()["message"]["content"]


@pytest.mark.parametrize("format_", ["json", SCHEMA])
@pytest.mark.parametrize("path", ["/chat", "/generate"])
def test_a_format_holds_the_model_to_json(ollama: OllamaApi, fake_ollama: FakeOllama, path: str, format_: Any) -> None:
    tag = f"format-{path[1:]}-{type(format_).__name__}"
    prompt = f"Answer in JSON. [[tag:{tag}]]"
    asked = {"prompt": prompt} if path == "/generate" else {"messages": [{"role": "user", "content": prompt}]}
    answer = ollama.post(path, {"model": "llama3.1:8b", "format": format_, "stream": False, **asked})
    assert answer.status_code == 200
    assert fake_ollama.last(tag)["body"]["format"] == format_


def test_generate_is_a_conversation_of_its_system_message_and_prompt(
    ollama: OllamaApi, fake_ollama: FakeOllama
) -> None:
    asked = {"model": "phi3:mini", "system": "Be brief.", "prompt": "Count from 1 to 5 [[tag:generated]]"}
    answer = ollama.post("/generate", asked)
    *pieces, last = lines(answer)
    assert "".join(line["response"] for line in pieces)
    assert "message" not in last
    assert (last["done"], last["response"], last["done_reason"]) == (True, "", "stop")
    assert last.keys() >= COUNTS
    sent = fake_ollama.last("generated")
    assert [message["role"] for message in sent["body"]["messages"]] == ["system", "user"]
    assert receipt(ollama, answer)["endpoint"] == "ollama_generate"


@pytest.mark.parametrize("stream", [True, False])
def test_a_raw_prompt_goes_to_ollama_as_it_is(ollama: OllamaApi, fake_ollama: FakeOllama, *, stream: bool) -> None:
    tag = f"raw-{stream}"
    asked = {"model": "phi3:mini", "prompt": f"hi [[tag:{tag}]]", "raw": True, "stream": stream}
    text = "".join(line["response"] for line in lines(ollama.post("/generate", asked)))
    assert text
    sent = fake_ollama.last(tag)
    assert (sent["path"], sent["body"]["raw"]) == ("/api/generate", True)
    assert "messages" not in sent["body"]


def test_embed_gives_a_vector_for_each_text_and_counts_them(ollama: OllamaApi) -> None:
    answer = ollama.post("/embed", {"model": "nomic-embed-text", "input": ["a", "b"], "truncate": True})
    body = answer.get_json()
    assert (body["model"], [len(vector) for vector in body["embeddings"]]) == ("nomic-embed-text", [768, 768])
    assert answer.headers["x-llmrack-ignored"] == "truncate"
    assert receipt(ollama, answer)["usage"]["prompt_tokens"] == body["prompt_eval_count"]
    single = ollama.post("/embeddings", {"model": "nomic-embed-text", "prompt": "a"}).get_json()
    assert list(single) == ["embedding"]
    assert len(single["embedding"]) == 768


LOADS = [
    ("/chat", {"model": "phi3:mini"}),
    ("/chat", {"model": "phi3:mini", "messages": [], "keep_alive": -1}),
    ("/generate", {"model": "phi3:mini"}),
    ("/generate", {"model": "phi3:mini", "prompt": ""}),
]


@pytest.mark.parametrize(("path", "body"), LOADS)
def test_a_request_without_a_question_is_answered_without_a_model(
    ollama: OllamaApi, fake_ollama: FakeOllama, path: str, body: dict[str, Any]
) -> None:
    asked = len(fake_ollama.requests())
    answer = ollama.post(path, body).get_json()
    assert (answer["done"], answer["done_reason"]) == (True, "load")
    assert len(fake_ollama.requests()) == asked


def test_embed_of_nothing_is_no_vector(ollama: OllamaApi) -> None:
    assert ollama.post("/embed", {"model": "nomic-embed-text"}).get_json()["embeddings"] == []
    assert ollama.post("/embeddings", {"model": "nomic-embed-text", "prompt": ""}).get_json() == {"embedding": []}


REFUSED = [
    ("/chat", {}, 400, "model is required."),
    ("/chat", {"model": "gpt-4o"}, 404, "model 'gpt-4o' not found. GET /api/tags lists those there are."),
    ("/chat", {"model": "nomic-embed-text"}, 400, "nomic-embed-text makes embeddings; send it to /api/embed."),
    ("/embed", {"model": "phi3:mini"}, 400, "phi3:mini makes no embeddings; /api/tags lists those that do."),
    ("/chat", {"model": "phi3:mini", "messages": 1}, 400, "messages must be an array, not a number."),
    ("/chat", {"model": "phi3:mini", "options": {"top_p": 2}}, 400, "options.top_p must be between 0 and 1."),
    (
        "/generate",
        {"model": "phi3:mini", "prompt": "hi", "format": "x"},
        400,
        'format must be "json" or a JSON schema.',
    ),
    ("/show", {"model": "nope"}, 404, "model 'nope' not found. GET /api/tags lists those there are."),
]


@pytest.mark.parametrize(("path", "body", "status", "sentence"), REFUSED)
def test_a_refusal_is_one_sentence(
    ollama: OllamaApi, path: str, body: dict[str, Any], status: int, sentence: str
) -> None:
    answer = ollama.post(path, body)
    assert (answer.status_code, answer.get_json()) == (status, {"error": sentence})


HOSTILE: list[Any] = [
    None,
    True,
    -1,
    10**30,
    1e308,
    "",
    "x" * 70_000,
    [],
    [[]],
    [None],
    {},
    {"a": None},
    "\u0000",
    "\ud800",
]
FIELDS = {
    "/chat": ("model", "messages", "stream", "format", "options", "think", "tools", "keep_alive", "logprobs"),
    "/generate": ("model", "prompt", "suffix", "system", "images", "raw", "template", "context", "top_logprobs"),
    "/embed": ("model", "input", "dimensions", "truncate"),
    "/embeddings": ("model", "prompt"),
    "/show": ("model", "name", "verbose"),
}
FINE = {
    "/chat": {"model": "llama3.1:8b", "messages": [{"role": "user", "content": "hi"}], "stream": False},
    "/generate": {"model": "llama3.1:8b", "prompt": "hi", "stream": False},
    "/embed": {"model": "nomic-embed-text", "input": "hi"},
    "/embeddings": {"model": "nomic-embed-text", "prompt": "hi"},
    "/show": {"model": "phi3:mini"},
}


@pytest.mark.parametrize(("path", "field"), [(path, field) for path, names in FIELDS.items() for field in names])
def test_no_value_of_a_field_breaks_the_server(rehearsed: OllamaApi, path: str, field: str) -> None:
    for value in HOSTILE:
        answer = rehearsed.post(path, {**FINE[path], field: value})
        assert answer.status_code < 500, (value, answer.get_data())
        answer.close()


MESSAGE_FIELDS = ("role", "content", "images", "thinking", "tool_calls", "tool_name", "tool_call_id")


@pytest.mark.parametrize("field", MESSAGE_FIELDS)
def test_no_value_inside_a_message_breaks_the_server(rehearsed: OllamaApi, field: str) -> None:
    for value in [*HOSTILE, [{"function": {"name": "f", "arguments": []}}], [{"function": None}], [7]]:
        for role in ("user", "assistant", "tool"):
            message = {"role": role, "content": "hi", field: value}
            answer = rehearsed.post("/chat", {**FINE["/chat"], "messages": [message]})
            assert answer.status_code < 500, (value, answer.get_data())


@pytest.mark.parametrize(
    "fault", ["error_line:2:boom", "rst_at_chunk:2", "clean_end_no_done:2", "half_line:2", "garbage_line:2"]
)
def test_a_stream_that_breaks_ends_with_a_line_that_says_so(ollama: OllamaApi, fault: str) -> None:
    answer = ollama.chat(f"Count from 1 to 5 [[fault:{fault}]]")
    assert answer.status_code == 200
    *pieces, last = lines(answer)
    assert pieces
    assert list(last) == ["error"]
    assert isinstance(last["error"], str)
    assert not any(line["done"] for line in pieces)
    assert receipt(ollama, answer)["outcome"] == "stream_error"


@pytest.mark.parametrize("stream", [True, False])
def test_a_failure_before_the_first_line_is_a_status(ollama: OllamaApi, *, stream: bool) -> None:
    answer = ollama.chat("hi [[fault:500_died]]", stream=stream)
    assert answer.status_code == 502
    assert list(answer.get_json()) == ["error"]


def test_think_on_a_model_that_does_not_reason_is_listed(ollama: OllamaApi) -> None:
    assert ollama.chat("hi", think=True, stream=False).headers["x-llmrack-ignored"] == "think"
    assert "x-llmrack-ignored" not in ollama.chat("hi", think=False, stream=False).headers


def test_log_probabilities_stand_on_the_lines_of_their_tokens(ollama: OllamaApi) -> None:
    for stream in (True, False):
        answer = ollama.chat("Reply with the single word PONG", logprobs=True, top_logprobs=2, stream=stream)
        entries = [entry for line in lines(answer) for entry in line.get("logprobs", [])]
        assert "".join(entry["token"] for entry in entries) == "PONG."
        assert len(entries[0]["top_logprobs"]) == 2


def test_a_key_for_one_model_has_no_other(limited: OllamaApi) -> None:
    answer = limited.chat("hi", model="llama3.1:8b", stream=False)
    assert answer.status_code == 200
    assert receipt(limited, answer)["model"] == "llama-3.1-8b"
    for path, body in (("/chat", {"model": "phi3:mini"}), ("/show", {"model": "phi3:mini"})):
        refused = limited.post(path, body)
        assert refused.status_code == 403
        assert "not for the model" in refused.get_json()["error"]
