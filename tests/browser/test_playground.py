"""The playground: what a person sees, what is sent, and that the code it shows sends exactly the same."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import Tab, make_account
from tests.support.browser import axe, opened
from tests.support.programs import need
from tests.support.recorder import Recorder
from tests.support.servers import Running, flask
from tests.support.testmode import Started

# One green pixel.
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNgYPhfDwACgwF/l9sgsgAAAABJRU5ErkJggg=="


@pytest.fixture
def page(chromium: Browser, started: Started) -> Iterator[Page]:
    context = opened(chromium)
    page = context.new_page()
    page.goto(started.server.url + "/playground")
    page.get_by_label("API key").fill(started.key)
    yield page
    context.close()


@pytest.fixture
def sent(page: Page) -> list[dict[str, Any]]:
    """The bodies the page sends, in order."""
    bodies: list[dict[str, Any]] = []

    def note(route: Route) -> None:
        bodies.append(json.loads(route.request.post_data or ""))
        route.continue_()

    page.route("**/v1/chat/completions", note)
    return bodies


def say(page: Page, text: str) -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Send", exact=True).click()


def answered(page: Page, text: str) -> None:
    expect(page.locator(".message.assistant .message-note").last).to_contain_text("tokens in")
    expect(page.locator(".message.assistant .message-text").last).to_contain_text(text)


def test_an_answer_streams_with_its_tokens_cost_and_time(page: Page) -> None:
    say(page, "Count from 1 to 5")
    answered(page, "1, 2, 3, 4, 5")
    note = page.locator(".message-note").last
    for part in ("tokens in", "out", "free in test mode", "first token after", "in all"):
        expect(note).to_contain_text(part)
    expect(page.locator("body > [data-announce]")).to_have_text("Answer complete")


def test_stop_keeps_what_was_written_and_the_next_message_works(page: Page) -> None:
    say(page, "Fill the page [test:long 2000]")
    expect(page.locator(".message-text").last).not_to_be_empty()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".message-note").last).to_contain_text("Stopped")
    assert page.locator(".message-text").last.inner_text()
    say(page, "hi")
    answered(page, "Hello!")


def test_the_conversation_can_be_edited_deleted_and_regenerated(page: Page, sent: list[dict[str, Any]]) -> None:
    say(page, "hi")
    answered(page, "Hello!")
    page.get_by_role("button", name="Edit message 1").click()
    page.get_by_label("Text of message 1").fill("Count from 1 to 5")
    page.get_by_role("button", name="Keep").click()
    page.get_by_role("button", name="Regenerate message 2").click()
    answered(page, "1, 2, 3")
    assert [message["content"] for message in sent[-1]["messages"]] == ["Count from 1 to 5"]
    page.get_by_role("button", name="Delete message 2").click()
    expect(page.locator(".message")).to_have_count(1)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".message")).to_have_count(0)


def test_parameters_go_into_the_request_and_empty_ones_do_not(page: Page, sent: list[dict[str, Any]]) -> None:
    page.get_by_label("System prompt").fill("Be brief.")
    page.get_by_text("Parameters").click()
    page.get_by_label("Temperature").fill("0.3")
    page.get_by_label("Max tokens").fill("50")
    page.get_by_label("Stop", exact=False).last.fill("a\nb")
    say(page, "hi")
    answered(page, "Hello!")
    assert sent == [
        {
            "model": "phi-3-mini",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.3,
            "max_tokens": 50,
            "stop": ["a", "b"],
        }
    ]


def test_a_tool_call_shows_and_its_result_gets_prose(page: Page) -> None:
    page.get_by_label("Model").select_option("llama-3.1-8b")
    page.get_by_text("Tools", exact=True).click()
    page.get_by_role("button", name="Insert an example").click()
    say(page, "What is the weather in Paris?")
    expect(page.locator(".message-call")).to_have_text('get_weather({"city": "Paris"})')
    page.get_by_role("button", name="Send the result").click()
    answered(page, "18 degrees")


def test_a_schema_gives_json_and_a_broken_one_is_named_before_anything_is_sent(
    page: Page, sent: list[dict[str, Any]]
) -> None:
    page.get_by_text("Format of the answer").click()
    page.get_by_label("Format", exact=True).select_option("json_schema")
    page.locator("[name=schema]").fill("{broken")
    say(page, "Describe Ada Lovelace.")
    expect(page.get_by_role("alert")).to_contain_text("schema is not JSON")
    assert sent == []
    page.locator("[name=schema]").fill('{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}')
    say(page, "Describe Ada Lovelace.")
    expect(page.locator(".message-note").last).to_contain_text("tokens in")
    assert "name" in json.loads(page.locator(".message.assistant .message-text").last.inner_text())


def test_an_image_goes_to_a_model_that_sees(page: Page, sent: list[dict[str, Any]], tmp_path: Path) -> None:
    expect(page.locator("[data-images]")).to_be_hidden()
    page.get_by_label("Model").select_option("llava-7b")
    picture = tmp_path / "dot.png"
    picture.write_bytes(base64.b64decode(DOT))
    page.locator("#p-image").set_input_files(picture)
    expect(page.locator("[data-thumbs] img")).to_have_count(1)
    say(page, "What is this?")
    expect(page.locator(".message-note").last).to_contain_text("tokens in")
    kinds = [piece["type"] for piece in sent[0]["messages"][0]["content"]]
    assert kinds == ["text", "image_url"]


def test_a_failure_is_shown_with_its_status_and_code(page: Page) -> None:
    say(page, "hi [test:error 429]")
    expect(page.locator(".message.is-bad .message-note")).to_contain_text("429 rate_limit_exceeded: ")
    page.get_by_label("API key").fill("rl_test_wrong")
    say(page, "hi")
    expect(page.locator(".message.is-bad .message-note").last).to_contain_text("401 invalid_api_key")


def test_a_stream_that_breaks_says_so(page: Page) -> None:
    say(page, "Tell me a story [test:error mid-stream]")
    expect(page.locator(".message.is-bad .message-note")).to_be_visible()
    assert page.locator(".message.assistant .message-text").last.inner_text()


def test_what_a_model_writes_is_never_markup(page: Page) -> None:
    say(page, "Say <img src=x onerror=document.title='hacked'><script>document.title='hacked'</script>")
    expect(page.locator(".message-note").last).to_contain_text("tokens in")
    assert page.locator(".message-text img, .message-text script").count() == 0
    assert page.title() == "Playground · LLMRack"


def test_a_pasted_key_is_kept_nowhere(page: Page, started: Started) -> None:
    say(page, "hi")
    answered(page, "Hello!")
    kept = page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])")
    assert started.key not in kept
    assert started.key not in page.content()
    page.reload()
    assert page.get_by_label("API key").input_value() == ""


def test_the_keyboard_sends_with_control_enter(page: Page) -> None:
    page.get_by_label("Message", exact=True).focus()
    page.keyboard.type("hi")
    page.keyboard.press("Control+Enter")
    answered(page, "Hello!")


TABS = {"curl": "cURL", "python": "Python", "node": "Node", "sdk": "OpenAI SDK"}
RUN = {"curl": ["sh", "-eu"], "python": [sys.executable], "node": ["node"], "sdk": [sys.executable]}
NEEDS = {"curl": ["curl"], "python": [], "node": ["node"], "sdk": []}


@pytest.mark.parametrize("language", RUN)
def test_the_code_shown_sends_exactly_what_the_page_sends(
    language: str, page: Page, sent: list[dict[str, Any]], started: Started, tmp_path: Path
) -> None:
    page.get_by_label("Model").select_option("llama-3.1-8b")
    page.get_by_label("System prompt").fill("It's \"quoted\" \\ 'twice' — ünïcode $HOME `id` {x}\nand a line.")
    page.get_by_text("Tools", exact=True).click()
    page.get_by_role("button", name="Insert an example").click()
    page.get_by_text("Parameters").click()
    page.get_by_label("Temperature").fill("0.3")
    page.get_by_label("Message", exact=True).fill("What is the weather in Paris?")
    page.get_by_role("button", name="View code").click()
    page.get_by_role("dialog").get_by_role("tab", name=TABS[language]).click()
    code = page.locator(f"#view-code-{language}").inner_text()
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".message-call")).to_be_visible()

    seen = received(code, language, started, tmp_path)
    assert seen == sent[0]


def received(code: str, language: str, started: Started, folder: Path) -> Any:
    """The body that running the code sends, as a small relay before the real server records it."""
    for program in NEEDS[language]:
        need(program)
    with Recorder(started.server.url) as recorder:
        path = folder / ("code.mjs" if language == "node" else "code")
        path.write_text(code.replace(started.server.url, recorder.url), encoding="utf-8")
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LLMRACK_API_KEY": started.key}
        done = subprocess.run([*RUN[language], str(path)], env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
        assert "get_weather" in done.stdout
        return recorder.bodies[0]


def test_axe_finds_nothing_in_a_conversation(page: Page) -> None:
    page.get_by_label("Model").select_option("llama-3.1-8b")
    page.get_by_text("Tools", exact=True).click()
    page.get_by_role("button", name="Insert an example").click()
    say(page, "What is the weather in Paris?")
    expect(page.get_by_role("button", name="Send the result")).to_be_visible()
    assert axe(page) == []
    page.get_by_role("button", name="View code").click()
    assert axe(page) == []


def test_without_scripts_the_answer_is_a_page_without_the_key(chromium: Browser, started: Started) -> None:
    context = opened(chromium, scripts=False)
    page = context.new_page()
    page.goto(started.server.url + "/playground")
    page.get_by_label("API key").fill(started.key)
    page.get_by_label("Message", exact=True).fill("Count from 1 to 5")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".message.assistant")).to_contain_text("1, 2, 3, 4, 5")
    expect(page.locator(".message-note")).to_contain_text("tokens in")
    assert started.key not in page.content()
    page.get_by_label("Message", exact=True).fill("hi")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("401 authentication_error")
    context.close()


def test_a_signed_in_user_chooses_a_key_by_name_and_pastes_nothing(new_tab: Callable[..., Tab], site: Running) -> None:
    make_account(site, "player@example.com")
    flask(site.settings, "keys", "create", "--name", "workbench", "--mode", "test", "--account", "player@example.com")
    tab = new_tab()
    tab.sign_in("player@example.com")
    page = tab.open("/playground")
    expect(page.get_by_label("One of your keys")).to_contain_text("workbench (test, rl_test_")
    expect(page.get_by_label("API key")).to_be_hidden()
    say(page, "Count from 1 to 5")
    answered(page, "1, 2, 3, 4, 5")
    assert any(url.endswith("/playground/chat/completions") for url in tab.requests)
    assert axe(page) == []
    page.get_by_label("One of your keys").select_option("")
    expect(page.get_by_label("API key")).to_be_visible()
