"""How many tokens a prompt has at most."""

import pytest

from llmrack.metering.prompt_bounds import PromptBounds
from llmrack.wire.parsed import PromptSize
from tests.support.stores import PHI

HI = PromptSize(bytes=2, estimate=17)


def test_before_the_first_count_only_the_window_bounds_a_prompt() -> None:
    assert PromptBounds().bound(PHI, HI, is_chat=True) == PHI.num_ctx


@pytest.mark.parametrize("frame", [4, 30, 200, 900])
@pytest.mark.parametrize(("size_bytes", "tokens"), [(1, 1), (2, 1), (50, 50), (700, 175), (2000, 2000)])
def test_whatever_the_template_adds_no_prompt_has_more_tokens_than_its_bound(
    frame: int, size_bytes: int, tokens: int
) -> None:
    bounds = PromptBounds()
    bounds.learn(PHI, PromptSize(size_bytes, estimate=0), frame + tokens, is_chat=True)
    for length in (1, 10, 1000):
        # One token a byte is the most that a tokenizer makes.
        assert bounds.bound(PHI, PromptSize(length, estimate=0), is_chat=True) >= frame + length


def test_the_smallest_prompt_bounds_what_the_template_adds() -> None:
    bounds = PromptBounds()
    bounds.learn(PHI, PromptSize(4000, estimate=0), 1030, is_chat=True)
    assert bounds.bound(PHI, HI, is_chat=True) == 2 + 16 + 1030
    bounds.learn(PHI, HI, 31, is_chat=True)
    bounds.learn(PHI, PromptSize(4000, estimate=0), 1030, is_chat=True)
    assert bounds.bound(PHI, HI, is_chat=True) == 2 + 16 + 31


def test_a_count_above_the_bound_raises_it() -> None:
    bounds = PromptBounds()
    bounds.learn(PHI, HI, 31, is_chat=True)
    bounds.learn(PHI, HI, 500, is_chat=True)
    assert bounds.bound(PHI, HI, is_chat=True) == 500
    bounds.learn(PHI, HI, 31, is_chat=True)
    assert bounds.bound(PHI, HI, is_chat=True) == 500


def test_tools_and_text_completions_have_a_frame_of_their_own_and_images_only_the_window() -> None:
    bounds = PromptBounds()
    bounds.learn(PHI, HI, 31, is_chat=True)
    for is_chat, size in (
        (False, HI),
        (True, PromptSize(2, estimate=0, has_tools=True)),
        (True, PromptSize(2, estimate=0, images=1)),
    ):
        assert bounds.bound(PHI, size, is_chat=is_chat) == PHI.num_ctx


def test_no_prompt_is_bounded_by_more_than_the_window() -> None:
    bounds = PromptBounds()
    bounds.learn(PHI, HI, 31, is_chat=True)
    assert bounds.bound(PHI, PromptSize(10**6, estimate=0), is_chat=True) == PHI.num_ctx
