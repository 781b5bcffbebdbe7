"""What Ollama's failures mean for a client, and the envelope they arrive in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmrack.errors import ERRORS, InvalidRequest
from llmrack.wire import errors
from tests.wire.support import CATALOG

PHI = CATALOG.get("phi-3-mini")
NESTED = json.dumps(
    {
        "error": {
            "code": 400,
            "message": "request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 9000,
            "n_ctx": 8192,
        }
    }
)


def test_the_envelope_is_exactly_the_captured_one() -> None:
    error = InvalidRequest(
        "n > 1 is not supported; call the endpoint multiple times", param="n", code="unsupported_value"
    )
    assert json.loads(errors.envelope(error)) == {
        "error": {
            "message": "n > 1 is not supported; call the endpoint multiple times",
            "type": "invalid_request_error",
            "param": "n",
            "code": "unsupported_value",
        }
    }


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_fits_the_envelope(kind: Any) -> None:
    assert set(json.loads(errors.envelope(kind("It broke.", param="a")))["error"]) == {
        "message",
        "type",
        "param",
        "code",
    }


@pytest.mark.parametrize(
    ("status", "says", "expected"),
    [
        (400, {"error": NESTED}, (400, None, "context_length_exceeded")),
        (400, {"error": "the prompt is longer than the context length"}, (400, None, "context_length_exceeded")),
        (400, {"error": "the input length exceeds the context length"}, (400, None, "context_length_exceeded")),
        (500, {"error": NESTED}, (400, None, "context_length_exceeded")),
        (
            400,
            {"error": "registry.ollama.ai/library/phi3:mini does not support tools"},
            (400, "tools", "unsupported_parameter"),
        ),
        (400, {"error": '"phi3:mini" does not support insert'}, (400, "suffix", "unsupported_parameter")),
        (400, {"error": '"phi3" does not support thinking'}, (400, "reasoning_effort", "unsupported_parameter")),
        (400, {"error": '"nomic" does not support chat'}, (400, "model", "unsupported_parameter")),
        (400, {"error": "json: cannot unmarshal"}, (502, None, "upstream_error")),
        (400, {"error": "invalid character"}, (502, None, "upstream_error")),
        (400, {}, (502, None, "upstream_error")),
        (401, {"error": "unauthorized", "signin_url": "x"}, (502, None, "upstream_error")),
        (403, None, (502, None, "upstream_error")),
        (404, {"error": "model 'phi3:mini' not found"}, (502, None, "model_not_installed")),
        (404, {"error": 'model "phi3" not found, try pulling it first'}, (502, None, "model_not_installed")),
        (404, None, (502, None, "model_not_installed")),
        (500, {"error": "llama runner process has unexpectedly stopped"}, (502, None, "upstream_died")),
        (
            200,
            {"error": "an error was encountered while running the model: unexpected EOF"},
            (502, None, "upstream_died"),
        ),
        (500, {"error": "llama runner process has terminated: signal: killed"}, (502, None, "upstream_died")),
        (500, {"error": "llama-server process has terminated: exit status 1: oops"}, (502, None, "upstream_died")),
        (
            500,
            {"error": "model requires more system memory (9 GiB) than is available (2 GiB)"},
            (502, None, "upstream_out_of_memory"),
        ),
        (
            400,
            {"error": "the prompt is longer than the context length currently available to the model; shorten it"},
            (400, None, "context_length_exceeded"),
        ),
        (400, {"error": "input length exceeds maximum context length"}, (400, None, "context_length_exceeded")),
        (500, {"error": 'option "top_k" must be of type integer'}, (502, None, "upstream_error")),
        (500, {"error": "invalid tool call arguments"}, (502, None, "invalid_tool_call")),
        (503, {"error": "server busy, please try again."}, (502, None, "upstream_busy")),
        (503, None, (502, None, "upstream_busy")),
        (200, "something else", (502, None, "upstream_error")),
    ],
)
def test_an_answer_of_ollama_blames_the_client_only_for_what_is_his(status: int, says: Any, expected: Any) -> None:
    body = b"" if says is None else json.dumps(says).encode()
    error = errors.from_ollama(status, body, PHI)
    assert (error.status, error.param, error.code) == expected
    assert error.message.endswith((".", "."))


def test_the_limit_and_the_count_are_told_when_the_server_names_them() -> None:
    message = errors.from_ollama(400, json.dumps({"error": NESTED}).encode(), PHI).message
    assert "9000 tokens" in message
    assert "8192" in message
    assert "phi-3-mini" in message


def test_the_window_is_told_when_the_server_names_no_counts() -> None:
    assert PHI is not None
    said = json.dumps({"error": "the input length exceeds the context length"}).encode()
    message = errors.from_ollama(400, said, PHI).message
    assert message.startswith(f"The input is longer than the context of phi-3-mini, which holds {PHI.num_ctx} tokens.")


@pytest.mark.parametrize(
    "text", ["model 'x' not found", "server busy", "signal: killed", "invalid tool call arguments"]
)
def test_a_sentence_names_the_model_and_begins_with_a_capital(text: str) -> None:
    said = json.dumps({"error": text}).encode()
    assert "phi-3-mini" in errors.from_ollama(500, said, PHI).message
    assert errors.from_ollama(500, said).message[0].isupper()


def test_a_failure_within_an_answer_does_not_speak_of_status_200() -> None:
    assert "200" not in errors.from_ollama(200, b"something else").message


def test_a_busy_server_says_when_to_come_back() -> None:
    assert errors.from_ollama(503, b'{"error":"server busy"}').retry_after_s == 5


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502</html>",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"error": 7}',
        b'{"error": null}',
        b'"x"',
        7,
        None,
        ["x"],
    ],
)
def test_no_answer_is_too_strange(body: Any) -> None:
    assert errors.from_ollama(500, body).status == 502
