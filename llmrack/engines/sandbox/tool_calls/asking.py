"""Whether a prompt plainly asks for a tool. When in doubt it does not: the program that gets a call may carry it out.

The rule is written down for users in docs_content/test-mode; the two must agree.
"""

from __future__ import annotations

import re
from typing import Any

from ..instances.hints import words
from . import inert

# A longer prompt is a document, not a request.
LONGEST_CHARS = 600

# These words keep any tool from being called, wherever in the prompt they stand.
_NEGATIONS = (
    r"not|never|no|none|nothing|nobody|nor|neither|without|except|unless|rather|avoid|refrain|cannot|\w+n['\u2019]t"
    r"|dont|doesnt|wont|cant|shouldnt|mustnt"
)
_ABOUT_IT = (
    r"if|why|should|suppose|supposing|imagine|pretend|hypothetical\w*|mean|means|meaning|difference|purpose|safe"
    r"|dangerous|how (?:do|does|did|can|could|would|should|to)|what (?:do|does|did|would|happens)"
)
_NEVER = re.compile(rf"\b(?:{_NEGATIONS}|{_ABOUT_IT})\b", re.IGNORECASE)
# These do so too, unless the tool's own name has them: cancel_order is a tool for "Cancel the order".
_UNLESS_NAMED = re.compile(
    r"\b(explain|explanation|describe|define|definition|document|teach|understand|learn|example|stop|cancel|skip"
    r"|ignore|forget|instead|prevent|undo|quit)\w{0,3}\b(?!\.\w)",
    re.IGNORECASE,
)

_QUOTED = re.compile(r"\"[^\"]*\"|\u201c[^\u201d]*\u201d|`[^`]*`|(?<!\w)'[^']*'(?!\w)")
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|\n+")
_WORD = re.compile(r"[^\W_][\w.:'\u2019/@-]*|[?]")
_POLITE = re.compile(
    r"(?:\[[^\]]*\]|please|kindly|hey|hi|hello|okay|ok|now|then|so|and|also|just|first|next|finally|thanks"
    r"|(?:could|would|will|can) you|i (?:want|need) you to|i(?:'d| would) like you to|go ahead and|let us|let's)"
    r"[\s,:!]+",
    re.IGNORECASE,
)
_ABILITY = re.compile(r"\bcan you\b", re.IGNORECASE)
_WANTS_TO_KNOW = re.compile(
    r"(?:i(?: want to|'d like to| would like to| need to) know|do you know"
    r"|(?:tell|give|show|get|find|fetch|check|list|look up|report|read)(?: (?:me|us))?(?: up)?)\s+",
    re.IGNORECASE,
)
# "The weather in Paris was good" asks for nothing.
_STATES = re.compile(r"\b(?:is|are|was|were|be|been|has|have|had|did|seems|looks)\b", re.IGNORECASE)
_QUESTION = re.compile(
    r"(?:what|who|how|where|when)(?:['\u2019]s|s| is| are|['\u2019]re)\s+|how (?:many|much)\s+|(?:is|are) there\s+",
    re.IGNORECASE,
)


