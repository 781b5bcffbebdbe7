"""Captured exchanges: a stored request, the answer a running server gave to it, and what it was captured from."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .facts import BadDocs

# Vectors are shown by their beginning; a list of numbers longer than this is cut to KEPT_NUMBERS.
LONGEST_NUMBERS = 8
KEPT_NUMBERS = 4
TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Capture:
    """One file of `captures/`. A stream has `events`, its data lines; any other answer a `body`.

    `source` says what answered: {"at", "by", "version", "model"}; empty until the first recording.
    """

    name: str
    request: dict[str, Any]
    status: int
    body: Any
    events: tuple[str, ...]
    source: dict[str, str]

    @property
    def caption(self) -> str:
        source = self.source
        return f"Captured {source['at']} from {source['by']}, LLMRack {source['version']}."


def load(folder: Path, name: str) -> Capture:
    path = folder / f"{name}.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise BadDocs(f"{path}: no such capture ({exc})") from exc
    answer = stored.get("response", {})
    events = tuple(answer.get("events", ()))
    return Capture(
        name, stored["request"], answer.get("status", 0), answer.get("body"), events, stored.get("captured", {})
    )


def names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.json"))


def fenced(capture: Capture) -> str:
    """The answer as fenced code: JSON, or the first and last events of a stream."""
    if not capture.events:
        return f"```json\n{pretty(capture.body)}\n```"
    shown = [f"data: {event}" for event in capture.events]
    if len(shown) > 6:
        shown = [*shown[:3], "…", *shown[-2:]]
    return "```text\n" + "\n\n".join(shown) + "\n```"


def pretty(value: Any, indent: int = 0) -> str:
    """JSON with short objects and lists on one line, as people write it."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(flat) + indent <= 62 and _is_flat(value):
        return flat
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [f"{inner}{json.dumps(key)}: {pretty(item, indent + 2)}" for key, item in value.items()]
    else:
        parts = [inner + pretty(item, indent + 2) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n" + ",\n".join(parts) + f"\n{' ' * indent}{closing}"


def _is_flat(value: Any) -> bool:
    items = value.values() if isinstance(value, dict) else value
    return not any(isinstance(item, dict | list) for item in items)


def ask(base_url: str, key: str, request: dict[str, Any]) -> tuple[int, dict[str, str], Any, tuple[str, ...]]:
    """Send a stored request: (status, headers by lower-case name, body or None, events). Raises OSError."""
    parts = urlsplit(base_url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    body = json.dumps(request["body"]) if "body" in request else None
    try:
        connection.request(
            request["method"],
            parts.path + request["path"],
            body,
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        text = response.read().decode()
    finally:
        connection.close()
    if headers.get("content-type", "").startswith("text/event-stream"):
        return response.status, headers, None, tuple(_events(text))
    return response.status, headers, shortened(json.loads(text)), ()


def _events(text: str) -> Iterator[str]:
    return (line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: "))


def shortened(value: Any) -> Any:
    """The value with long lists of numbers cut."""
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        is_long = len(value) > LONGEST_NUMBERS and all(isinstance(item, float | int) for item in value)
        return value[:KEPT_NUMBERS] if is_long else [shortened(item) for item in value]
    return value


def write(folder: Path, name: str, request: dict[str, Any], answer: dict[str, Any], source: dict[str, str]) -> None:
    stored = {"request": request, "response": answer, "captured": source}
    (folder / f"{name}.json").write_text(json.dumps(stored, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
