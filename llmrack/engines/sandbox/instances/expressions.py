"""Regular expressions as trees: the part of JavaScript's language that schemas use."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass

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


def tree(pattern: str) -> Node:
    """The expression as a tree; Unreadable where it is beyond this module."""
    return _Parser(pattern).parse()
