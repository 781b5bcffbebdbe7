"""Chat through OpenAI's Python SDK: plain, streamed, tools in two turns, JSON, and parsed into a class."""

import base64
import json
from typing import Any, Literal

import pytest
from openai import LengthFinishReasonError, OpenAI, pydantic_function_tool
from pydantic import BaseModel, EmailStr, Field

PARIS = {"role": "user", "content": "Weather in Paris?"}
ANSWER = "The weather in Paris is currently cloudy with a temperature of 18 degrees Celsius."
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get current weather for a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def ask(client: OpenAI, prompt: str, **more: Any) -> Any:
    messages = more.pop("messages", [{"role": "user", "content": prompt}])
    return client.chat.completions.create(model=more.pop("model", "llama-3.1-8b"), messages=messages, **more)


def test_a_chat_completion_is_an_object_of_the_sdk(client: OpenAI) -> None:
    reply = ask(client, "Reply with the single word PONG", model="phi-3-mini")
    assert (reply.object, reply.model, reply.choices[0].finish_reason) == ("chat.completion", "phi-3-mini", "stop")
    assert reply.choices[0].message.content == "PONG."
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (18, 4, 22)
    assert reply._request_id


def test_a_stream_has_one_id_and_ends_with_a_reason(client: OpenAI) -> None:
    chunks = list(ask(client, "Count from 1 to 5", stream=True))
    assert len({chunk.id for chunk in chunks}) == 1
    assert [chunk.choices[0].delta.content for chunk in chunks[:3]] == ["Here", " it", " goes"]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Here it goes: 1, 2, 3, 4, 5."
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert all(chunk.usage is None for chunk in chunks)


def test_usage_comes_in_a_chunk_of_its_own_when_asked_for(client: OpenAI) -> None:
    *chunks, last = ask(client, "Count from 1 to 5", stream=True, stream_options={"include_usage": True})
    assert last.choices == []
    assert last.usage.completion_tokens == 14
    assert last.usage.total_tokens == last.usage.prompt_tokens + 14
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_tools_work_in_two_turns(client: OpenAI) -> None:
    first = ask(client, "", messages=[PARIS], tools=[WEATHER])
    assert first.choices[0].finish_reason == "tool_calls"
    assert first.choices[0].message.content == ""
    [call] = first.choices[0].message.tool_calls
    assert (call.type, call.function.name, json.loads(call.function.arguments)) == (
        "function",
        "get_weather",
        {"city": "Paris"},
    )
    assert (first.usage.prompt_tokens, first.usage.completion_tokens) == (159, 16)
    result = {"role": "tool", "tool_call_id": call.id, "content": json.dumps({"temp_c": 18, "condition": "cloudy"})}
    second = ask(client, "", messages=[PARIS, first.choices[0].message, result], tools=[WEATHER])
    assert (second.choices[0].message.content, second.choices[0].finish_reason) == (ANSWER, "stop")


def test_the_second_turn_needs_no_tools_and_takes_null_content(client: OpenAI) -> None:
    first = ask(client, "", messages=[PARIS], tools=[WEATHER]).choices[0].message
    assistant = {"role": "assistant", "content": None, "tool_calls": [first.tool_calls[0].model_dump()]}
    result = {
        "role": "tool",
        "tool_call_id": first.tool_calls[0].id,
        "content": '{"temp_c": 18, "condition": "cloudy"}',
    }
    assert ask(client, "", messages=[PARIS, assistant, result]).choices[0].message.content == ANSWER


def test_the_stream_helper_assembles_a_streamed_tool_call(client: OpenAI) -> None:
    with client.chat.completions.stream(model="llama-3.1-8b", messages=[PARIS], tools=[WEATHER]) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    [call] = final.choices[0].message.tool_calls or []
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Paris"})
    assert final.choices[0].finish_reason == "tool_calls"


def test_parallel_calls_have_their_own_indexes_and_ids(client: OpenAI) -> None:
    prompt = "Weather in Paris and in Rome? [test:parallel-tools]"
    with client.chat.completions.stream(
        model="llama-3.1-8b", messages=[{"role": "user", "content": prompt}], tools=[WEATHER]
    ) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls or []
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Paris"}, {"city": "Rome"}]
    assert len({call.id for call in calls}) == 2


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
@pytest.mark.parametrize("model", ["llama-3.1-8b", "phi-3-mini"])
def test_a_forced_tool_is_called_whatever_the_prompt(client: OpenAI, model: str, choice: Any) -> None:
    reply = ask(client, "hi", model=model, tools=[WEATHER], tool_choice=choice)
    [call] = reply.choices[0].message.tool_calls
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)


