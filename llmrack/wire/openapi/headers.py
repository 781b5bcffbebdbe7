"""The response headers of /v1 and what they mean: the documentation, openapi.json and the tests read these rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LIMITS, GENERAL = "limits", "general"


@dataclass(frozen=True)
class Header:
    """One row. `kind` is its JSON type in openapi.json, `group` the table of the documentation it stands in."""

    name: str
    kind: str
    meaning: str
    group: str = LIMITS

    @property
    def is_rate_limit(self) -> bool:
        return self.name.lower().startswith("x-ratelimit")

    @property
    def openapi(self) -> dict[str, Any]:
        least = {"minimum": 1} if self.name == "Retry-After" else {}
        return {"description": self.meaning, "schema": {"type": self.kind, **least}}


HEADERS: tuple[Header, ...] = (
    Header("X-RateLimit-Limit", "integer", "Requests a minute that your plan allows."),
    Header("X-RateLimit-Remaining", "integer", "Requests left in this minute."),
    Header("X-RateLimit-Reset", "integer", "When the minute is whole again, in Unix seconds."),
    Header("x-ratelimit-limit-requests", "integer", "The same limit, in the form that OpenAI's clients read."),
    Header("x-ratelimit-remaining-requests", "integer", "Requests left in this minute."),
    Header("x-ratelimit-reset-requests", "string", "Time until the minute is whole again, such as `12s` or `1m0s`."),
    Header(
        "x-ratelimit-limit-tokens",
        "integer",
        "Tokens of your tightest limit: of the day, or of the minute where a plan has one.",
    ),
    Header(
        "x-ratelimit-remaining-tokens",
        "integer",
        "Tokens left of it, without what requests still being answered have reserved.",
    ),
    Header("x-ratelimit-reset-tokens", "string", "Time until that limit is whole again, such as `5h12m0s`."),
    Header("Retry-After", "integer", "Seconds to wait, on 429 and 503, and on 502 when the model server is busy."),
    Header("x-should-retry", "string", "`false` when a retry cannot succeed soon; OpenAI's SDKs obey it."),
    Header(
        "x-request-id",
        "string",
        "The id of this request, on every response. Quote it when you report a problem.",
        GENERAL,
    ),
    Header("x-llmrack-mode", "string", "`test` when a test key was used and no model answered.", GENERAL),
    Header(
        "x-llmrack-ignored", "string", "The request fields that had no effect, by name, separated by commas.", GENERAL
    ),
    Header(
        "x-llmrack-replaced",
        "string",
        "Where the request had a character that text cannot hold, NUL or half a surrogate pair, and U+FFFD was read in "
        "its place: fields such as `messages[1].content`, separated by commas.",
        GENERAL,
    ),
)
