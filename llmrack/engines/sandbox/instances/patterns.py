"""Strings that match a regular expression, made from the expression itself.

The expressions come from users, so none of them meets Python's `re`, which backtracks.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from .expressions import Chars, Choice, Edge, Node, Repeat, Sequence, Unreadable, tree

# Longer than any expression a person writes into a schema; parsing and counting stay quick.
MAX_PATTERN = 512
MAX_EXAMPLE = 2_000
# Steps of writing one example; expressions that repeat nothing many times end here instead of never.
MAX_STEPS = 20_000


@lru_cache(maxsize=256)
def parse(pattern: str) -> Node | None:
    """The expression as a tree, or None when it is beyond this module."""
    if len(pattern) > MAX_PATTERN:
        return None
    try:
        return tree(pattern)
    except (Unreadable, RecursionError, OverflowError):
        return None


def examples(pattern: str, least: int = 0) -> Iterator[str]:
    """Strings that match, different ones as far as possible, trying to be at least `least` characters long."""
    node = parse(pattern)
    if node is None:
        return
    for extra in (0, 1, 2, 3, 5, 8, least, least * 2):
        for turn in range(4):
            try:
                text = _Writer(extra, turn).write(node)
            except Unreadable:
                continue
            yield text
            # What no `$` closes may go on with anything.
            if not _has_end(node):
                yield text + ("x" * (least - len(text)) or f"{extra}{turn}")


def _has_end(node: Node) -> bool:
    if isinstance(node, Sequence):
        return any(_has_end(part) for part in node.parts)
    if isinstance(node, Choice):
        return any(_has_end(branch) for branch in node.branches)
    return isinstance(node, Edge) and node.is_end


class _Writer:
    """Writes one match: each repetition `extra` times more than it must, each choice at its branch number `turn`."""

    def __init__(self, extra: int, turn: int) -> None:
        self._extra = extra
        self._turn = turn
        self._steps = 0
        self._text: list[str] = []

    def write(self, node: Node) -> str:
        self._add(node)
        return "".join(self._text)

    def _add(self, node: Node) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS or len(self._text) > MAX_EXAMPLE:
            raise Unreadable("the shortest match is too long")
        if isinstance(node, Chars):
            self._text.append(node.allowed[(len(self._text) + self._turn) % len(node.allowed)])
        elif isinstance(node, Sequence):
            for part in node.parts:
                self._add(part)
        elif isinstance(node, Choice):
            self._add(node.branches[self._turn % len(node.branches)])
        elif isinstance(node, Repeat):
            times = node.least + self._extra
            for _ in range(times if node.most is None else min(times, node.most)):
                self._add(node.part)
