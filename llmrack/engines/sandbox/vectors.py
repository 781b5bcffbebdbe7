"""Embeddings of test mode: hashed words and character runs, so that texts sharing words lie close together."""

from __future__ import annotations

import re
from array import array
from functools import lru_cache
from math import sqrt
from zlib import crc32

# The width of nomic-embed-text.
DIMENSIONS = 768
# Words that say little about what a text is about; they stay in with a small weight, so "the" differs from "a".
_COMMON_WORDS = (
    "a an and are as at be but by for from had has have he her his i if in is it its me my no not of on or our she so"
    " that the their them then there they this to was we were will with you your what which who how"
)
_COMMON = frozenset(_COMMON_WORDS.split())
_COMMON_WEIGHT = 0.15
_WORD_WEIGHT = 0.7
_STEM_WEIGHT = 0.7
_RUN_WEIGHT = 0.4
_RUN_CHARS = 3
_WORD = re.compile(r"\w{1,40}|[^\w\s]")


def embed(text: str, width: int = DIMENSIONS) -> list[float]:
    """The text's unit vector of so many dimensions, in float32 values."""
    totals = [0.0] * width
    for word in _WORD.findall(text.lower()) or [""]:
        for hashed, weight in _features(word):
            totals[hashed % width] += weight
    return _unit(totals)


def cut(vector: list[float], dimensions: int) -> list[float]:
    """The first dimensions alone, at unit length again; all of them when there are no more."""
    return vector if dimensions >= len(vector) else _unit(vector[:dimensions])


@lru_cache(maxsize=8192)
def _features(word: str) -> tuple[tuple[int, float], ...]:
    """Hashes of places with what the word adds there: for itself, its stem, and its runs of three letters.

    The runs forgive a misspelling.
    """
    if word in _COMMON or not word.isalnum():
        return (_place(f"w:{word}", _COMMON_WEIGHT),)
    padded = f"<{word}>"
    runs = {padded[start : start + _RUN_CHARS] for start in range(max(len(padded) - _RUN_CHARS + 1, 1))}
    # Each word weighs the same in the end, long or short.
    each = _RUN_WEIGHT / sqrt(len(runs))
    whole = (_place(f"w:{word}", _WORD_WEIGHT), _place(f"s:{_stem(word)}", _STEM_WEIGHT))
    return (*whole, *(_place(f"r:{run}", each) for run in sorted(runs)))


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def _place(feature: str, weight: float) -> tuple[int, float]:
    hashed = crc32(feature.encode())
    # One bit of the hash is the sign, so that unrelated texts cancel out instead of all pointing one way.
    return hashed >> 1, weight if hashed & 1 else -weight


def _unit(numbers: list[float]) -> list[float]:
    length = sqrt(sum(number * number for number in numbers))
    if not length:
        # A cut can leave nothing; a vector of length zero would be a division by zero in a client's cosine.
        return [1.0] + [0.0] * (len(numbers) - 1)
    return array("f", [number / length for number in numbers]).tolist()
