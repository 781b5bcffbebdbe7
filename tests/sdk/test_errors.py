"""Every failure becomes the class that OpenAI's Python SDK has for it, with the sentence, the type and the code."""

import openai
import pytest
from openai import OpenAI

from tests.support.testmode import Started

CLASSES: list[tuple[int, type[openai.APIStatusError], str]] = [
    (400, openai.BadRequestError, "invalid_request_error"),
    (401, openai.AuthenticationError, "authentication_error"),
    (402, openai.APIStatusError, "insufficient_credits"),
    (403, openai.PermissionDeniedError, "permission_error"),
    (404, openai.NotFoundError, "not_found_error"),
    (408, openai.APIStatusError, "invalid_request_error"),
    (413, openai.APIStatusError, "invalid_request_error"),
    (415, openai.APIStatusError, "invalid_request_error"),
    (429, openai.RateLimitError, "rate_limit_exceeded"),
    (500, openai.InternalServerError, "api_error"),
    (502, openai.InternalServerError, "api_error"),
    (503, openai.InternalServerError, "api_error"),
]


def rehearse(client: OpenAI, trigger: str, *, stream: bool = False) -> None:
    messages = [{"role": "user", "content": f"Hello [test:{trigger}]"}]
    reply = client.chat.completions.create(model="phi-3-mini", messages=messages, stream=stream)
    assert stream
    list(reply)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "kind", "type_"), CLASSES)
def test_a_rehearsed_error_has_its_class(
    client: OpenAI, status: int, kind: type[openai.APIStatusError], type_: str, stream: bool
) -> None:
    with pytest.raises(kind) as raised:
        rehearse(client, f"error {status}", stream=stream)
    assert (raised.value.status_code, raised.value.type) == (status, type_)
    assert isinstance(raised.value.body, dict)
    assert raised.value.body.keys() == {"message", "type", "param", "code"}
    assert raised.value.request_id
    assert ("retry-after" in raised.value.response.headers) == (status in (429, 503))


@pytest.mark.parametrize(("status", "kind", "type_"), CLASSES)
def test_embeddings_rehearse_errors_too(
    client: OpenAI, status: int, kind: type[openai.APIStatusError], type_: str
) -> None:
    with pytest.raises(kind) as raised:
        client.embeddings.create(model="nomic-embed", input=["fine", f"[test:error {status}]"])
    assert (raised.value.status_code, raised.value.type) == (status, type_)


def test_a_break_in_the_middle_of_a_stream_is_an_error_and_not_an_end(client: OpenAI) -> None:
    messages = [{"role": "user", "content": "Tell me a story [test:error mid-stream]"}]
    chunks = client.chat.completions.create(model="phi-3-mini", messages=messages, stream=True)
    pieces = [next(chunks).choices[0].delta.content for _ in range(5)]
    with pytest.raises(openai.APIError) as raised:
        next(chunks)
    assert "".join(pieces) == "This is test mode:"
    assert "rehearsed" in raised.value.message
    assert (raised.value.type, raised.value.code) == ("api_error", "upstream_error")


def test_a_wrong_key_is_an_authentication_error(sandboxed: Started) -> None:
    stranger = OpenAI(base_url=sandboxed.base_url, api_key="rl_test_wrong", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError):
        stranger.models.list()


def test_an_unknown_model_and_a_wrong_field_are_bad_requests(client: OpenAI) -> None:
    messages = [{"role": "user", "content": "hi"}]
    with pytest.raises(openai.BadRequestError) as unknown:
        client.chat.completions.create(model="gpt-4o", messages=messages)
    assert unknown.value.param == "model"
    with pytest.raises(openai.BadRequestError) as many:
        client.chat.completions.create(model="phi-3-mini", messages=messages, n=2)
    assert "n > 1 is not supported" in many.value.message


def test_a_rate_limit_is_retried_after_the_seconds_it_names(sandboxed: Started) -> None:
    slept: list[float] = []

    class Impatient(OpenAI):
        """Notes how long the SDK wants to wait, and does not wait."""

        def _sleep_for_retry(self, *, retries_taken: int, max_retries: int, options: object, response: object) -> None:
            headers = getattr(response, "headers", None)
            slept.append(self._calculate_retry_timeout(max_retries - retries_taken, options, headers))

    with Impatient(base_url=sandboxed.base_url, api_key=sandboxed.key, max_retries=2) as client:
        with pytest.raises(openai.RateLimitError):
            rehearse(client, "error 429 7")
        assert slept == [7.0, 7.0]
        with pytest.raises(openai.BadRequestError):
            rehearse(client, "error 400")
        assert slept == [7.0, 7.0]
