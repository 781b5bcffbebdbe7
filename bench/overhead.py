"""What a gateway costs on plain requests: throughput, processor time, latency, refusals, long prompts."""

from __future__ import annotations

import time

from llmrack.keys import key_format

from .measure import Row, Scale, closed, finish, flaws, per_request, start
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
    """A well-formed key that nobody has, 32 at a time."""
    wrong = key_format.generate("live")
    return per_request(closed(target, target.request("bench:8:0 hi", stream=False, key=wrong), scale), 401)


def page(target: Target, scale: Scale) -> Row:
    """A page of the documentation, asked by one reader: alone, and beside 100 streams of 50 pieces a second each."""
    alone = _read_docs(target, scale.seconds)
    pieces = int(scale.seconds / 0.02) + 50
    request = target.request(f"bench:{pieces}:20 hi", stream=True)
    job = {"kind": "streams", "connections": 100, "seconds": 0.1, "rounds": 1, "ramp_s": 0.02, "pieces": pieces}
    streams = start(target, request=request, **job)
    time.sleep(0.5)
    beside = _read_docs(target, scale.seconds)
    wrong = flaws(finish(streams, target), 200)["wrong"] + alone["wrong"]
    p50s = {"alone_p50_ms": alone["p50_ms"], "beside_p50_ms": beside["p50_ms"]}
    return beside | p50s | {"slower": beside["p50_ms"] / alone["p50_ms"], "wrong": wrong + beside["wrong"]}


def _read_docs(target: Target, seconds: float) -> Row:
    return per_request(closed(target, target.page_request("/docs/quickstart"), Scale(seconds), connections=1), 200)
