"""What a prompt says that could be a value: places, people, numbers, quoted words, dates, addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeVar

_Value = TypeVar("_Value")
# Prompts can be a hundred thousand tokens; what a question is about stands near its end.
READ_CHARS = 4_000

_NAME = r"[A-Z\u00c0-\u00de][\w'\u2019-]*"
_PLACE_NAME = rf"({_NAME}(?:\s(?:(?:de|la|do|del|upon|am|an)\s)?{_NAME}){{0,3}})"
# "in Rome" is surer to be a place than "for Ann" or "and Oslo".
_PLACE = re.compile(rf"\b(?:in|at|near)\s{_PLACE_NAME}")
_PERHAPS_PLACE = re.compile(rf"\b(?:for|to|from|of|and|or)\s{_PLACE_NAME}")
_LOWER_PLACE = re.compile(r"\b(?:in|at|for|near)\s+([a-z\u00df-\u00ff'-]+(?:\s+[a-z\u00df-\u00ff'-]+){0,4})")
_NOT_PLACES = (
    "a an the my your our their his her this that these those me you us them him it its now today tomorrow tonight"
    " right please next and or on with by degrees celsius fahrenheit detail general order some any all which what"
    " json english french german spanish one two three case fact short"
)
_NOT_NAMES = (
    "i a an the what who where when why how which is are was were do does did can could would should will please tell"
    " give show find get look create make write list monday tuesday wednesday thursday friday saturday sunday"
)
_NOT_A_PLACE, _NOT_A_NAME = frozenset(_NOT_PLACES.split()), frozenset(_NOT_NAMES.split())
_PERSON = re.compile(rf"\b{_NAME}(?:\s{_NAME}){{0,2}}")
_ACTS = re.compile(
    rf"{_NAME}(?:\s{_NAME})?(?:,|'s| (?:and|is|was|has|had|will|lives|works|likes|wants|ordered|bought)\b)"
)
_NUMBER = re.compile(r"(?<![\w.])-?\d{1,15}(?:\.\d{1,9})?(?!\d)")
_QUOTED = re.compile(
    r"\"([^\"\n]{1,200})\"|\u201c([^\u201d\n]{1,200})\u201d|`([^`\n]{1,200})`|(?<!\w)'([^'\n]{1,200})'(?!\w)"
)
_EMAIL = re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}\b")
_URL = re.compile(r"\bhttps?://[^\s<>\"')]{1,500}[^\s<>\"').,;:!?]")
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_DAY = re.compile(
    r"\b(?:today|tomorrow|tonight|yesterday|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b",
    re.IGNORECASE,
)
_CODE = re.compile(r"(?<![\w-])#?(?=[A-Za-z-]{0,20}\d)[A-Za-z0-9-]{2,40}\b")
_CAPITALS = re.compile(r"\b[A-Z]{2,5}\b")
_SUM = re.compile(r"(?<!\w)[(\d][\d\s.+*/()^%-]{0,100}[\d)]")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

# The first word of a property's name that is listed here decides where its value is looked for.
_KINDS: tuple[tuple[str, str], ...] = (
    ("places", "city cities location place town country region destination origin where area state address capital"),
    ("emails", "email mail recipient"),
    ("urls", "url uri link website href"),
    ("days", "date day when deadline due time datetime"),
    ("sums", "expression equation formula calculation math"),
    ("symbols", "symbol ticker currency base quote"),
    ("codes", "id identifier order code sku ticket reference tracking invoice"),
    ("people", "name person user customer author participant attendee people member contact guest student"),
    (
        "everything",
        "query q question prompt text message input content search description body task request term topic keyword",
    ),
)
_KIND_OF = {word: kind for kind, words in _KINDS for word in words.split()}


def words(name: str) -> tuple[str, ...]:
    """The lower-case words of an identifier or a sentence, without plural endings."""
    return tuple(_stem(word) for word in _WORDS.findall(name))


def _stem(word: str) -> str:
    word = word.lower()
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


class Hints:
    """Values found in one text.

    `turn` rotates them, so that the second of two parallel calls takes the second city. Each numeric property and
    each property of no known kind takes the next unused value, in the order they are asked for.
    """

    def __init__(self, text: str, turn: int = 0) -> None:
        self._said = text[-READ_CHARS:].strip()
        # Runs of white space would make some of the expressions below take quadratic time.
        self.text = " ".join(self._said.split())
        self._turn = turn
        self._seats: dict[str, dict[str, int]] = {"number": {}, "quoted": {}}

    def mentions(self, value: object) -> bool:
        """Whether the text names the value as a word, as an enumeration's member is named."""
        return bool(re.search(rf"(?<!\w){re.escape(str(value))}(?!\w)", self.text, re.IGNORECASE))

    def strings(self, name: str) -> list[str]:
        """Values for a property of that name, best first; empty when the text has none."""
        kind = next((_KIND_OF[word] for word in words(name) if word in _KIND_OF), None)
        found = list(dict.fromkeys(getattr(self, kind)())) if kind else []
        if kind == "everything" or not found:
            return [*self._rotate(list(self.quoted()), self._seat("quoted", name)), *found]
        return self._rotate(found, 0)

    def numbers(self, name: str) -> list[float]:
        return self._rotate([float(number) for number in _NUMBER.findall(self.text)], self._seat("number", name))

    def formatted(self, format_name: str) -> list[str]:
        """Texts in one of JSON Schema's formats."""
        pattern = {"email": _EMAIL, "uri": _URL, "date": _DATE, "uuid": _UUID}.get(format_name)
        return pattern.findall(self.text) if pattern else []

    def _rotate(self, found: list[_Value], seat: int) -> list[_Value]:
        start = (seat + self._turn) % len(found) if found else 0
        return found[start:] + found[:start]

    def _seat(self, row: str, name: str) -> int:
        return self._seats[row].setdefault(name, len(self._seats[row]))

    def quoted(self) -> Iterator[str]:
        for groups in _QUOTED.findall(self.text):
            yield next(group for group in groups if group)

    def everything(self) -> Iterator[str]:
        if self._said:
            yield self._said

    def places(self) -> Iterator[str]:
        found = [*_PLACE.findall(self.text), *_PERHAPS_PLACE.findall(self.text), *self._lower_places()]
        yield from found or self.people()

    def _lower_places(self) -> Iterator[str]:
        for run in _LOWER_PLACE.findall(self.text):
            kept: list[str] = []
            for word in run.split():
                if word in _NOT_A_PLACE:
                    break
                kept.append(word.capitalize())
            if kept:
                yield " ".join(kept)

    def people(self) -> Iterator[str]:
        for found in _PERSON.finditer(self.text):
            names = [word for word in found[0].split() if word.lower() not in _NOT_A_NAME and not word.isupper()]
            # A sentence begins with a capital; one word there is more likely a verb than a person who does something.
            is_whole = len(names) < 3 and self.text.strip(".!?") == found[0]
            if names and found.start() == 0 and not is_whole and not _ACTS.match(self.text):
                names = names[1:] if found[0].startswith(names[0]) else names
            if names:
                yield " ".join(names)

    def emails(self) -> Iterator[str]:
        yield from _EMAIL.findall(self.text)

    def urls(self) -> Iterator[str]:
        yield from _URL.findall(self.text)

    def days(self) -> Iterator[str]:
        yield from _DATE.findall(self.text)
        yield from _DAY.findall(self.text)

    def sums(self) -> Iterator[str]:
        yield from (found.strip() for found in _SUM.findall(self.text))

    def symbols(self) -> Iterator[str]:
        yield from _CAPITALS.findall(self.text)

    def codes(self) -> Iterator[str]:
        yield from (found.lstrip("#") for found in _CODE.findall(self.text))
