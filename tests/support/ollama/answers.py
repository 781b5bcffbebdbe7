"""What the pretended models say: the same prompt always gets the same answer, counted in plausible tokens."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from .schema import instance

# Words lose a capital head, then go in bites of eight letters; digits in threes; any other character stands alone.
TOKEN = re.compile(r"(?<=[A-Z])[A-Z]{2,8}| ?[A-Z](?=[A-Z]{2})| ?[A-Za-z]{1,8}| ?\d{1,3}|\s|.", re.DOTALL)
MARKER = re.compile(r"\[\[([a-z_0-9]+)(?::((?:(?!\]\]).)*))?\]\]\s?", re.DOTALL)
CITY = r"[A-Z]\w+(?: [A-Z]\w+)*"
MESSAGE_TOKENS, TURN_TOKENS, IMAGE_TOKENS = 4, 7, 768
STORY = " ".join(
    f"In year {year} the {who} walked along the {where} and found a {what}, and told nobody about it."
    for year, (who, where, what) in enumerate(
        [("baker", "river", "bell"), ("painter", "wall", "lamp"), ("sailor", "shore", "map"), ("child", "hill", "key")]
        * 4,
        start=1,
    )
)
KNOWN = [
    (r"^\W*(hi|hello)\b", "Hello! How can I help you today?"),
    (r"haiku about ssds", "Silent blocks of light,\nno arm seeks across the dark,\nthe page is just there."),
    (r"long story", f"{STORY} The end."),
    (r"what is ollama", "Ollama is a program that runs language models on your own machine."),
    (r"what is a token", "A token is a short piece of text that a language model reads or writes at once."),
    (r"capital of france", "The capital of France is Paris."),
    (r"json object with the keys name and age", '{"name": "Ada", "age": 36}'),
]


@dataclass
class Answer:
    """Pieces of about one token each, in the order in which they are said: thinking, content, calls."""

    content: list[str] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    reason: str = "stop"

    def tokens(self) -> int:
        """The end-of-turn token is counted too, unless the limit came first."""
        said = len(self.content) + len(self.thinking)
        said += sum(len(pieces(json.dumps(call["function"]))) for call in self.calls)
        return said + (self.reason == "stop")


def pieces(text: str) -> list[str]:
    return TOKEN.findall(text)


def bare(text: str) -> str:
    """The text without its `[[...]]` markers."""
    return MARKER.sub("", text)


def chat_prompt_tokens(body: dict[str, Any]) -> int:
    total = TURN_TOKENS
    for message in body.get("messages") or []:
        total += MESSAGE_TOKENS + len(pieces(message.get("content") or ""))
        total += IMAGE_TOKENS * len(message.get("images") or [])
        if message.get("tool_calls"):
            total += len(pieces(json.dumps(message["tool_calls"])))
    return total + (len(pieces(json.dumps(body["tools"]))) if body.get("tools") else 0)


def generate_prompt_tokens(body: dict[str, Any]) -> int:
    frame = 0 if body.get("raw") else TURN_TOKENS + MESSAGE_TOKENS
    texts = (body.get("system") or "", body.get("prompt") or "", body.get("suffix") or "")
    return 1 + frame + sum(len(pieces(text)) for text in texts)


def to_chat(body: dict[str, Any]) -> Answer:
    messages = body["messages"]
    last = messages[-1]
    asked = bare(next((m.get("content") or "" for m in reversed(messages) if m.get("role") == "user"), ""))
    if last.get("role") == "tool":
        return Answer(pieces(_after_tool(messages, asked)))
    formatted = _formatted(body.get("format"))
    if formatted is not None:
        return Answer(pieces(formatted))
    if calls := _calls(body.get("tools") or [], asked):
        return Answer(calls=calls)
    return Answer(pieces(say(asked)))


def to_generate(body: dict[str, Any]) -> Answer:
    formatted = _formatted(body.get("format"))
    return Answer(pieces(formatted if formatted is not None else say(bare(body["prompt"]))))


def say(asked: str) -> str:
    if word := re.search(r"single word (\w+)", asked):
        return f"{word[1]}."
    if ends := re.search(r"[Cc]ount from (\d+) to (\d+)", asked):
        first, last = int(ends[1]), min(int(ends[2]), int(ends[1]) + 10_000)
        return f"Here it goes: {', '.join(str(n) for n in range(first, last + 1))}."
    known = (text for pattern, text in KNOWN if re.search(pattern, asked, re.IGNORECASE))
    return next(known, "I am a small model and I know only a few simple things.")


def _formatted(wanted: Any) -> str | None:
    if wanted in (None, ""):
        return None
    return json.dumps({"name": "Ada", "age": 36} if wanted == "json" else instance(wanted), ensure_ascii=False)


def _calls(tools: list[dict[str, Any]], asked: str) -> list[dict[str, Any]]:
    """One call of the first weather tool for each city named after "weather in"."""
    names = [tool.get("function", {}).get("name", "") for tool in tools]
    name = next((name for name in names if "weather" in name), None)
    cities = re.search(rf"(?i:weather in) ({CITY}(?:(?:, | and ){CITY})*)", asked)
    if name is None or cities is None:
        return []
    listed = re.split(r", | and ", cities[1])
    return [call(index, name, {"city": city.strip()}) for index, city in enumerate(listed)]


def call(index: int, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    word = hashlib.sha256(f"{index}{name}{arguments}".encode()).hexdigest()[:8]
    return {"id": f"call_{word}", "function": {"index": index, "name": name, "arguments": arguments}}


def _after_tool(messages: list[dict[str, Any]], asked: str) -> str:
    text = bare(messages[-1].get("content") or "")
    try:
        result = json.loads(text)
    except ValueError:
        result = None
    if not isinstance(result, dict) or "temp_c" not in result:
        return f"The tool says {text}"
    calls = [c for m in messages for c in m.get("tool_calls") or []]
    city = calls[-1]["function"].get("arguments", {}).get("city", "the city") if calls else "the city"
    condition, degrees = result.get("condition", "calm"), result["temp_c"]
    return f"The weather in {city} is currently {condition} with a temperature of {degrees} degrees Celsius."


def embedding(text: str, width: int, dimensions: int | None) -> list[float]:
    """L2-normalised; texts that share words are close. Rounded, so that it reads back as the same 32-bit floats."""
    words = re.findall(r"\w+", bare(text).lower()) or [text]
    sums = [0] * width
    for word in words:
        sums = [total + value for total, value in zip(sums, _word(word, width), strict=True)]
    kept = sums[: dimensions or width]
    length = math.sqrt(sum(value * value for value in kept)) or 1.0
    return [float(f"{value / length:.7g}") for value in kept]


@lru_cache(maxsize=4096)
def _word(word: str, width: int) -> tuple[int, ...]:
    return tuple(byte - 128 for byte in hashlib.shake_128(word.encode()).digest(width))
