"""Responses through OpenAI's Python SDK: plain, streamed by its helper, tools in two turns, parsed into a class."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Get current weather for a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PARIS: Any = {"role": "user", "content": "Weather in Paris?"}
ANSWER = "According to get_weather, temp c is 18 and sky is cloudy."


def ask(client: OpenAI, input: Any, **more: Any) -> Any:
    return client.responses.create(model=more.pop("model", "llama-3.1-8b"), input=input, **more)


def test_a_response_is_an_object_of_the_sdk(client: OpenAI) -> None:
    reply = ask(client, "Reply with the single word PONG", model="phi-3-mini")
    assert (reply.object, reply.model, reply.status) == ("response", "phi-3-mini", "completed")
    assert reply.output_text == "PONG."
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.total_tokens) == (18, 4, 22)
    assert reply.id == f"resp_{reply._request_id.removeprefix('req_')}"


def test_the_helper_for_streams_follows_every_event(client: OpenAI) -> None:
    with client.responses.stream(model="llama-3.1-8b", input="Count from 1 to 5") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert final.output_text == "Here it goes: 1, 2, 3, 4, 5."
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert (len(deltas) > 1, "".join(deltas)) == (True, final.output_text)
    assert [event.sequence_number for event in events if event.type == "response.completed"]
    assert final.usage is not None
    assert final.usage.output_tokens == 14


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_call_and_its_result_make_an_answer(client: OpenAI, is_streamed: bool) -> None:
    reply = whole(client, [PARIS], is_streamed=is_streamed, tools=[WEATHER])
    call = reply.output[-1]
    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "get_weather", {"city": "Paris"})
    result = {"type": "function_call_output", "call_id": call.call_id, "output": '{"temp_c": 18, "sky": "cloudy"}'}
    second = whole(
        client, [PARIS, *[item.model_dump() for item in reply.output], result], is_streamed=is_streamed, tools=[WEATHER]
    )
    assert second.output_text == ANSWER


def whole(client: OpenAI, input: Any, *, is_streamed: bool, **more: Any) -> Any:
    if not is_streamed:
        return ask(client, input, **more)
    with client.responses.stream(model="llama-3.1-8b", input=input, **more) as stream:
        for _ in stream:
            pass
        return stream.get_final_response()


class City(BaseModel):
    city: str
    inhabitants: int


def test_an_answer_is_parsed_into_a_class(client: OpenAI) -> None:
    reply = client.responses.parse(model="llama-3.1-8b", input="Tell me about Paris.", text_format=City)
    assert isinstance(reply.output_parsed, City)


def test_reasoning_is_a_summary_and_may_be_sent_back(client: OpenAI) -> None:
    asked = "What is 6 times 7? [test:reasoning]"
    reply = ask(client, asked, include=["reasoning.encrypted_content"])
    thought, message = reply.output
    assert (thought.type, message.type) == ("reasoning", "message")
    assert thought.summary[0].text
    assert thought.encrypted_content
    assert reply.usage.output_tokens_details.reasoning_tokens > 0
    again = ask(client, [{"role": "user", "content": asked}, thought, message, PARIS])
    assert again.status == "completed"


def test_a_custom_tool_is_called_with_plain_text(client: OpenAI) -> None:
    tool = {"type": "custom", "name": "run_code", "description": "Runs Python."}
    reply = ask(client, "Print 7", tools=[tool], tool_choice={"type": "custom", "name": "run_code"})
    assert [item.type for item in reply.output] == ["custom_tool_call"]
    assert isinstance(reply.output[0].input, str)


def test_an_answer_that_is_cut_says_why(client: OpenAI) -> None:
    reply = ask(client, "Count from 1 to 5", max_output_tokens=3)
    assert (reply.status, reply.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_a_refusal_is_an_exception_that_names_the_field(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        ask(client, "hi", previous_response_id="resp_1")
    assert raised.value.param == "previous_response_id"
    assert "store: false" in str(raised.value)


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_rehearsed_error_has_its_status(client: OpenAI, status: int) -> None:
    with pytest.raises(openai.APIStatusError) as raised:
        ask(client, f"Hello [test:error {status}]", stream=True)
    assert raised.value.status_code == status