@pytest.mark.parametrize("stream", [False, True])
def test_json_mode_answers_an_object(client: OpenAI, stream: bool) -> None:
    prompt = "Give me a JSON object with the keys name and age."
    reply = ask(client, prompt, response_format={"type": "json_object"}, stream=stream)
    text = (
        "".join(chunk.choices[0].delta.content or "" for chunk in reply) if stream else reply.choices[0].message.content
    )
    assert json.loads(text).keys() == {"name", "age"}


class Address(BaseModel):
    street: str
    city: str


class Person(BaseModel):
    name: str
    age: int = Field(ge=0, le=130)
    role: Literal["admin", "guest"]
    nickname: str | None
    addresses: list[Address]


def test_parse_gives_an_instance_of_the_class(client: OpenAI) -> None:
    reply = client.chat.completions.parse(
        model="llama-3.1-8b",
        messages=[{"role": "user", "content": "Ann Lee is 41, lives in Rome and is a guest."}],
        response_format=Person,
    )
    person = reply.choices[0].message.parsed
    assert isinstance(person, Person)
    assert (person.name, person.age, person.role, person.addresses[0].city) == ("Ann Lee", 41, "guest", "Rome")


class Event(BaseModel):
    """What Ollama's decoding cannot hold a model to, and the client still checks."""

    score: float = Field(ge=5, le=9)
    step: int = Field(multiple_of=7, gt=20)
    contact: EmailStr
    code: str = Field(pattern=r"^\d{3}-[a-z]{2}$")


def test_parse_holds_what_the_decoding_of_a_model_would_lose(client: OpenAI) -> None:
    reply = client.chat.completions.parse(
        model="llama-3.1-8b", messages=[{"role": "user", "content": "An event"}], response_format=Event
    )
    assert isinstance(reply.choices[0].message.parsed, Event)


def test_tool_arguments_hold_the_whole_schema(client: OpenAI) -> None:
    tool = pydantic_function_tool(Event, name="add_event")
    reply = client.chat.completions.parse(
        model="llama-3.1-8b", messages=[{"role": "user", "content": "Add an event"}], tools=[tool]
    )
    [call] = reply.choices[0].message.tool_calls or []
    assert isinstance(call.function.parsed_arguments, Event)


def test_parse_of_an_answer_that_broke_off_is_the_sdks_own_error(client: OpenAI) -> None:
    with pytest.raises(LengthFinishReasonError):
        client.chat.completions.parse(
            model="llama-3.1-8b",
            messages=[{"role": "user", "content": "Ann Lee [test:invalid-json]"}],
            response_format=Person,
        )


def test_a_limit_a_stop_text_and_logprobs_are_kept(client: OpenAI) -> None:
    cut = ask(client, "Count from 1 to 5", max_tokens=3).choices[0]
    assert (cut.message.content, cut.finish_reason) == ("Here it goes", "length")
    stopped = ask(client, "Count from 1 to 5", stop=", 3").choices[0]
    assert (stopped.message.content, stopped.finish_reason) == ("Here it goes: 1, 2", "stop")
    entries = ask(client, "hi", logprobs=True, top_logprobs=2).choices[0].logprobs.content
    assert "".join(entry.token for entry in entries) == "Hello! How can I help you today?"
    assert {len(entry.top_logprobs) for entry in entries} == {2}


def test_images_arrive(client: OpenAI) -> None:
    pixel = base64.b64encode(
        bytes.fromhex(
            "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001"
            "0005fe02fea7db61820000000049454e44ae426082"
        )
    )
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{pixel.decode()}"}},
    ]
    reply = ask(client, "", model="llava-7b", messages=[{"role": "user", "content": parts}])
    assert "1 image" in reply.choices[0].message.content


def test_text_completions_work_too(client: OpenAI) -> None:
    reply = client.completions.create(model="phi-3-mini", prompt="Reply with the single word PONG")
    assert (reply.choices[0].text, reply.choices[0].finish_reason) == ("PONG.", "stop")
    chunks = client.completions.create(model="phi-3-mini", prompt="Count from 1 to 5", stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks) == "Here it goes: 1, 2, 3, 4, 5."
