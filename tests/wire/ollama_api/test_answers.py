"""Lines of Ollama's API from lines of Ollama: what is passed on, what waits, and how it ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmrack.errors import UpstreamError
from llmrack.wire.ollama import Reply
from llmrack.wire.ollama_api import names, request
from llmrack.wire.ollama_api.request import OllamaRequest
from llmrack.wire.parsed import Features
from tests.wire.support import CATALOG, WEATHER, call, encoded, end, say


def ask(path: str = "chat", **fields: Any) -> OllamaRequest:
    asked = {"prompt": "hi"} if path == "generate" else {"messages": [{"role": "user", "content": "hi"}]}
    parse = request.parse_generate if path == "generate" else request.parse_chat
    parsed = parse(encoded({"model": "llama3.1:8b", **asked, **fields}), CATALOG, Features())
    assert isinstance(parsed, OllamaRequest)
    return parsed


def streamed(asked: OllamaRequest, replies: list[Reply]) -> list[dict[str, Any]]:
    stream = asked.open_stream("chatcmpl-1", 1)
    data = b"".join([*(stream.feed(0, [reply]) for reply in replies), stream.close()])
    assert data.endswith(b"\n")
    return [json.loads(line) for line in data.splitlines()]


def whole(asked: OllamaRequest, replies: list[Reply]) -> Any:
    plain = asked.open_plain("chatcmpl-1", 1)
    plain.feed(0, replies)
    return json.loads(plain.body())


DURATIONS = {"total_duration": 9, "load_duration": 1, "prompt_eval_duration": 2, "eval_duration": 3}


def test_the_last_line_has_the_counts_and_durations_of_the_model_server() -> None:
    last = streamed(ask(), [say("a"), end(**DURATIONS)])[-1]
    del last["created_at"]
    assert last == {
        "model": "llama3.1:8b",
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 18,
        "eval_count": 4,
        **DURATIONS,
    }


def test_an_answer_that_was_cut_ends_with_length() -> None:
    assert streamed(ask(), [say("a"), end(reason="length")])[-1]["done_reason"] == "length"
    assert whole(ask("generate"), [say("a"), end(reason="length")])["done_reason"] == "length"


def test_reasoning_is_thinking_in_both_endpoints() -> None:
    replies = [say(thinking="Hm"), say("Yes"), end()]
    model = {"model": "deepseek-r1:8b", "think": True}
    assert ask(**model).bodies(9)[0]["think"] is True
    assert whole(ask(**model), replies)["message"] == {"role": "assistant", "content": "Yes", "thinking": "Hm"}
    assert streamed(ask(**model), replies)[0]["message"] == {"role": "assistant", "content": "", "thinking": "Hm"}
    generated = whole(ask("generate", **model), replies)
    assert (generated["response"], generated["thinking"]) == ("Yes", "Hm")


@pytest.mark.parametrize(
    ("think", "sent"), [(None, True), (True, True), (False, False), ("low", "low"), ("max", "max")]
)
def test_think_reaches_ollama_as_it_was_said(think: Any, sent: Any) -> None:
    assert ask(model="deepseek-r1:8b", think=think).bodies(9)[0]["think"] == sent


def test_calls_of_several_lines_are_numbered_through() -> None:
    lines = streamed(ask(tools=[WEATHER]), [say(tool_calls=[call(city="a")]), say(tool_calls=[call(city="b")]), end()])
    calls = [made for line in lines for made in line["message"].get("tool_calls", [])]
    assert [made["function"]["index"] for made in calls] == [0, 1]
    assert [made["function"]["arguments"] for made in calls] == [{"city": "a"}, {"city": "b"}]
    assert len({made["id"] for made in calls}) == 2


def test_a_raw_prompt_is_read_from_the_lines_of_generate() -> None:
    asked = ask("generate", raw=True)
    assert asked.bodies(9)[0] | {"prompt": "hi", "raw": True} == asked.bodies(9)[0]
    last = Reply(done=True, done_reason="stop", prompt_eval_count=1, eval_count=1)
    assert [line["response"] for line in streamed(asked, [Reply(response="Yes"), last])] == ["Yes", ""]
    assert whole(asked, [Reply(response="Yes"), last])["response"] == "Yes"


def test_a_suffix_goes_beside_the_prompt_on_models_that_insert() -> None:
    body = ask("generate", model="qwen-2.5-coder-7b", suffix="return x").bodies(9)[0]
    assert (body["prompt"], body["suffix"], "messages" in body) == ("hi", "return x", False)


def test_a_silent_stream_sends_a_piece_without_text() -> None:
    for path, said in (("chat", {"message": {"role": "assistant", "content": ""}}), ("generate", {"response": ""})):
        line = json.loads(ask(path).open_stream("chatcmpl-1", 1).ping("a free slot"))
        assert line | said == line
        assert line["done"] is False


def test_an_answer_without_an_end_is_no_success() -> None:
    with pytest.raises(UpstreamError):
        streamed(ask(), [say("a")])
    with pytest.raises(UpstreamError):
        whole(ask(), [say("a")])


def test_an_answer_that_breaks_its_format_is_asked_for_once_more() -> None:
    plain = ask(format="json", stream=False).open_plain("chatcmpl-1", 1)
    plain.feed(0, [say("no"), end()])
    assert plain.repair(9) is not None
    plain.feed(0, [say("{}"), end()])
    assert json.loads(plain.body())["message"]["content"] == "{}"


def test_a_name_that_several_models_share_means_the_first_that_the_key_may_use() -> None:
    sharing = [model.id for model in CATALOG if model.ollama == "llama3.1:8b"]
    assert len(sharing) > 1
    for allowed, meant in ((None, sharing[0]), (sharing[1:], sharing[1]), (["phi-3-mini"], sharing[0])):
        model = names.find("llama3.1:8b", CATALOG, tuple(allowed) if allowed is not None else None)
        assert model is not None
        assert model.id == meant
    shown = [names.shown(model, CATALOG) for model in CATALOG]
    assert len(set(shown)) == len(shown)


def test_images_are_checked_under_the_name_they_came_by() -> None:
    one_pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    message = {"role": "user", "content": "What is it?", "images": [one_pixel]}
    sent = ask(model="llava:7b", messages=[message]).bodies(9)[0]["messages"]
    assert sent == [{"role": "user", "content": "What is it?", "images": [one_pixel]}]
    assert ask("generate", model="llava:7b", images=[one_pixel]).bodies(9)[0]["messages"][0]["images"] == [one_pixel]
