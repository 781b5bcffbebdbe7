"""Log-probabilities of pieces no model chose: plausible, and the same every time."""

from __future__ import annotations

from math import log
from typing import Any
from zlib import crc32

_LIKELY = " the| a|,|.| and| to| of| is| in| it| that| for| on| with| as| was| you| are| this| be| I|!|?|:|;"
_OTHERS = tuple(_LIKELY.split("|"))
# Ollama's own bound.
MAX_TOP = 20


def entry(piece: str, position: int, top: int) -> dict[str, Any]:
    """One piece in Ollama's shape: {"token", "logprob", "bytes", "top_logprobs"?}.

    The chosen piece has between 0.55 and 0.99 of the probability and leads `top_logprobs`; the others share the rest.
    """
    seed = crc32(f"{position}:{piece}".encode())
    chosen = 0.55 + seed % 4400 / 10_000
    shown = _token(piece, chosen)
    if not top:
        return shown
    rest = 1 - chosen
    others = [other for other in _OTHERS[seed % 5 :] + _OTHERS[: seed % 5] if other != piece]
    # Each takes half of what is left, as a real distribution falls off; the tail never adds up to more than the rest.
    alternatives = [_token(other, rest / 2 ** (rank + 1)) for rank, other in enumerate(others[: min(top, MAX_TOP) - 1])]
    return {**shown, "top_logprobs": [_token(piece, chosen), *alternatives]}


def _token(piece: str, probability: float) -> dict[str, Any]:
    return {"token": piece, "logprob": round(log(probability), 6), "bytes": list(piece.encode())}
