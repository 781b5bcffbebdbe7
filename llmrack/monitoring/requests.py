"""What is counted of requests: once when one is settled, and once when one is answered; never for each token."""

from __future__ import annotations

from . import rows
from .figures import Figures

REFUSALS = frozenset({402, 413, 429, 503})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def settled(
    figures: Figures,
    operation: str,
    model: str,
    outcome: str,
    prompt_tokens: int,
    completion_tokens: int,
    first_token_ns: int,
    total_ns: int,
) -> None:
    """A request of a live key has ended, and this is what it took."""
    figures.count(rows.TOKENS, (model, "prompt"), prompt_tokens)
    figures.count(rows.TOKENS, (model, "completion"), completion_tokens)
    figures.count(rows.OUTCOMES, (model, outcome))
    figures.observe(rows.REQUEST_DURATION, (operation, model, outcome), total_ns / 1e9)
    if first_token_ns:
        figures.observe(rows.FIRST_TOKEN, (model,), first_token_ns / 1e9)
        if outcome == "completed" and completion_tokens > 1:
            figures.observe(rows.PER_TOKEN, (model,), (total_ns - first_token_ns) / 1e9 / (completion_tokens - 1))


def swept(figures: Figures, model: str, outcome: str, prompt_tokens: int, completion_tokens: int) -> None:
    """A request was settled for a process that died: how long it took is not known."""
    model = figures.model(model)
    figures.count(rows.TOKENS, (model, "prompt"), prompt_tokens)
    figures.count(rows.TOKENS, (model, "completion"), completion_tokens)
    figures.count(rows.OUTCOMES, (model, outcome))


def answered(figures: Figures, route: str, method: str, status: int) -> None:
    figures.count(rows.HTTP_REQUESTS, (route, method if method in METHODS else "other", str(status)))


def refused(figures: Figures, status: int, code: str) -> None:
    if status in REFUSALS:
        figures.count(rows.REFUSED, (code,))
