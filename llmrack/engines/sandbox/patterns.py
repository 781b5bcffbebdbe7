"""Strings that match a regular expression, made from the expression itself.

The expressions come from users. Python's `re` backtracks, so an expression only ever meets a string here when
`is_quick` has counted that the worst case is small.
"""

from __future__ import annotations

import re
import string
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod

# Longer than any expression a person writes into a schema; parsing and counting stay quick.
MAX_PATTERN = 512
MAX_EXAMPLE = 2_000
# Steps of writing one example; expressions that repeat nothing many times end here instead of never.
MAX_STEPS = 20_000
# Ways to match that `re` may try in the worst case; at about 20 million a second this is some milliseconds.
MAX_WAYS = 500_000
_DIGITS, _WORD, _SPACE = string.digits, string.ascii_lowercase + string.ascii_uppercase + string.digits + "_", " \t\n"
_PRINTABLE = string.ascii_lowercase + string.ascii_uppercase + string.digits + "-_.,:;!?@#$%&*+=/\\()[]{}<>'\"`~^| \t\n"
_CLASSES = {"d": _DIGITS, "w": _WORD, "s": _SPACE}
_LITERALS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}


class Unreadable(ValueError):
    """An expression with something this module does not know: look-around, back-references, Unicode properties."""


@dataclass(frozen=True)
class Chars:
    allowed: str


@dataclass(frozen=True)
class Edge:
    is_end: bool


@dataclass(frozen=True)
class Sequence:
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Choice:
    branches: tuple[Node, ...]


@dataclass(frozen=True)
class Repeat:
    part: Node
    least: int
    most: int | None


Node = Chars | Edge | Sequence | Choice | Repeat


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def parse(self) -> Node:
        node = self._choice()
        if self._at < len(self._pattern):
            raise Unreadable("a parenthesis closes nothing")
        return node

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _take(self) -> str:
        char = self._peek()
        if not char:
            raise Unreadable("the expression ends too early")
        self._at += 1
        return char

    def _skip(self, text: str) -> bool:
        found = self._pattern.startswith(text, self._at)
        self._at += len(text) if found else 0
        return found

    def _choice(self) -> Node:
        branches = [self._sequence()]
        while self._skip("|"):
            branches.append(self._sequence())
        return branches[0] if len(branches) == 1 else Choice(tuple(branches))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._quantified(self._atom()))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _atom(self) -> Node:
        char = self._take()
        if char == "(":
            return self._group()
        if char == "[":
            return self._class()
        if char == "\\":
            return Chars(self._escape())
        if char in "^$":
            return Edge(char == "$")
        if char in "*+?":
            raise Unreadable("a quantifier follows nothing")
        return Chars(_PRINTABLE.replace("\n", "") if char == "." else char)

    def _group(self) -> Node:
        if self._skip("?"):
            self._skip("P")
            if self._skip("<") and self._peek() not in "=!":
                while self._take() != ">":
                    pass
            elif not self._skip(":"):
                raise Unreadable("look-around and flags are not supported")
        node = self._choice()
        if not self._skip(")"):
            raise Unreadable("a parenthesis is not closed")
        return node

    def _escape(self) -> str:
        char = self._take()
        if char in _CLASSES:
            return _CLASSES[char]
        if char.lower() in _CLASSES:
            return _without(_CLASSES[char.lower()])
        if char in "xu":
            size = 2 if char == "x" else 4
            code, self._at = self._pattern[self._at : self._at + size], self._at + size
            if len(code) != size or not set(code) <= set(string.hexdigits):
                raise Unreadable("a character code is not hexadecimal")
            return chr(int(code, 16))
        if char in _LITERALS:
            return _LITERALS[char]
        if char.isalnum():
            raise Unreadable(f"the escape \\{char} is not supported")
        return char

    def _class(self) -> Node:
        is_negated = self._skip("^")
        allowed = ""
        is_first = True
        while is_first or self._peek() != "]":
            is_first = False
            allowed += self._range()
        self._take()
        chars = _without(allowed) if is_negated else allowed
        if not chars:
            raise Unreadable("a character class is empty")
        return Chars("".join(dict.fromkeys(chars)))

    def _range(self) -> str:
        first = self._member()
        if len(first) != 1 or self._peek() != "-" or self._pattern[self._at + 1 : self._at + 2] in ("]", ""):
            return first
        self._take()
        last = self._member()
        if len(last) != 1 or last < first:
            raise Unreadable("a range runs backwards")
        # A few hundred characters of a range are more than an example needs.
        return "".join(chr(code) for code in range(ord(first), min(ord(last), ord(first) + 300) + 1))

    def _member(self) -> str:
        char = self._take()
        if char == "\\":
            return "\b" if self._skip("b") else self._escape()
        return char

    def _quantified(self, node: Node) -> Node:
        counts = re.compile(r"\{(\d{1,6})(?:(,)(\d{1,6})?)?\}").match(self._pattern, self._at)
        if counts:
            self._at = counts.end()
            least = int(counts[1])
            most = int(counts[3]) if counts[3] else None if counts[2] else least
        elif self._peek() and self._peek() in "*+?":
            sign = self._take()
            least, most = int(sign == "+"), 1 if sign == "?" else None
        else:
            return node
        self._skip("?")
        return Repeat(node, least, most)


def _without(taken: str) -> str:
    return "".join(char for char in _PRINTABLE if char not in taken)


@lru_cache(maxsize=256)
def parse(pattern: str) -> Node | None:
    """The expression as a tree, or None when it is beyond this module."""
    if len(pattern) > MAX_PATTERN:
        return None
    try:
        # Python warns of `[[` and the like, which mean in JavaScript what they say.
        with warnings.catch_warnings(action="ignore"):
            re.compile(for_python(pattern))
        return _Parser(pattern).parse()
    except (Unreadable, re.error, RecursionError, OverflowError):
        return None


def for_python(pattern: str) -> str:
    """JavaScript writes named groups as `(?<name>`, Python as `(?P<name>`."""
    return re.sub(r"\(\?<(?![=!])", "(?P<", pattern)


def is_quick(pattern: str, length: int) -> bool:
    """Whether `re` cannot take long to search a string of that length for the expression."""
    node = parse(pattern)
    return node is not None and _ways(node, length) * (length + 1) <= MAX_WAYS


def _ways(node: Node, length: int) -> float:
    if isinstance(node, Repeat):
        most = length if node.most is None else min(node.most, max(length, node.least))
        inner = _ways(node.part, length)
        # What can vary inside a repetition varies anew each time round: that is where backtracking explodes.
        repeated = inner ** max(most, 1) if inner > 1 and most < 64 else float("inf") if inner > 1 else 1.0
        return repeated * (max(most, node.least) - node.least + 1)
    if isinstance(node, Sequence):
        return prod(_ways(part, length) for part in node.parts)
    if isinstance(node, Choice):
        return sum(_ways(branch, length) for branch in node.branches)
    return 1.0


def matches(pattern: str, text: str) -> bool | None:
    """Whether the text matches, or None when finding out could take too long."""
    if not is_quick(pattern, len(text)):
        return None
    return re.search(for_python(pattern), text) is not None


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
