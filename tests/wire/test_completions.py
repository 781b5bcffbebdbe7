"""Text completions, whole and in chunks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmrack.errors import InvalidRequest, UpstreamError
from llmrack.wire.ollama import Reply
from llmrack.wire.parsed import Features
from tests.wire.support import body_of, events, text_ask


def piece(text: str, **more: Any) -> Reply:
    return Reply(response=text, **more)


def last(text: str = "", reason: str = "stop", **more: Any) -> Reply:
    return Reply(response=text, done=True, done_reason=reason, **{"prompt_eval_count": 5, "eval_count": 2, **more})


def answered(*choices: list[Reply], **fields: Any) -> Any:
    plain = text_ask(**fields).open_plain("cmpl-1", 7)
    for number, replies in enumerate(choices):
        plain.feed(number, replies)
    assert plain.repair(30) is None
    return json.loads(plain.body())


def test_a_request_becomes_one_generate_body_for_each_prompt() -> None:
    ask = text_ask(prompt=["a", "b"], max_tokens=10, stop="\n")
    assert ask.output_tokens == 20
    assert ask.bodies(20) == [
        {
            "model": "phi3:mini",
            "truncate": False,
            "shift": False,
            "options": {"num_ctx": 8192, "stop": ["\n"], "num_predict": 10},
            "prompt": prompt,
            "stream": False,
        }
        for prompt in ("a", "b")
    ]


@pytest.mark.parametrize(("budget", "each"), [(20, 10), (9, 4), (2, 1), (1, 1)])
def test_choices_share_what_is_left_of_the_budget(budget: int, each: int) -> None:
    bodies = text_ask(prompt=["a", "b"], max_tokens=10).bodies(budget)
    assert [body["options"]["num_predict"] for body in bodies] == [each, each]


def test_an_answer_has_every_choice_and_the_sum_of_the_counts() -> None:
    assert answered([piece("x"), last("y")], [last("z", reason="length")], prompt=["a", "b"]) == {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 7,
        "model": "phi-3-mini",
        "choices": [
            {"index": 0, "text": "xy", "logprobs": None, "finish_reason": "stop"},
            {"index": 1, "text": "z", "logprobs": None, "finish_reason": "length"},
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14},
    }


def test_echo_puts_the_prompt_first() -> None:
    assert answered([last(" upon")], prompt="Once", echo=True)["choices"][0]["text"] == "Once upon"


def test_logprobs_are_columns() -> None:
    entries = [
        {"token": "up", "logprob": -0.5, "top_logprobs": [{"token": "up", "logprob": -0.5}, {"token": "a"}]},
        {"token": "on", "logprob": -1.0},
    ]
    choice = answered([piece("up", logprobs=entries[:1]), last("on", logprobs=entries[1:])], logprobs=2)["choices"][0]
    assert choice["logprobs"] == {
        "tokens": ["up", "on"],
        "token_logprobs": [-0.5, -1.0],
        "top_logprobs": [{"up": -0.5, "a": 0.0}, {}],
        "text_offset": [0, 2],
    }


def test_a_stream_has_chunks_for_every_choice_and_ends_each_with_its_reason() -> None:
    stream = text_ask(prompt=["a", "b"], stream=True, echo=True, stream_options={"include_usage": True}).open_stream(
        "cmpl-1", 7
    )
    data = stream.feed(0, [piece("x")]) + stream.feed(0, [last("y")])
    data += stream.feed(1, [last("z", reason="length")])
    assert stream.delivered == 3
    chunks = events(data + stream.close())
    told = [tuple(chunk["choices"][0].values()) for chunk in chunks[:-2]]
    assert told == [
        (0, "a", None, None),
        (0, "x", None, None),
        (0, "y", None, None),
        (1, "b", None, None),
        (1, "z", None, None),
        (0, "", None, "stop"),
        (1, "", None, "length"),
    ]
    assert {(chunk["id"], chunk["object"], chunk["created"], chunk["model"]) for chunk in chunks[:-1]} == {
        ("cmpl-1", "text_completion", 7, "phi-3-mini")
    }
    assert chunks[-2]["choices"] == []
    assert chunks[-2]["usage"] == {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
    assert chunks[-1] == "[DONE]"


def test_streamed_logprobs_go_on_counting_their_offsets() -> None:
    stream = text_ask(stream=True, logprobs=0).open_stream("cmpl-1", 7)
    entry = {"token": "ab", "logprob": -0.5}
    chunks = events(stream.feed(0, [piece("ab", logprobs=[entry]), piece("ab", logprobs=[entry])]))
    assert [chunk["choices"][0]["logprobs"]["text_offset"] for chunk in chunks] == [[0], [2]]
    assert chunks[0]["choices"][0]["logprobs"]["top_logprobs"] == [None]


def test_a_stream_counts_what_was_delivered_until_the_server_counts() -> None:
    ask = text_ask(prompt=["a", "b"], stream=True)
    stream = ask.open_stream("cmpl-1", 7)
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (0, 0)
    stream.feed(0, [piece("x"), last()])
    stream.feed(1, [piece("x")])
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (5 + ask.prompt_sizes[1].estimate, 3)


def test_a_failure_and_an_error_line() -> None:
    stream = text_ask(stream=True).open_stream("cmpl-1", 7)
    with pytest.raises(UpstreamError):
        stream.feed(0, [Reply(error="something broke")])
    assert events(stream.failure(UpstreamError("It broke.")))[0]["choices"] == [
        {"index": 0, "text": "", "logprobs": None, "finish_reason": "error"}
    ]


def test_suffix_needs_a_model_that_can_insert() -> None:
    assert body_of(text_ask(model="qwen-2.5-coder-7b", suffix="}"))["suffix"] == "}"
    with pytest.raises(InvalidRequest) as caught:
        text_ask(suffix="}")
    assert caught.value.param == "suffix"
    assert "suffix" not in body_of(text_ask(suffix=""))


def test_a_model_that_reasons_is_told_not_to() -> None:
    assert body_of(text_ask(model="deepseek-r1-8b"))["think"] is False


def test_logprobs_are_refused_where_the_server_has_none() -> None:
    with pytest.raises(InvalidRequest) as caught:
        text_ask(Features(logprobs=False), logprobs=1)
    assert caught.value.param == "logprobs"


def test_a_prompt_that_cannot_fit_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        text_ask(prompt=["fine", "word " * 9000])
    assert (caught.value.param, caught.value.code) == ("prompt", "context_length_exceeded")
