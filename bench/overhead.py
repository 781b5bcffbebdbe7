"""What a gateway costs on plain requests: throughput, processor time, latency, refusals, long prompts."""

from __future__ import annotations

from .measure import Row, Scale, closed, per_request
from .targets import Target

LONG_PROMPT_BYTES = 96 * 1024


def plain(target: Target, scale: Scale) -> Row:
    """Short chats without streaming, 32 at a time."""
    return per_request(closed(target, target.request("bench:8:0 hi", stream=False), scale, pieces=8), 200)


def alone(target: Target, scale: Scale) -> Row:
    """The same from one client: what a gateway adds when nothing else is going on."""
    run = closed(target, target.request("bench:8:0 hi", stream=False), scale, connections=1, pieces=8)
    return per_request(run, 200)


def long_prompt(target: Target, scale: Scale) -> Row:
    """A prompt of 96 KB, 8 at a time."""
    prompt = ("bench:8:0 " + "seven words of a long prompt here " * 4000)[:LONG_PROMPT_BYTES]
    return per_request(closed(target, target.request(prompt, stream=False), scale, connections=8, pieces=8), 200)


def embeddings(target: Target, scale: Scale) -> Row:
    """Eight texts to vectors of 768, 8 at a time."""
    return per_request(closed(target, target.embedding_request(8), scale, connections=8), 200)


def refusals(target: Target, scale: Scale) -> Row:
    """A key that nobody has, 32 at a time."""
    wrong = "rl_live_" + "x" * 43
    return per_request(closed(target, target.request("bench:8:0 hi", stream=False, key=wrong), scale), 401)
