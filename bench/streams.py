"""What a gateway costs on streams: the first piece, each piece, and holding many at once."""

from __future__ import annotations

import time

from .measure import Row, Scale, at, closed, finish, flaws, in_pieces, load, per_request, start
from .targets import Target

# Streams of `held` that start in a second: fewer than a worker admits, so that they are held and do not queue.
HELD_PER_S = 700


def first_piece(target: Target, scale: Scale) -> Row:
    """Ten streams whose first piece comes after 50 ms."""
    request = target.request("bench:4:50 hi", stream=True)
    run = load(target, kind="streams", request=request, connections=10, seconds=scale.seconds, pieces=4, ramp_s=0.2)
    firsts = {f"first_piece_{place}_ms": at(run, "first_piece_ms", place) for place in ("p50", "p99")}
    return per_request(run, 200) | firsts


def paced(target: Target, scale: Scale) -> Row:
    """A hundred streams of pieces 20 ms apart: 5,000 pieces a second."""
    # Long enough that starting a hundred streams at once does not count for much.
    pieces = max(5, int(scale.paced_s / 0.02))
    request = target.request(f"bench:{pieces}:20 hi", stream=True)
    job = {"kind": "streams", "connections": 100, "seconds": 0.1, "rounds": 1, "ramp_s": 0.02, "pieces": pieces}
    run = load(target, request=request, **job)
    return in_pieces(run) | {"gap_p99_ms": at(run, "gap_ms", "p99")}


def burst(target: Target, scale: Scale) -> Row:
    """Streams whose pieces come all at once, 16 at a time."""
    request = target.request(f"bench:{scale.pieces}:0 hi", stream=True)
    run = closed(target, request, scale, connections=16, pieces=scale.pieces)
    return in_pieces(run) | per_request(run, 200)


def held(target: Target, scale: Scale) -> Row:
    """Many streams at once, two pieces a second each, and the memory each takes while they all run."""
    ramp_s = scale.held / HELD_PER_S
    pieces = int((scale.held_s + ramp_s) / 0.5)
    request = target.request(f"bench:{pieces}:500 hi", stream=True)
    before = target.rss_bytes()
    job = {
        "kind": "streams",
        "connections": scale.held,
        "seconds": 0.1,
        "rounds": 1,
        "ramp_s": ramp_s,
        "pieces": pieces,
    }
    process = start(target, request=request, **job)
    time.sleep(ramp_s + scale.held_s / 2)
    during = target.rss_bytes()
    run = finish(process, target)
    found = flaws(run, 200)
    return found | {
        "streams": scale.held - found["wrong"],
        "kb_per_stream": max(0, during - before) / 1024 / scale.held if before else None,
        "base_mb": before / 1e6 if before else None,
        "first_piece_p99_ms": at(run, "first_piece_ms", "p99"),
    }