def _set(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# What a request is for ends where the words begin that say of what, where, or how.
_HEAD_ENDS = _set(
    "about of for in on at to with from by into onto that which whether using via as like between near and or but then"
)
_ARTICLES = _set("the my our your their this these that those all any every some current latest today's")
_LOOSE = _ARTICLES | _set("a an new another local there today tomorrow now right is are please me us ?")
_FILLS_NAMES = _set("get set fetch current tool function api the a an my of to for in do make by")
_LOOKS_UP = _set("get list find search lookup look fetch show check query read view")
# A tool with one of these in its name changes something.
_CHANGES = _set(
    "delete remove create send update write edit move copy rename set make book buy order pay cancel stop start kill"
    " run execute open close post publish upload install drop reset restart turn switch transfer approve deny merge"
    " push commit deploy save clear schedule assign invite"
)
# Verbs that change nothing, so that their tools may be asked for by the verb alone.
_HARMLESS = _LOOKS_UP | _set(
    "add sum subtract multiply divide calculate compute count convert compare translate roll flip"
)


def asked_for(text: str, tools: tuple[dict[str, Any], ...]) -> dict[str, Any] | None:
    """The tool the text plainly asks for; of several the one of whose name it says most, else the first offered."""
    text = _unquoted(text)
    if not text or len(text) > LONGEST_CHARS or _NEVER.search(text):
        return None
    sentences = [part for part in map(str.strip, _SENTENCE_END.split(text)) if part]
    asked = [(len(_told(tool)), tool) for tool in tools if _is_asked(tool, text, sentences)]
    return max(asked, key=lambda pair: pair[0])[1] if asked else None


def _unquoted(text: str) -> str:
    """A prompt that stands in quotes as a whole is itself the request: some programs pass it so."""
    inner = text.strip()[1:-1]
    return inner if text.strip() == f'"{inner}"' and '"' not in inner else text


def _is_asked(tool: dict[str, Any], text: str, sentences: list[str]) -> bool:
    own = set(_raw(tool))
    if any(found.lower() not in own for found in _UNLESS_NAMED.findall(text)):
        return False
    return any(_asks(tool, sentence) for sentence in sentences)


def _asks(tool: dict[str, Any], sentence: str) -> bool:
    request, is_polite = _without_courtesy(sentence)
    if _ABILITY.search(sentence) and not _is_definite(request):
        return False
    if _says_to_use(tool, request):
        return True
    request = _QUOTED.sub(" X ", request)
    if request.endswith("?") and not is_polite and _acts(tool):
        return False
    return _orders(tool, request) or (not _acts(tool) and _inquires(tool, request))


def _without_courtesy(sentence: str) -> tuple[str, bool]:
    start = 0
    while found := _POLITE.match(sentence, start):
        start = found.end()
    return sentence[start:].strip(), start > 0


def _is_definite(request: str) -> bool:
    """Whether a thing is named: "can you delete files" asks for an ability, "can you delete this file" for a deed."""
    return bool(set(request.lower().split()) & _ARTICLES or re.search(r"\d|[\"`'\u201c]|\s[A-Z]", request))


def _says_to_use(tool: dict[str, Any], request: str) -> bool:
    """ "Use the terminal", "Call `get_weather` for Rome", "Run the add tool"."""
    name = tool.get("name") or ""
    spellings = {re.escape(name), re.escape(name.replace("_", " ").replace("-", " "))} - {""}
    if not spellings:
        return False
    pattern = (
        rf"(?:use|call|invoke|run|try)\s+(?:the\s+|your\s+|my\s+)?[\"'`]?(?:{'|'.join(sorted(spellings))})[\"'`]?"
        r"(?:\s+(?:tool|function))?(?=[.!?,;:]*$|[,;:]|\s+(?:to|with|for|on|in|and|once|now|please)\b)"
    )
    return re.match(pattern, request, re.IGNORECASE) is not None


def _orders(tool: dict[str, Any], request: str) -> bool:
    """ "Delete the file report.txt" for delete_file, "Add 3 and 4" for add: the first word is one of the name's."""
    raw, head = _raw(tool), _head(request)
    if not head or (first := _stem(head[0])) not in raw:
        return False
    told = _told(tool) - {first}
    if told:
        return _is_about(head[1:], told)
    return first in _HARMLESS and not _acts(tool) and len(_told(tool)) == 1


def _inquires(tool: dict[str, Any], request: str) -> bool:
    """ "What is the weather", "Show me the users", or the name alone: "Weather in Rome"."""
    told = _told(tool)
    if found := _QUESTION.match(request):
        head = _head(request[found.end() :])
        counts = found[0].lower().startswith(("how m", "is", "are"))
        # Without an article it asks what such a thing is: "What is weather?"
        return (counts or bool(head and head[0] in _ARTICLES)) and _is_exactly(head, told)
    if found := _WANTS_TO_KNOW.match(request):
        return _is_about(_head(request[found.end() :]), told)
    return not _STATES.search(request) and _is_exactly(_head(request), told)


def _head(request: str) -> list[str]:
    """The words before the first preposition or conjunction; all but the first keep their capitals."""
    head: list[str] = []
    for word in _WORD.findall(request):
        plain = word.rstrip(".:'\u2019")
        if plain.lower() in _HEAD_ENDS and head:
            return head
        head.append(plain if plain[:1].isupper() and head else plain.lower())
    return head


def _is_about(head: list[str], told: set[str]) -> bool:
    """Whether the words name the thing, and otherwise only articles and names, numbers or quotations."""
    rest = [word for word in head if word not in _LOOSE]
    return told <= {_stem(word) for word in rest} and all(_stem(word) in told or _is_value(word) for word in rest)


def _is_exactly(head: list[str], told: set[str]) -> bool:
    return bool(told) and {_stem(word) for word in head if word not in _LOOSE} == told


def _is_value(word: str) -> bool:
    return not word.isalpha() or word[0].isupper()


def _stem(word: str) -> str:
    return next(iter(words(word)), word) if word.isalpha() else word.lower()


def _raw(tool: dict[str, Any]) -> tuple[str, ...]:
    """The words of the name; what stands before the last double underscore names a server, not a deed."""
    return words((tool.get("name") or "").rpartition("__")[2])


def _told(tool: dict[str, Any]) -> set[str]:
    """The words of the name that say what the tool is for."""
    telling = [word for word in _raw(tool) if word not in _FILLS_NAMES]
    things = [word for word in telling if word not in _LOOKS_UP]
    return set(things or telling)


def _acts(tool: dict[str, Any]) -> bool:
    """Whether a call changes something, or may: then only an order is a request for it, never a question."""
    return inert.acts(tool) or bool(_CHANGES & set(_raw(tool)))
