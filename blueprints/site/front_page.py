"""The front page, with an answer of its demo for browsers without scripts."""

from __future__ import annotations

from flask import render_template
from markupsafe import Markup

from llmrack.docsite import rail
from llmrack.docsite.render import highlighted
from llmrack.inference.demo import LONGEST_PROMPT, Answer

from ..extensions import context, site

# Questions test mode answers well.
QUESTIONS = ("Count from 1 to 5", "Haiku about SSDs.", "What is Ollama?")


def show(prompt: str = QUESTIONS[0], answer: Answer | None = None) -> str:
    facts = site.facts
    snippets = [
        (snippet.language, Markup(highlighted(snippet.code, snippet.language.lexer)))  # noqa: S704 (our own files)
        for snippet in rail.load(facts, "chat").snippets
    ]
    return render_template(
        "pages/home.html",
        base_url=facts.base_url,
        demo_model=facts.model("fast"),
        models=list(context.catalog),
        plans=list(context.plans.public),
        snippets=snippets,
        questions=QUESTIONS,
        longest=LONGEST_PROMPT,
        prompt=prompt,
        answer=answer,
    )
