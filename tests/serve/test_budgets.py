"""Budgets over real gunicorn: requests side by side on a small plan, and answers that end where a budget does."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.experiments.rig import at_once, finish
from tests.support.clients import Client
from tests.support.fake_ollama import FakeOllama

from .conftest import Rig, start_rig

_names = itertools.count(1)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, fake_ollama: FakeOllama) -> Iterator[Rig]:
    rig = start_rig(tmp_path_factory.mktemp("budgets"), fake_ollama)
    yield rig
    rig.server.stop()


@pytest.fixture
def free(small: Rig) -> str:
    """A live key of a fresh account on the Free plan."""
    name = f"free-{next(_names)}"
    return small.server.key("live", name, "--account", name)


def ask(rig: Rig, key: str, prompt: str, **fields: object) -> Client:
    client = Client(rig.server.url, timeout_s=30)
    client.ask("/v1/chat/completions", rig.body(prompt, **fields), key, {"Connection": "close"})
    return client


@pytest.mark.parametrize("model", ["phi-3-mini", "llama-3.1-8b"])
@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
def test_six_requests_without_max_tokens_run_side_by_side_on_a_fresh_free_account(
    small: Rig, free: str, model: str, is_stream: bool
) -> None:
    # What this process counted before bounds their prompts; the first request of a model is counted before it is held.
    assert small.answer("hi", model=model, max_tokens=1).status == 200
    tag = f"six-{model}-{is_stream}"
    # None of them ends before all of them are being answered.
    prompt = f"[[tag:{tag}]][[hold:{tag}]][[hold_at:1]][[tokens:40]] hi"
    clients = at_once(6, lambda _: ask(small, free, prompt, stream=is_stream, model=model))
    answering = lambda: sum(row["body"]["options"]["num_predict"] > 1 for row in small.ollama.requests(tag))  # noqa: E731
    small.ollama.wait_until(lambda: answering() == 6)
    small.ollama.release(tag)
    assert [answer.status for answer in at_once(6, lambda number: finish(clients[number]))] == [200] * 6


@pytest.mark.parametrize(("model", "is_stream"), [("mistral-7b", False), ("qwen-2.5-7b", True)])
def test_six_requests_run_side_by_side_on_a_model_of_which_nothing_was_counted(
    small: Rig, free: str, model: str, is_stream: bool
) -> None:
    prompt = "[[pace:0.03]][[tokens:40]] hi" + " words" * 100
    answers = at_once(6, lambda _: finish(ask(small, free, prompt, stream=is_stream, model=model)))
    assert [answer.status for answer in answers] == [200] * 6


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
def test_a_crowd_uses_a_day_to_its_last_token_and_not_one_more(small: Rig, free: str, is_stream: bool) -> None:
    prompt = '[[usage:{"prompt_eval_count": 400}]][[tokens:4000]] a long story'
    answers = at_once(9, lambda _: finish(ask(small, free, prompt, stream=is_stream)))
    assert {answer.status for answer in answers} <= {200, 429}
    with Client(small.server.url) as client:
        client.ask("/v1/usage", None, free, {"Connection": "close"})
        usage = client.answer().json()
    assert 9_500 <= usage["total"]["total_tokens"] <= 10_000
    day = next(row for row in usage["limits"] if row["name"] == "tokens_per_day")
    assert day["remaining"] == 10_000 - usage["total"]["total_tokens"]
