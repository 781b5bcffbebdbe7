"""Whole answers: the items, the status and the counts."""

from __future__ import annotations

import json

import pytest

from llmrack.errors import UpstreamError
from llmrack.wire.responses import reasoning
from tests.wire.responses.support import CREATED, WEATHER, ask, plain
from tests.wire.support import call, end, say

TEXT = {"type": "output_text", "annotations": [], "logprobs": []}


def test_text_is_one_message() -> None:
    answer = plain(say("Hel"), say("lo"), end(prompt_eval_cached_count=5))
    assert (answer["id"], answer["object"], answer["status"]) == ("resp_7", "response", "completed")
    assert (answer["model"], answer["created_at"], answer["error"]) == ("llama-3.1-8b", CREATED, None)
    assert answer["output"] == [
        {
            "id": "msg_7_0",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{**TEXT, "text": "Hello"}],
        }
    ]
    assert answer["usage"] == {
        "input_tokens": 18,
        "input_tokens_details": {"cached_tokens": 5},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 22,
    }


def test_reasoning_text_and_calls_are_items_in_this_order() -> None:
    answer = plain(
        say(thinking="hm"),
        say(thinking="m"),
        say("Let me see."),
        say(tool_calls=[call(city="Oslo")]),
        end(),
        tools=[WEATHER],
        include=["reasoning.encrypted_content"],
    )
    assert [(item["id"], item["type"]) for item in answer["output"]] == [
        ("rs_7_0", "reasoning"),
        ("msg_7_1", "message"),
        ("fc_7_2", "function_call"),
    ]
    assert answer["output"][0]["summary"] == [{"type": "summary_text", "text": "hmm"}]
    assert reasoning.unwrapped(answer["output"][0]["encrypted_content"]) == "hmm"
    assert answer["usage"]["output_tokens_details"] == {"reasoning_tokens": 2}


def test_reasoning_is_wrapped_only_when_asked_for() -> None:
    assert "encrypted_content" not in plain(say(thinking="hm"), say("x"), end())["output"][0]


def test_more_reasoning_than_output_is_never_counted() -> None:
    usage = plain(*[say(thinking="x")] * 9, end(eval_count=4))["usage"]
    assert usage["output_tokens_details"]["reasoning_tokens"] == usage["output_tokens"] == 4


@pytest.mark.parametrize("thinking", [None, "hm"])
def test_an_answer_of_nothing_is_a_message_without_text(thinking: str | None) -> None:
    answer = plain(say(thinking=thinking), end())
    assert answer["output"][-1]["content"] == [{**TEXT, "text": ""}]


def test_an_answer_that_was_cut_is_incomplete() -> None:
    answer = plain(say("Hel"), end(reason="length"))
    assert (answer["status"], answer["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert (answer["output"][0]["status"], answer["completed_at"]) == ("incomplete", None)


def test_log_probabilities_stand_with_the_text() -> None:
    entry = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
    line = say("Hi")
    line.logprobs = [entry]
    part = plain(line, end(), include=["message.output_text.logprobs"])["output"][0]["content"][0]
    assert part["logprobs"] == [entry]


def test_an_answer_without_its_end_is_no_success() -> None:
    answer = ask().open_plain("resp_7", CREATED)
    answer.feed(0, [say("Hel")])
    with pytest.raises(UpstreamError):
        answer.body()


def test_an_answer_that_is_not_the_format_is_asked_for_once_more() -> None:
    answer = ask(text={"format": {"type": "json_object"}}).open_plain("resp_7", CREATED)
    answer.feed(0, [say("no"), end()])
    assert answer.repair(50) is not None
    answer.feed(0, [say("{}"), end()])
    assert json.loads(answer.body())["output"][0]["content"][0]["text"] == "{}"
